"""The page of a service with a closed registration, whose links expire."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, Response, Route, expect

from tests.api.conftest import (  # noqa: F401 -- fixtures
    ADMIN_TOKEN,
    AnotherApi,
    StartApi,
    start_api,
    strict_api,
)
from tests.browser.conftest import POLL, WAV, become, count_uploads, wait_for, wait_until_started
from tests.browser.test_accessibility import violations
from tests.conftest import User, new_user
from tests.wavs import build, sine

CAN_PLAY = "document.querySelector('#player audio').readyState > 0"


@pytest.fixture
def member(strict_api: AnotherApi) -> User:  # noqa: F811
    """A user that the operator created."""
    return new_user(strict_api.client, **{"X-Admin-Token": ADMIN_TOKEN})


@pytest.fixture
def strict_page(tab: Page, strict_api: AnotherApi) -> Page:  # noqa: F811
    tab.goto(strict_api.url)
    wait_until_started(tab)
    return tab


def enter(page: Page, user: User) -> None:
    dialog = page.get_by_role("dialog", name="A token is needed")
    expect(dialog).to_contain_text("Only the operator of this service creates users.")
    dialog.get_by_label("User id").fill(user.id)
    dialog.get_by_label("Token").fill(user.token)
    dialog.get_by_label("Token").press("Enter")
    expect(dialog).to_have_count(0)


def test_a_closed_service_asks_at_the_start(strict_page: Page, member: User, wav: Path) -> None:
    expect(strict_page.get_by_role("dialog")).to_be_visible()
    assert violations(strict_page) == []
    enter(strict_page, member)
    strict_page.set_input_files("#files", wav)
    expect(strict_page.locator("#records li")).to_have_class("done")
    strict_page.reload()
    wait_until_started(strict_page)
    expect(strict_page.locator("#records .name")).to_have_text(["one"])
    expect(strict_page.get_by_role("dialog")).to_have_count(0)


def test_an_upload_asks_again_after_cancel(strict_page: Page, member: User, wav: Path) -> None:
    strict_page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    strict_page.set_input_files("#files", wav)
    enter(strict_page, member)
    expect(strict_page.locator("#records li")).to_have_class("done")


def test_the_empty_page_of_a_closed_service_says_so(strict_page: Page, member: User) -> None:
    note = strict_page.locator("#closed")
    strict_page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    expect(note).to_contain_text("Only the operator of this service creates users.")
    assert violations(strict_page) == []
    note.get_by_role("button", name="Enter a token").click()
    enter(strict_page, member)
    expect(note).to_be_hidden()


def test_a_refused_row_offers_the_token_dialog(strict_page: Page, member: User, wav: Path) -> None:
    cancel = strict_page.get_by_role("dialog").get_by_role("button", name="Cancel")
    cancel.click()
    strict_page.set_input_files("#files", wav)
    cancel.click()
    row = strict_page.locator("#records li")
    expect(row).to_have_class("failed")
    row.locator(".more").click()
    strict_page.get_by_role("menuitem", name="Enter a token").click()
    enter(strict_page, member)
    expect(row).to_have_class("done")


def test_a_revoked_token_asks_for_another(
    tab: Page,
    strict_api: AnotherApi,  # noqa: F811
    member: User,
) -> None:
    headers = {"Authorization": f"Bearer {member.token}"}
    created = member.client.post("/users/me/tokens", json={"name": "page"}, headers=headers).json()
    with tab.expect_response("**/records?*") as listed:
        become(tab, User(member.client, member.id, created["token"]), strict_api.url)
    assert listed.value.ok
    expect(tab.get_by_role("dialog")).to_have_count(0)
    path = f"/users/me/tokens/{created['id']}"
    assert member.client.delete(path, headers=headers).status_code == 204
    tab.reload()
    enter(tab, member)


def test_the_list_works_with_expiring_links(
    tab: Page,
    strict_api: AnotherApi,  # noqa: F811
    member: User,
) -> None:
    answer = member.upload(WAV, "one.wav").json()
    member.client.get(answer["status_link"], headers={"Prefer": "wait=30"})
    answers: list[Response] = []

    def note(answer: Response) -> None:
        answers.append(answer)

    tab.on("response", note)
    with tab.expect_response("**/waveform"):
        become(tab, member, strict_api.url)
    expect(tab.locator("#records li")).to_have_class("done")
    tab.locator("#records .play").click()
    wait_for(tab, CAN_PLAY)
    with tab.expect_download() as download:
        tab.locator("#records .download").click()
    assert download.value.path().read_bytes()[:3] == b"ID3"
    assert [answer.url for answer in answers if answer.status >= 400] == []


def test_the_player_goes_on_with_a_fresh_link(tab: Page, user: User) -> None:
    user.convert(WAV, "one.wav")
    become(tab, user)
    expect(tab.locator("#records li")).to_have_class("done")
    held: list[Route] = []

    def hold_old(route: Route) -> None:
        if "signature=" in route.request.url:
            route.continue_()
        else:
            held.append(route)

    def freshen(route: Route) -> None:
        shown = route.fetch()
        fresh = shown.text().replace("&user_id=", "&expires=1&signature=x&user_id=")
        route.fulfill(response=shown, body=fresh)

    tab.route("**/record?id=*", hold_old)
    with tab.expect_request("**/record?id=*"):
        tab.locator("#records .play").click()
    tab.route("**/records?limit=*", freshen)
    tab.evaluate(POLL)
    expect(tab.locator("#records .download")).to_have_attribute("href", re.compile("signature="))
    for route in held:
        route.fulfill(status=410)
    wait_for(tab, CAN_PLAY)
    assert "signature=" in tab.evaluate("document.querySelector('#player audio').currentSrc")


def test_a_new_user_learns_the_limits_too(
    start_api: StartApi,  # noqa: F811
    tab: Page,
    wav: Path,
    tmp_path: Path,
) -> None:
    tab.goto(start_api({"MAX_UPLOAD_BYTES": str(2 * len(WAV))}).url)
    wait_until_started(tab)
    tab.set_input_files("#files", wav)
    expect(tab.locator("#records li.done")).to_have_count(1)
    large = tmp_path / "large.wav"
    large.write_bytes(build(sine(4000)))
    sent = count_uploads(tab)
    tab.set_input_files("#files", large)
    expect(tab.locator("#records li.failed")).to_contain_text("larger than the service accepts")
    assert sent == []
