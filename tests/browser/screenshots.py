"""Writes pictures of the page, with made-up records: `python -m tests.browser.screenshots FOLDER`.

The page comes from SERVICE_URL or, if that is unset, from an embedded stack that runs for the pictures alone.
"""

import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, get_args

from playwright.sync_api import Browser, Page, Route, expect, sync_playwright

from local.environment import ROOT
from local.stack import Stack
from tests.browser.conftest import STAGED_USER, launch, wait_until_started
from tests.browser.staged import every_state, stage

README_PICTURE = ROOT / "docs" / "images" / "page.png"
Scheme = Literal["light", "dark"]
SCHEMES: tuple[Scheme, ...] = get_args(Scheme)
WIDTHS = {360: 780, 1024: 768, 2000: 1100}
KEEP = """([user, batch]) => {
  localStorage.setItem('wav2mp3.user', JSON.stringify(user));
  localStorage.setItem('wav2mp3.batch', batch);
}"""


def show_list(page: Page) -> None:
    page.locator("#records .done .waveform").first.wait_for()
    page.wait_for_load_state("networkidle")


def show_player(page: Page) -> None:
    show_list(page)
    page.evaluate("document.querySelector('audio').muted = true")
    page.locator("#records .done .play").first.click()
    expect(page.locator("#player .time")).not_to_contain_text("00:00 /")
    page.locator("#player .toggle").click()
    page.locator("#player .seek").click(position={"x": 90, "y": 12})
    page.mouse.move(5, 5)


def show_menu(page: Page) -> None:
    show_list(page)
    page.locator("#records .done .more").first.click()


def show_token(page: Page) -> None:
    page.locator("#token").click()


def show_tags(page: Page) -> None:
    if page.locator("#all-options").is_visible():
        page.locator("#all-options").click()
    page.locator("#options .tags").click()


def show_conflict(page: Page) -> None:
    show_list(page)
    name = page.locator("#records .done .name").first.get_attribute("title")
    assert name is not None
    page.set_input_files(
        "#files", {"name": name, "mimeType": "audio/wav", "buffer": b"RIFF    WAVE" * 9}
    )
    page.locator("dialog").wait_for()


def show_undo(page: Page) -> None:
    show_menu(page)
    page.get_by_role("menuitem").last.click()
    # The deletion waits while the button has the focus.
    page.locator(".toast button").focus()


def show_details(page: Page) -> None:
    show_list(page)
    page.locator("#records .done .more").nth(4).click()
    page.get_by_role("menuitem").nth(-2).click()


def show_overlay(page: Page) -> None:
    show_list(page)
    page.evaluate("document.querySelector('#overlay').hidden = false")


SCENES: dict[str, Callable[[Page], None]] = {
    "list": show_player,
    "menu": show_menu,
    "undo": show_undo,
    "conflict": show_conflict,
    "details": show_details,
    "tags": show_tags,
    "token": show_token,
    "overlay": show_overlay,
}


@contextmanager
def open_page(
    browser: Browser, url: str, width: int, scheme: Scheme, language: str = "en"
) -> Iterator[Page]:
    viewport = {"width": width, "height": WIDTHS[width]}
    options = {
        "color_scheme": scheme,
        "locale": language,
        "device_scale_factor": 2 if width == 360 else 1,
        "has_touch": width == 360,
    }
    with browser.new_context(viewport=viewport, **options) as context:  # type: ignore[arg-type]
        page = context.new_page()
        page.goto(url)
        wait_until_started(page)
        yield page


def take_unfinished(browser: Browser, url: str, folder: Path) -> None:
    """Write pictures of a page whose scripts are slow, or did not arrive."""
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    for name, answer in {"slow": hold, "lost": lambda route: route.abort()}.items():
        for scheme in SCHEMES:
            with browser.new_page(
                color_scheme=scheme, viewport={"width": 360, "height": 780}
            ) as page:
                page.route("**/row.js", answer)
                page.goto(url, wait_until="commit")
                expect(page.locator("#loading")).to_have_css("position", "fixed")
                page.locator(f"#loading .{name}").wait_for()
                page.screenshot(path=folder / f"360-{scheme}-{name}.png")
                while held:
                    held.pop().abort()


def take(browser: Browser, url: str, folder: Path) -> None:
    for width in WIDTHS:
        for scheme in SCHEMES:
            with open_page(browser, url, width, scheme) as page:
                page.screenshot(path=folder / f"{width}-{scheme}-empty.png")
            for name, show in SCENES.items():
                with open_page(browser, url, width, scheme) as page:
                    stage(page, every_state)
                    page.evaluate(KEEP, [STAGED_USER, "0"])
                    page.reload()
                    wait_until_started(page)
                    show(page)
                    page.screenshot(path=folder / f"{width}-{scheme}-{name}.png")


@contextmanager
def service() -> Iterator[str]:
    if url := os.environ.get("SERVICE_URL"):
        yield url
        return
    with tempfile.TemporaryDirectory() as folder, Stack.on_free_ports(Path(folder)) as stack:
        yield stack.api_url


def main() -> None:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    with service() as url, sync_playwright() as playwright:
        browser = launch(playwright)
        take_unfinished(browser, url, folder)
        take(browser, url, folder)
        browser.close()
    README_PICTURE.parent.mkdir(exist_ok=True)
    shutil.copy(folder / "1024-light-list.png", README_PICTURE)


if __name__ == "__main__":
    main()
