"""Progress and results outside of the list: title, favicon, notification, links, the token."""

import json
import re
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.browser.conftest import WAV, become, become_staged, wait_for, wait_until_started
from tests.browser.staged import record, stage
from tests.conftest import User


def test_title_and_favicon_show_progress(tab: Page) -> None:
    records = [record(0, "converting", progress=0.5)]
    stage(tab, lambda: records)
    become_staged(tab)
    expect(tab).to_have_title("75% · wav2mp3")
    icon = tab.locator("#favicon")
    expect(icon).to_have_attribute("href", re.compile("^data:image/png"))
    records[:] = [record(0)]
    expect(tab).to_have_title("wav2mp3")
    expect(icon).to_have_attribute("href", re.compile(r"icon\.svg$"))


def test_a_hidden_tab_notifies_when_the_batch_is_done(tab: Page) -> None:
    tab.add_init_script("""
      window.told = [];
      window.Notification = class {
        static permission = "granted";
        constructor(title, { body }) { window.told.push(body); }
      };
      Object.defineProperty(document, "hidden", { get: () => window.isHidden ?? false });
    """)
    records = [record(0, "converting"), record(1, "queued")]
    stage(tab, lambda: records)
    become_staged(tab)
    expect(tab.locator("#records li")).to_have_count(2)
    tab.evaluate("window.isHidden = true")
    records[:] = [record(0), record(1)]
    wait_for(tab, "window.told.length === 1")
    assert tab.evaluate("window.told") == ["2 files done"]


def test_the_copied_link_downloads_the_mp3(tab: Page, user: User) -> None:
    tab.context.grant_permissions(["clipboard-read", "clipboard-write"])
    user.convert(WAV, "one.wav")
    become(tab, user)
    tab.locator("#records .more").click()
    tab.get_by_role("menuitem", name="Copy link").click()
    expect(tab.locator(".toast")).to_contain_text("The link to one.wav is copied.")
    link = tab.evaluate("navigator.clipboard.readText()")
    assert user.client.get(link).headers["Content-Type"] == "audio/mpeg"


def test_copying_works_without_https(tab: Page, user: User) -> None:
    tab.add_init_script("Object.defineProperty(navigator, 'clipboard', { value: undefined })")
    tab.add_init_script(
        "addEventListener('copy', () => (window.copied = document.activeElement.value))"
    )
    become(tab, user)
    tab.get_by_role("button", name="Token").click()
    tab.get_by_role("button", name="Copy").click()
    expect(tab.get_by_role("button", name="Copied")).to_be_focused()
    assert tab.evaluate("window.copied") == f"{user.id}:{user.token}"


def test_the_token_opens_the_list_elsewhere(page: Page, user: User) -> None:
    user.convert(WAV, "one.wav")
    expect(page.locator("#records li")).to_have_count(0)
    page.get_by_role("button", name="Token").click()
    expect(page.get_by_label("User id", exact=True)).to_be_visible()
    paste = """([selector, text]) => {
      const clipboardData = new DataTransfer();
      clipboardData.setData("text", text);
      const event = new ClipboardEvent("paste", { clipboardData, cancelable: true });
      document.querySelector(selector).dispatchEvent(event);
    }"""
    page.evaluate(paste, ["[name=user-id]", f"{user.id}:{user.token}"])
    page.get_by_role("button", name="Use this token").click()
    expect(page.locator("#records .name")).to_have_text(["one"])
    page.get_by_role("button", name="Token").click()
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_label("Your user id and token")).to_have_value(f"{user.id}:{user.token}")


def test_a_wrong_token_is_refused(page: Page, user: User) -> None:
    page.get_by_role("button", name="Token").click()
    page.get_by_label("User id", exact=True).fill(user.id)
    page.get_by_role("dialog").get_by_label("Token", exact=True).fill("wrong")
    page.get_by_role("button", name="Use this token").click()
    expect(page.get_by_role("dialog").get_by_role("alert")).to_contain_text(
        "do not belong together"
    )
    assert page.evaluate("localStorage.getItem('wav2mp3.user')") is None


def test_closed_registration_asks_for_a_token(page: Page, user: User, wav: Path) -> None:
    problem = {"code": "registration_closed", "detail": "This service creates no users."}
    page.route("**/users", lambda route: route.fulfill(status=403, json=problem))
    page.set_input_files("#files", wav)
    dialog = page.get_by_role("dialog", name="A token is needed")
    dialog.get_by_label("User id").fill(user.id)
    dialog.get_by_label("Token").fill(user.token)
    dialog.get_by_role("button", name="Use this token").click()
    expect(page.locator("#records li")).to_have_class("done")
    page.reload()
    wait_until_started(page)
    stored = json.loads(page.evaluate("localStorage.getItem('wav2mp3.user')"))
    assert stored == {"id": user.id, "token": user.token}
