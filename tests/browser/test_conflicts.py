"""Files whose name is taken: replace, keep both or skip."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import WAV, become, count_uploads
from tests.conftest import User
from tests.wavs import build, sine

LONGER = build(sine(3 * 44100))


@pytest.fixture
def longer(tab: Page, user: User, tmp_path: Path) -> Path:
    """A WAV of 3 s with the name of a short record that the page shows."""
    user.convert(WAV, "one.wav")
    become(tab, user)
    expect(tab.locator("#records li")).to_have_count(1)
    path = tmp_path / "one.wav"
    path.write_bytes(LONGER)
    return path


def test_a_taken_name_is_said_before_the_upload(tab: Page, longer: Path) -> None:
    uploads = count_uploads(tab)
    tab.set_input_files("#files", longer)
    dialog = tab.get_by_role("dialog", name="This name is taken")
    expect(dialog).to_contain_text("one.wav is already in the list.")
    expect(dialog.get_by_role("checkbox")).to_have_count(0)
    dialog.get_by_role("button", name="Skip").click()
    expect(dialog).to_have_count(0)
    expect(tab.locator("#records li")).to_have_count(1)
    assert uploads == []


def test_replace_leaves_one_record(tab: Page, longer: Path) -> None:
    tab.set_input_files("#files", longer)
    tab.get_by_role("button", name="Replace").click()
    expect(tab.locator("#records .done .length")).to_have_text(["00:03"])


def test_keep_both_renames_the_new_one(tab: Page, longer: Path) -> None:
    tab.set_input_files("#files", longer)
    expect(tab.get_by_role("button", name="Keep both")).to_be_focused()
    tab.keyboard.press("Enter")
    rows = tab.locator("#records .done")
    expect(rows).to_have_count(2)
    expect(rows.locator(".name")).to_have_text([re.compile("one.+|.+one"), "one"])


def test_one_answer_serves_all_conflicts(tab: Page, user: User, tmp_path: Path) -> None:
    paths = [tmp_path / f"{number}.wav" for number in range(4)]
    for path in paths:
        path.write_bytes(LONGER)
    for path in paths[:3]:
        user.convert(WAV, path.name)
    become(tab, user)
    expect(tab.locator("#records li")).to_have_count(3)
    tab.set_input_files("#files", paths)
    dialog = tab.get_by_role("dialog")
    dialog.get_by_label("Do the same for 2 other files").check()
    dialog.get_by_role("button", name="Skip").click()
    expect(dialog).to_have_count(0)
    expect(tab.locator("#records .done")).to_have_count(4)
    expect(tab.locator("#records .length")).to_have_text(
        ["00:03", "0.02 sec", "0.02 sec", "0.02 sec"]
    )


def test_a_name_taken_by_another_tab_is_asked_about(tab: Page, user: User, wav: Path) -> None:
    become(tab, user)
    expect(tab.locator("#drop")).to_be_visible()
    user.convert(WAV, "one.wav")
    wav.write_bytes(LONGER)
    tab.set_input_files("#files", wav)
    tab.get_by_role("dialog").get_by_role("button", name="Replace").click()
    expect(tab.locator("#records .done .length")).to_have_text(["00:03"])
