"""Uploads through a bad network and a busy service."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import become, count_uploads, throttle, wait_until_started
from tests.browser.relay import Relay
from tests.conftest import User
from tests.wavs import build, sine

pytestmark = pytest.mark.exhaustive

PROXY_ERROR = "<html><h1>nginx</h1></html>"
UPLOADS = "**/record?*user_id=*"


@pytest.fixture
def relay(tab: Page, service_url: str) -> Iterator[Relay]:
    """Open the page through a network that can be cut."""
    with Relay(int(service_url.rsplit(":", 1)[1])) as relay:
        tab.goto(relay.url)
        wait_until_started(tab)
        yield relay


def test_an_upload_survives_a_lost_connection(tab: Page, relay: Relay, tmp_path: Path) -> None:
    wav = tmp_path / "long.wav"
    wav.write_bytes(build(sine(60 * 44100)))
    slow = throttle(tab, 200_000)
    tab.set_input_files("#files", wav)
    row = tab.locator("#records li")
    expect(row.locator(".state")).to_contain_text("kB/s")
    relay.cut()
    expect(row).to_have_class("waiting")
    expect(row.locator(".state")).to_contain_text("The connection was lost. Trying again in")
    expect(row.locator("progress")).to_be_hidden()
    relay.mend()
    slow.detach()
    expect(row).to_have_class("done")
    expect(row).to_have_count(1)


def test_a_broken_upload_is_sent_again(page: Page, wav: Path) -> None:
    page.route(UPLOADS, lambda route: route.abort("connectionreset"))
    page.set_input_files("#files", wav)
    row = page.locator("#records li")
    expect(row.locator(".state")).to_contain_text("The connection was lost.")
    page.unroute(UPLOADS)
    expect(row).to_have_class("done")


def test_an_accepted_upload_without_an_answer_is_found(page: Page, wav: Path) -> None:
    def lose_the_answer(route: Route) -> None:
        route.fetch()
        route.abort("connectionreset")

    page.route(UPLOADS, lose_the_answer, times=1)
    page.set_input_files("#files", wav)
    row = page.locator("#records li")
    expect(row).to_have_class("done")
    expect(row).to_have_count(1)
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_an_unknown_user_is_replaced(page: Page, wavs: list[Path]) -> None:
    unknown = '{"id": "00000000-0000-0000-0000-000000000000", "token": "unknown"}'
    page.evaluate("user => localStorage.setItem('wav2mp3.user', user)", unknown)
    page.set_input_files("#files", wavs[:3])
    rows = page.locator("#records li")
    expect(rows).to_have_class(["done"] * 3)
    page.reload()
    expect(rows).to_have_class(["done"] * 3)


def test_a_busy_service_is_asked_again(page: Page, wavs: list[Path]) -> None:
    detail = "The service cannot reach its database at the moment."
    headers = {"Retry-After": "2"}
    page.route(
        "**/users",
        lambda route: route.fulfill(status=503, headers=headers, json={"detail": detail}),
    )
    page.set_input_files("#files", wavs[:2])
    rows = page.locator("#records li")
    expect(rows.locator(".state")).to_have_text([f"{detail} Trying again in 2 sec."] * 2)
    page.unroute("**/users")
    expect(rows).to_have_class(["done"] * 2)
    page.reload()
    expect(rows).to_have_count(2)


def test_an_upload_waits_for_room(page: Page, wav: Path) -> None:
    detail = "Your other records leave no room for this file until they are converted."
    headers = {"Retry-After": "2"}
    page.route(
        UPLOADS,
        lambda route: route.fulfill(status=507, headers=headers, json={"detail": detail}),
    )
    page.set_input_files("#files", wav)
    row = page.locator("#records li")
    expect(row.locator(".state")).to_have_text(f"{detail} Trying again in 2 sec.")
    page.unroute(UPLOADS)
    expect(row).to_have_class("done")


@pytest.mark.parametrize("status", [413, 500])
def test_a_proxy_error_becomes_a_sentence(page: Page, wav: Path, status: int) -> None:
    page.route(UPLOADS, lambda route: route.fulfill(status=status, body=PROXY_ERROR))
    page.set_input_files("#files", wav)
    row = page.locator("#records li")
    expect(row).to_have_class("failed")
    expect(row.locator(".state")).to_have_text(re.compile(rf"^[A-Z][a-z ]+.*{status}.*\.$"))
    expect(row.locator(".state")).not_to_contain_text("nginx")
    expect(row.get_by_role("button", name="Try again")).to_be_visible(visible=status == 500)


def test_files_that_cannot_be_retried_can_be_cleared(page: Page) -> None:
    flac = [
        {"name": f"{number}.wav", "mimeType": "audio/wav", "buffer": b"fLaC" * 9}
        for number in range(3)
    ]
    page.set_input_files("#files", flac)  # type: ignore[arg-type]
    rows = page.locator("#records .failed")
    expect(rows).to_have_count(3)
    expect(page.locator("#retry-failed")).to_be_hidden()
    page.get_by_role("button", name="Delete 1.wav").click()
    expect(rows).to_have_count(2)
    page.get_by_role("button", name="Clear finished").click()
    expect(rows).to_have_count(0)


def test_refused_files_stay_listed_after_a_reload(page: Page) -> None:
    flac = {"mimeType": "audio/wav", "buffer": b"fLaC" * 9}
    files = [{"name": f"{number}.wav", **flac} for number in range(2)]
    page.set_input_files("#files", files)  # type: ignore[arg-type]
    rows = page.locator("#records .failed")
    expect(rows).to_have_count(2)
    page.get_by_role("button", name="Delete 1.wav").click()
    expect(rows).to_have_count(1)
    page.reload()
    wait_until_started(page)
    expect(rows.locator(".name")).to_have_text(["0.wav"])
    expect(rows.locator(".state")).to_contain_text("This is FLAC, not WAV.")
    rows.locator(".more").click()
    expect(page.get_by_role("menuitem")).to_have_text(["Details…", "Delete"])
    page.get_by_role("menuitem", name="Delete").click()
    expect(rows).to_have_count(0)
    page.reload()
    wait_until_started(page)
    expect(rows).to_have_count(0)


def test_failed_uploads_can_be_retried_together(page: Page, wavs: list[Path]) -> None:
    page.route(UPLOADS, lambda route: route.fulfill(status=500, body=PROXY_ERROR))
    page.set_input_files("#files", wavs[:3])
    rows = page.locator("#records li")
    expect(rows).to_have_class(["failed"] * 3)
    page.unroute(UPLOADS)
    page.get_by_role("button", name="Retry failed").click()
    expect(rows).to_have_class(["done"] * 3)


def test_a_too_large_file_is_not_uploaded(tab: Page, user: User, wav: Path) -> None:
    uploads = count_uploads(tab)
    description: dict[str, Any] = {"paths": {"/users/me": {}, "/record": {"post": {}}}}
    tab.route("**/openapi.json", lambda route: route.fulfill(json=description))
    tab.route("**/users/me", lambda route: route.fulfill(json={"max_upload_bytes": 1500}))
    with tab.expect_response("**/users/me"):
        become(tab, user)
    expect(tab.locator("#accepted")).to_have_text("any WAV, RF64, W64 · up to 2 kB each")
    tab.set_input_files("#files", wav)
    state = tab.locator("#records li.failed .state")
    expect(state).to_have_text(
        "This file is larger than the service accepts (2 kB). Split the file."
    )
    assert uploads == []
