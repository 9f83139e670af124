"""The page under a strict Content-Security-Policy."""

import re
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.browser.conftest import become_staged, wait_until_started
from tests.browser.staged import every_state, stage

STATIC = Path(__file__).resolve().parents[2] / "api" / "static"


def test_an_upload_works_under_the_policy(strict: Page, wav: Path) -> None:
    strict.goto("/")
    wait_until_started(strict)
    strict.set_input_files("#files", wav)
    expect(strict.locator("#records li")).to_have_class("done")
    with strict.expect_download():
        strict.locator("#records .download").click()
    strict.set_input_files("#files", wav)
    strict.get_by_role("dialog").get_by_role("button", name="Skip").click()
    expect(strict.get_by_role("dialog")).to_have_count(0)
    assert strict.evaluate("window.violations") == []


def test_names_are_never_markup(tab: Page) -> None:
    records = every_state(20)
    records[5]["filename"] = "<img src=x onerror=window.attacked=1>.wav"
    records[5]["warnings"] = ["<b>bold</b>"]
    stage(tab, lambda: records)
    become_staged(tab)
    expect(tab.get_by_text("<img src=x onerror=window.attacked=1>")).to_be_visible()
    expect(tab.locator("#records .warning", has_text="<b>bold</b>")).to_be_visible()
    assert tab.evaluate("window.attacked") is None


def test_the_page_has_no_inline_script_or_style() -> None:
    markup = (STATIC / "index.html").read_text()
    assert re.findall(r"\s(?:on\w+|style)=|<style|<script(?![^>]*src=)", markup) == []
