"""The page under a strict Content-Security-Policy."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import become_staged, wait_until_started
from tests.browser.screenshots import SCENES
from tests.browser.staged import every_state, stage

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; media-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
STATIC = Path(__file__).resolve().parents[2] / "api" / "static"


@pytest.fixture
def strict(page: Page, service_url: str) -> Page:
    """The page with this policy; `window.violations` lists what the policy refused."""

    def add_policy(route: Route) -> None:
        answer = route.fetch()
        headers = {**answer.headers, "content-security-policy": POLICY}
        route.fulfill(response=answer, headers=headers)

    page.route(f"{service_url}/", add_policy)
    page.add_init_script("""
      window.violations = [];
      addEventListener("securitypolicyviolation", (event) => {
        window.violations.push(`${event.violatedDirective} ${event.blockedURI}`);
      });
    """)
    page.reload()
    wait_until_started(page)
    return page


@pytest.mark.parametrize("scene", SCENES)
def test_no_state_needs_more_than_the_policy_allows(strict: Page, scene: str) -> None:
    stage(strict, every_state)
    become_staged(strict)
    SCENES[scene](strict)
    expect(strict.locator("#favicon")).to_have_attribute("href", re.compile("^data:image/png"))
    strict.keyboard.press("Escape")
    assert strict.evaluate("window.violations") == []


def test_an_upload_works_under_the_policy(strict: Page, wav: Path) -> None:
    strict.set_input_files("#files", wav)
    expect(strict.locator("#records li")).to_have_class("done")
    with strict.expect_download():
        strict.locator("#records .download").click()
    strict.set_input_files("#files", wav)
    strict.get_by_role("dialog").get_by_role("button", name="Skip").click()
    expect(strict.get_by_role("dialog")).to_have_count(0)
    assert strict.evaluate("window.violations") == []


def test_names_are_never_markup(page: Page) -> None:
    records = every_state(20)
    records[5]["filename"] = "<img src=x onerror=window.attacked=1>.wav"
    records[5]["warnings"] = ["<b>bold</b>"]
    stage(page, lambda: records)
    become_staged(page)
    expect(page.get_by_text("<img src=x onerror=window.attacked=1>")).to_be_visible()
    expect(page.locator("#records .warning", has_text="<b>bold</b>")).to_be_visible()
    assert page.evaluate("window.attacked") is None


def test_the_page_has_no_inline_script_or_style() -> None:
    markup = (STATIC / "index.html").read_text()
    assert re.findall(r"\s(?:on\w+|style)=|<style|<script(?![^>]*src=)", markup) == []
