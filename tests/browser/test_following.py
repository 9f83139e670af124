"""The page follows its records through outages of the service and of the network."""

from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import become
from tests.conftest import User
from tests.wavs import build, sine

UNAVAILABLE = "The service cannot reach its database at the moment."
WAV = build(sine(1000))


@pytest.fixture
def wav(tmp_path: Path) -> Path:
    path = tmp_path / "one.wav"
    path.write_bytes(WAV)
    return path


def say_unavailable(route: Route) -> None:
    route.fulfill(status=503, json={"detail": UNAVAILABLE})


def show_two_at_a_time(page: Page) -> None:
    """Make pages of two records instead of a hundred, so that the tests need few uploads."""
    page.route(
        "**/records?limit=100*",
        lambda route: route.continue_(url=route.request.url.replace("limit=100", "limit=2")),
    )


def test_the_page_survives_a_short_outage(
    page: Page, wav: Path, frozen_workers: AbstractContextManager[None]
) -> None:
    row, notice = page.locator("#records li"), page.locator("#notice")
    with frozen_workers:
        page.set_input_files("#files", wav)
        expect(row).to_have_class("queued")
        page.route("**/records*", say_unavailable)
        expect(notice).to_contain_text(UNAVAILABLE)
        page.unroute("**/records*")
        expect(notice).to_be_hidden()
        page.context.set_offline(offline=True)
        expect(notice).to_contain_text("cannot be reached")
    page.context.set_offline(offline=False)
    expect(row).to_have_class("done")
    expect(notice).to_be_hidden()


def test_a_page_opened_during_an_outage_recovers(page: Page, user: User) -> None:
    user.convert(WAV, "one.wav")
    page.route("**/records*", say_unavailable)
    become(page, user)
    expect(page.locator("#notice")).to_be_visible()
    page.unroute("**/records*")
    expect(page.locator("#records .done")).to_be_visible()
    expect(page.locator("#notice")).to_be_hidden()


def test_files_chosen_during_an_outage_upload_later(page: Page, user: User, wav: Path) -> None:
    user.convert(WAV, "old.wav")
    page.route("**/records*", say_unavailable)
    become(page, user)
    page.set_input_files("#files", wav)
    expect(page.locator("#records .waiting")).to_be_visible()
    page.unroute("**/records*")
    rows = page.locator("#records li")
    expect(rows).to_have_class(["done", "done"])
    expect(rows.locator(".name")).to_have_text(["one.wav", "old.wav"])


def test_a_failed_delete_keeps_the_row(page: Page, user: User) -> None:
    user.convert(WAV, "one.wav")
    become(page, user)
    row, notice = page.locator("#records li"), page.locator("#notice")
    page.route("**/records/*", say_unavailable)
    row.get_by_role("button", name="Delete").click()
    expect(notice).to_contain_text("one.wav was not deleted.")
    page.unroute("**/records/*")
    row.get_by_role("button", name="Delete").click()
    expect(row).to_have_count(0)
    expect(notice).to_be_hidden()


def test_show_older_lists_older_records(page: Page, user: User) -> None:
    for number in range(5):
        user.convert(WAV, f"{number}.wav")
    show_two_at_a_time(page)
    become(page, user)
    names, older = page.locator("#records .name"), page.locator("#older")
    expect(names).to_have_text(["4.wav", "3.wav"])
    older.click()
    expect(names).to_have_text(["4.wav", "3.wav", "2.wav", "1.wav"])
    older.click()
    expect(names).to_have_text(["4.wav", "3.wav", "2.wav", "1.wav", "0.wav"])
    expect(older).to_be_hidden()


def test_unfinished_older_records_are_polled_too(
    page: Page, user: User, frozen_workers: AbstractContextManager[None]
) -> None:
    rows = page.locator("#records li")
    with frozen_workers:
        for number in range(5):
            assert user.upload(WAV, f"{number}.wav").status_code == 202
        show_two_at_a_time(page)
        become(page, user)
        page.locator("#older").click()
        expect(rows).to_have_class(["queued"] * 4)
    expect(rows).to_have_class(["done"] * 4)


def test_a_record_deleted_elsewhere_disappears(
    page: Page, user: User, frozen_workers: AbstractContextManager[None]
) -> None:
    with frozen_workers:
        record_id = user.upload(WAV, "one.wav").json()["id"]
        become(page, user)
        expect(page.locator("#records .queued")).to_be_visible()
        user.client.delete(f"/records/{record_id}", params=user.credentials)
        expect(page.locator("#records li")).to_have_count(0)
