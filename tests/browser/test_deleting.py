"""Deleting can be undone for five seconds."""

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import WAV, become
from tests.conftest import User


@pytest.fixture
def names(user: User) -> list[str]:
    """The names of three records of the user, newest first."""
    for name in ("one.wav", "two.wav", "three.wav"):
        user.convert(WAV, name)
    return ["three", "two", "one"]


def stored_names(user: User) -> list[str]:
    listed = user.client.get("/records", params=user.credentials).json()["records"]
    return [each["filename"] for each in listed]


def delete(page: Page, name: str) -> None:
    page.get_by_role("button", name=f"More about {name}.wav").click()
    page.get_by_role("menuitem", name="Delete").click()


def test_a_deleted_record_is_gone_after_five_seconds(
    page: Page, user: User, names: list[str]
) -> None:
    become(page, user)
    delete(page, "two")
    rows = page.locator("#records .name")
    expect(rows).to_have_text(["three", "one"])
    assert len(stored_names(user)) == 3
    with page.expect_request(lambda request: request.method == "DELETE"):
        pass
    expect(page.locator(".toast")).to_have_count(0)
    page.reload()
    expect(rows).to_have_text(["three", "one"])


def test_undo_brings_the_row_back(page: Page, user: User, names: list[str]) -> None:
    become(page, user)
    delete(page, "two")
    page.get_by_role("button", name="Undo").click()
    expect(page.locator("#records .name")).to_have_text(names)
    assert len(stored_names(user)) == 3


def test_clear_finished_can_be_undone(page: Page, user: User, names: list[str]) -> None:
    become(page, user)
    page.get_by_role("button", name="Clear finished").click()
    expect(page.locator("#records li")).to_have_count(0)
    expect(page.locator(".toast")).to_contain_text("3 files are deleted.")
    page.get_by_role("button", name="Undo").click()
    expect(page.locator("#records .name")).to_have_text(names)


def test_leaving_the_page_completes_the_deletion(page: Page, user: User, names: list[str]) -> None:
    become(page, user)
    delete(page, "two")
    page.reload()
    expect(page.locator("#records .name")).to_have_text(["three", "one"])


def test_a_failed_delete_keeps_the_row(page: Page, user: User, names: list[str]) -> None:
    become(page, user)
    expect(page.locator("#records li")).to_have_count(3)
    page.route("**/records/*", lambda route: route.fulfill(status=503, json={"detail": "Not now."}))
    delete(page, "two")
    expect(page.locator("#notice")).to_contain_text("two.wav was not deleted. Not now.")
    expect(page.locator("#records .name")).to_have_text(names)


def test_the_focus_moves_to_the_next_row(page: Page, user: User, names: list[str]) -> None:
    become(page, user)
    page.get_by_role("button", name="More about two.wav").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("End")
    page.keyboard.press("Enter")
    expect(page.locator("#records li")).to_have_count(2)
    expect(page.get_by_role("button", name="More about one.wav")).to_be_focused()


def test_a_cancelled_upload_leaves_no_record(page: Page, user: User, wav: Path) -> None:
    become(page, user)
    page.route("**/record?*", lambda _: None)
    page.set_input_files("#files", wav)
    page.get_by_role("button", name="Cancel one.wav").click()
    expect(page.locator("#records li")).to_have_count(0)
    assert stored_names(user) == []
