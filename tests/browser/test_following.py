"""The page follows its records through outages of the service and of the network."""

from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import WAV, become, become_staged
from tests.browser.staged import record, stage
from tests.conftest import User

UNAVAILABLE = "The service cannot reach its database at the moment."


def say_unavailable(route: Route) -> None:
    route.fulfill(status=503, json={"detail": UNAVAILABLE})


def show_two_at_a_time(page: Page) -> None:
    """Make pages of two records instead of a hundred, so that the tests need few uploads."""
    page.route(
        "**/records?limit=100*",
        lambda route: route.continue_(url=route.request.url.replace("limit=100", "limit=2")),
    )


@pytest.mark.exhaustive
def test_the_page_survives_a_short_outage(
    page: Page, wav: Path, frozen_workers: AbstractContextManager[None]
) -> None:
    row, notice = page.locator("#records li"), page.locator("#notice")
    with frozen_workers:
        page.set_input_files("#files", wav)
        expect(row).to_have_class("queued")
        page.route("**/records?*", say_unavailable)
        expect(notice).to_contain_text(UNAVAILABLE)
        page.unroute("**/records?*")
        expect(notice).to_be_hidden()
        page.context.set_offline(offline=True)
        expect(notice).to_contain_text("cannot be reached")
    page.context.set_offline(offline=False)
    expect(row).to_have_class("done")
    expect(notice).to_be_hidden()


@pytest.mark.exhaustive
def test_a_page_opened_during_an_outage_recovers(tab: Page, user: User) -> None:
    user.convert(WAV, "one.wav")
    tab.route("**/records?*", say_unavailable)
    become(tab, user)
    expect(tab.locator("#notice")).to_be_visible()
    tab.unroute("**/records?*")
    expect(tab.locator("#records .done")).to_be_visible()
    expect(tab.locator("#notice")).to_be_hidden()


@pytest.mark.exhaustive
def test_files_chosen_during_an_outage_upload_later(tab: Page, user: User, wav: Path) -> None:
    user.convert(WAV, "old.wav")
    tab.route("**/records?*", say_unavailable)
    become(tab, user)
    tab.set_input_files("#files", wav)
    expect(tab.locator("#records .waiting")).to_be_visible()
    tab.unroute("**/records?*")
    rows = tab.locator("#records li")
    expect(rows).to_have_class(["done", "done"])
    expect(rows.locator(".name")).to_have_text(["one", "old"])


def test_older_pages_of_records_are_loaded_too(tab: Page, user: User) -> None:
    for number in range(5):
        user.convert(WAV, f"{number}.wav")
    show_two_at_a_time(tab)
    become(tab, user)
    expect(tab.locator("#records .name")).to_have_text(["4", "3", "2", "1", "0"])
    expect(tab.locator("#older")).to_be_hidden()


def test_the_oldest_records_are_shown_on_demand(tab: Page) -> None:
    records = [record(number) for number in range(45)]
    stage(tab, lambda: records, max_limit=2)
    become_staged(tab)
    rows, older = tab.locator("#records li"), tab.locator("#older")
    expect(rows).to_have_count(20 * 2)
    for count in (42, 44, 45):
        older.click()
        expect(rows).to_have_count(count)
    expect(older).to_be_hidden()


def test_unfinished_older_records_are_followed(tab: Page) -> None:
    records = [record(number, "queued") for number in range(250)]
    stage(tab, lambda: records)
    become_staged(tab)
    expect(tab.locator("#records .queued")).to_have_count(250)
    records[240:] = [record(number) for number in range(240, 250)]
    expect(tab.locator("#records .done")).to_have_count(10)
    records[140:240] = [record(number) for number in range(140, 240)]
    expect(tab.locator("#records .done")).to_have_count(110)


def test_a_record_deleted_elsewhere_disappears(
    tab: Page, user: User, frozen_workers: AbstractContextManager[None]
) -> None:
    with frozen_workers:
        record_id = user.upload(WAV, "one.wav").json()["id"]
        become(tab, user)
        expect(tab.locator("#records .queued")).to_be_visible()
        user.client.delete(f"/records/{record_id}", params=user.credentials)
        expect(tab.locator("#records li")).to_have_count(0)


def test_a_reload_shows_the_work_under_way(
    page: Page, wavs: list[Path], frozen_workers: AbstractContextManager[None]
) -> None:
    rows = page.locator("#records .queued")
    with frozen_workers:
        for count, path in enumerate(wavs[:3], 1):
            page.set_input_files("#files", path)
            expect(rows).to_have_count(count)
        page.reload()
        expect(rows.locator(".name")).to_have_text([path.name for path in wavs[:3]])
        expect(page.locator("#summary")).to_contain_text("0 of 3 done")
    expect(page.locator("#records .done")).to_have_count(3)
