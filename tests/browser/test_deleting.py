"""Deleting can be undone for five seconds."""

from pathlib import Path

import pytest
from playwright.sync_api import Page, Request, expect

from tests.browser.conftest import WAV, become, throttle
from tests.conftest import User
from tests.waiting import until
from tests.wavs import build, sine

HOLD_UNDO = """
  const { setTimeout } = window;
  window.setTimeout = (run, ms) => (ms === 5000 ? (window.endUndo = run) && 0 : setTimeout(run, ms));
"""
END_UNDO = "window.endUndo()"


@pytest.fixture
def names(user: User) -> list[str]:
    """The names of three records of the user, newest first."""
    for name in ("one.wav", "two.wav", "three.wav"):
        user.convert(WAV, name)
    return ["three", "two", "one"]


def stored_names(user: User) -> list[str]:
    listed = user.client.get("/records", params=user.credentials).json()["records"]
    return [each["filename"] for each in listed]


def become_and_hold_undo(page: Page, user: User, names: list[str]) -> None:
    """Show the records. A deletion can be undone until the test evaluates `END_UNDO`."""
    page.add_init_script(HOLD_UNDO)
    become(page, user)
    expect(page.locator("#records .name")).to_have_text(names)


def delete(page: Page, name: str) -> None:
    page.get_by_role("button", name=f"More about {name}.wav").click()
    page.get_by_role("menuitem", name="Delete").click()


def is_delete(request: Request) -> bool:
    return request.method == "DELETE"


def test_a_deleted_record_is_gone_after_five_seconds(
    tab: Page, user: User, names: list[str]
) -> None:
    become_and_hold_undo(tab, user, names)
    delete(tab, "two")
    rows = tab.locator("#records .name")
    expect(rows).to_have_text(["three", "one"])
    assert len(stored_names(user)) == 3
    with tab.expect_request_finished(is_delete):
        tab.evaluate(END_UNDO)
    expect(tab.locator(".toast")).to_have_count(0)
    assert stored_names(user) == ["three.wav", "one.wav"]
    tab.reload()
    expect(rows).to_have_text(["three", "one"])


def test_undo_brings_the_row_back(tab: Page, user: User, names: list[str]) -> None:
    become_and_hold_undo(tab, user, names)
    delete(tab, "two")
    expect(tab.locator("#records li")).to_have_count(2)
    tab.get_by_role("button", name="Undo").click()
    expect(tab.locator("#records .name")).to_have_text(names)
    assert len(stored_names(user)) == 3


def test_a_key_undoes_the_last_deletion(tab: Page, user: User, names: list[str]) -> None:
    become_and_hold_undo(tab, user, names)
    delete(tab, "two")
    delete(tab, "one")
    rows = tab.locator("#records .name")
    expect(rows).to_have_text(["three"])
    tab.keyboard.press("Control+z")
    expect(rows).to_have_text(["three", "one"])
    tab.keyboard.press("Control+z")
    expect(rows).to_have_text(names)
    expect(tab.locator(".toast")).to_have_count(0)


def test_clear_finished_can_be_undone(tab: Page, user: User, names: list[str]) -> None:
    become_and_hold_undo(tab, user, names)
    tab.get_by_role("button", name="Clear finished").click()
    expect(tab.locator("#records li")).to_have_count(0)
    expect(tab.locator(".toast")).to_contain_text("3 files are deleted.")
    tab.get_by_role("button", name="Undo").click()
    expect(tab.locator("#records .name")).to_have_text(names)


def test_leaving_the_page_completes_the_deletion(tab: Page, user: User, names: list[str]) -> None:
    become_and_hold_undo(tab, user, names)
    delete(tab, "two")
    tab.reload()
    until(lambda: stored_names(user) == ["three.wav", "one.wav"])
    expect(tab.locator("#records .name")).to_have_text(["three", "one"])


def test_a_failed_delete_keeps_the_row(tab: Page, user: User, names: list[str]) -> None:
    become_and_hold_undo(tab, user, names)
    tab.route("**/records/*", lambda route: route.fulfill(status=503, json={"detail": "Not now."}))
    delete(tab, "two")
    tab.evaluate(END_UNDO)
    expect(tab.locator("#notice")).to_contain_text("two.wav was not deleted. Not now.")
    expect(tab.locator("#records .name")).to_have_text(names)


def test_the_focus_moves_to_the_next_row(tab: Page, user: User, names: list[str]) -> None:
    become(tab, user)
    tab.get_by_role("button", name="More about two.wav").focus()
    tab.keyboard.press("Enter")
    expect(tab.get_by_role("menuitem", name="Copy link")).to_be_focused()
    tab.keyboard.press("End")
    expect(tab.get_by_role("menuitem", name="Delete")).to_be_focused()
    tab.keyboard.press("Enter")
    expect(tab.locator("#records li")).to_have_count(2)
    expect(tab.get_by_role("button", name="More about one.wav")).to_be_focused()


def test_a_cancelled_upload_leaves_no_record(tab: Page, user: User, wav: Path) -> None:
    wav.write_bytes(build(sine(60 * 44100)))
    become(tab, user)
    throttle(tab, 100_000)
    tab.set_input_files("#files", wav)
    until(lambda: stored_names(user) == ["one.wav"])
    tab.get_by_role("button", name="Cancel one.wav").click()
    expect(tab.locator("#records li")).to_have_count(0)
    until(lambda: stored_names(user) == [])
