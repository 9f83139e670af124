"""The page for people who use a screen reader, the keyboard alone, or reduced motion."""

from pathlib import Path
from typing import Literal

import axe_playwright_python
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import become, become_staged, wait_until_started
from tests.browser.screenshots import SCENES
from tests.browser.staged import every_state, stage
from tests.conftest import User

Scheme = Literal["light", "dark"]
AXE = Path(axe_playwright_python.__file__).with_name("axe.min.js")
RUN = """async () => (await axe.run()).violations.map(
  ({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 120)).slice(0, 3).join(" | ")}`)"""


def violations(page: Page) -> list[str]:
    page.evaluate(AXE.read_text())
    found: list[str] = page.evaluate(RUN)
    return found


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_empty_page_has_no_violation(page: Page, scheme: Scheme) -> None:
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    assert violations(page) == []


@pytest.mark.parametrize(
    ("width", "scheme"), [(360, "light"), (1024, "light"), (1024, "dark"), (2000, "dark")]
)
@pytest.mark.parametrize("scene", SCENES)
def test_no_state_has_a_violation(page: Page, scene: str, width: int, scheme: Scheme) -> None:
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    page.set_viewport_size({"width": width, "height": 768})
    stage(page, every_state)
    become_staged(page)
    SCENES[scene](page)
    assert violations(page) == []


def test_the_keyboard_alone_is_enough(page: Page, wav: Path) -> None:
    page.get_by_role("button", name="Choose files").focus()
    with page.expect_file_chooser() as chooser:
        page.keyboard.press("Space")
    chooser.value.set_files(wav)
    expect(page.locator("#records li")).to_have_class("done")
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
    page.keyboard.press("End")
    page.keyboard.press("Enter")
    expect(page.locator("#records li")).to_have_count(0)
    expect(page.locator("#choose")).to_be_focused()


def test_a_dialog_keeps_the_focus_and_gives_it_back(page: Page, user: User) -> None:
    become(page, user)
    button = page.get_by_role("button", name="Token")
    button.focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="Token")
    expect(dialog).to_be_visible()
    for _ in range(12):
        page.keyboard.press("Tab")
        outside = (
            "!document.activeElement.closest('dialog') && document.activeElement !== document.body"
        )
        assert not page.evaluate(outside)
    page.keyboard.press("Escape")
    expect(button).to_be_focused()


def test_focus_is_visible(page: Page) -> None:
    for selector in ("#choose", "#options .tags", "#token"):
        page.locator(selector).focus()
        page.keyboard.press("Shift+Tab")
        page.keyboard.press("Tab")
        expect(page.locator(selector)).to_have_css("outline-style", "solid")


def test_reduced_motion_stops_every_animation(page: Page) -> None:
    page.emulate_media(reduced_motion="reduce")
    stage(page, every_state)
    become_staged(page)
    expect(page.locator("#records li").first).to_be_visible()
    assert page.evaluate("document.getAnimations().length") == 0


def test_text_can_be_twice_as_large(browser: Browser, service_url: str) -> None:
    with browser.new_context(viewport={"width": 1024, "height": 768}) as context:
        page = context.new_page()
        page.goto(service_url)
        wait_until_started(page)
        stage(page, every_state)
        become_staged(page)
        page.evaluate("document.documentElement.style.fontSize = '200%'")
        assert page.evaluate("document.documentElement.scrollWidth") <= 1024
