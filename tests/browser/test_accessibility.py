"""The page for people who use a screen reader, the keyboard alone, or reduced motion."""

from pathlib import Path

import axe_playwright_python
import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import become, become_staged
from tests.browser.staged import every_state, stage
from tests.conftest import User

AXE = Path(axe_playwright_python.__file__).with_name("axe.min.js")
RUN = """async (rules) => (await axe.run(rules.length ? { runOnly: rules } : {})).violations.map(
  ({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 120)).slice(0, 3).join(" | ")}`)"""


def violations(page: Page, *rules: str) -> list[str]:
    """Return the violations of these rules of axe, or of all."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE.read_text())
    found: list[str] = page.evaluate(RUN, list(rules))
    return found


@pytest.mark.exhaustive
def test_the_empty_page_has_no_violation(page: Page) -> None:
    page.emulate_media(color_scheme="light", reduced_motion="reduce")
    assert violations(page) == []
    page.emulate_media(color_scheme="dark", reduced_motion="reduce")
    assert violations(page, "color-contrast") == []


def test_the_keyboard_alone_is_enough(page: Page, wav: Path) -> None:
    page.get_by_role("button", name="Choose files").focus()
    with page.expect_file_chooser() as chooser:
        page.keyboard.press("Space")
    chooser.value.set_files(wav)
    expect(page.locator("#records li")).to_have_class("done")
    expect(page.locator("#download-all")).to_be_visible()
    page.locator("#download-all").focus()
    for name in ("Play one.wav", "Download one.wav as MP3", "More about one.wav"):
        page.keyboard.press("Tab")
        expect(page.get_by_label(name, exact=True)).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("menuitem", name="Copy link")).to_be_focused()
    page.keyboard.press("ArrowUp")
    expect(page.get_by_role("menuitem", name="Delete")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_label("More about one.wav")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("menuitem", name="Copy link")).to_be_focused()
    page.keyboard.press("End")
    expect(page.get_by_role("menuitem", name="Delete")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#records li")).to_have_count(0)
    expect(page.locator("#choose")).to_be_focused()


def test_a_dialog_keeps_the_focus_and_gives_it_back(tab: Page, user: User) -> None:
    become(tab, user)
    button = tab.get_by_role("button", name="Token")
    button.focus()
    tab.keyboard.press("Enter")
    dialog = tab.get_by_role("dialog", name="Token")
    expect(dialog).to_be_visible()
    for _ in range(12):
        tab.keyboard.press("Tab")
        outside = (
            "!document.activeElement.closest('dialog') && document.activeElement !== document.body"
        )
        assert not tab.evaluate(outside)
    tab.keyboard.press("Escape")
    expect(button).to_be_focused()


def test_focus_is_visible(page: Page) -> None:
    for selector in ("#choose", "#options .tags", "#token"):
        page.locator(selector).focus()
        page.keyboard.press("Shift+Tab")
        page.keyboard.press("Tab")
        expect(page.locator(selector)).to_have_css("outline-style", "solid")


def test_reduced_motion_stops_every_animation(tab: Page) -> None:
    tab.emulate_media(reduced_motion="reduce")
    stage(tab, every_state)
    become_staged(tab)
    expect(tab.locator("#records li").first).to_be_visible()
    assert tab.evaluate("document.getAnimations().length") == 0


def test_text_can_be_twice_as_large(tab: Page) -> None:
    tab.set_viewport_size({"width": 1024, "height": 768})
    stage(tab, every_state)
    become_staged(tab)
    expect(tab.locator("#records li").first).to_be_visible()
    tab.evaluate("document.documentElement.style.fontSize = '200%'")
    assert tab.evaluate("document.documentElement.scrollWidth") <= 1024
