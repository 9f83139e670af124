"""Every state of the page, at every size: accessible, without sideways scrolling, under a strict policy."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import become_staged
from tests.browser.screenshots import SCENES, Scheme
from tests.browser.staged import ROWS, every_state, stage
from tests.browser.test_accessibility import violations

pytestmark = pytest.mark.exhaustive

SIZES: list[tuple[int, Scheme]] = [(360, "light"), (1024, "light"), (1024, "dark"), (2000, "dark")]


@pytest.mark.parametrize("scene", SCENES)
def test_every_state_is_accessible_under_the_policy(strict: Page, scene: str) -> None:
    strict.emulate_media(reduced_motion="reduce")
    strict.set_viewport_size({"width": SIZES[0][0], "height": 768})
    stage(strict, lambda: every_state(ROWS))
    become_staged(strict)
    SCENES[scene](strict)
    for width, scheme in SIZES:
        strict.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        strict.set_viewport_size({"width": width, "height": 768})
        assert strict.evaluate("document.documentElement.scrollWidth") <= width
        # The scheme changes only colours.
        rules = ["color-contrast"] if (width, scheme) == (1024, "dark") else []
        assert violations(strict, *rules) == [], (width, scheme)
    expect(strict.locator("#favicon")).to_have_attribute("href", re.compile("^data:image/png"))
    strict.keyboard.press("Escape")
    assert strict.evaluate("window.violations") == []
