"""A page whose scripts did not arrive says so, and loads again."""

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import wait_until_started
from tests.browser.relay import Relay
from tests.browser.test_languages import speak
from tests.waiting import until

pytestmark = pytest.mark.exhaustive

LOST = "Parts of this page did not arrive."
RELOADS = "sessionStorage.getItem('wav2mp3.reloads')"


@pytest.mark.parametrize("script", ["app.js", "row.js", "languages/en.js"])
def test_a_lost_script_loads_the_page_again(tab: Page, script: str) -> None:
    tab.route(f"**/{script}", lambda route: route.abort("connectionreset"))
    tab.goto("/", wait_until="commit")
    expect(tab.get_by_text(LOST)).to_be_visible()
    tab.unroute(f"**/{script}")
    wait_until_started(tab)
    expect(tab.get_by_text(LOST)).to_have_count(0)
    assert tab.evaluate(RELOADS) is None
    # The module that asks for a language ends with an error.
    tab.clear_page_errors()


def test_a_later_start_speaks_the_language(tab: Page) -> None:
    speak(tab, "de")
    tab.route("**/row.js", lambda route: route.abort("connectionreset"))
    tab.goto("/", wait_until="commit")
    expect(tab.get_by_text("Teile dieser Seite sind nicht angekommen.")).to_be_visible()
    expect(tab.locator("#loading")).to_have_attribute("lang", "de")
    tab.unroute("**/row.js")
    wait_until_started(tab)


def test_a_page_without_network_waits_for_it(tab: Page, service_url: str) -> None:
    held: list[Route] = []
    tab.route("**/uploads.js", lambda route: held.append(route), times=1)  # noqa: PLW0108 -- Playwright sets attributes
    with Relay(int(service_url.rsplit(":", 1)[1])) as relay:
        # The network must not fail before the page and its recovery have arrived.
        with tab.expect_event("requestfinished", lambda request: "/recovery.js" in request.url):
            tab.goto(relay.url, wait_until="commit")
        until(lambda: tab.evaluate("document.readyState") == "interactive" and held)
        relay.cut()
        held[0].continue_()
        expect(tab.get_by_text(LOST)).to_be_visible()
        with tab.expect_event("requestfailed", lambda request: request.url == f"{relay.url}/"):
            pass
        expect(tab.get_by_text(LOST)).to_be_visible()
        relay.mend()
        wait_until_started(tab)


def test_a_missing_script_is_requested_less_often(tab: Page) -> None:
    # The page does not reload after the longest pause: a tab that reloads all the time may never close.
    tab.add_init_script("""
      const { setTimeout } = window;
      window.setTimeout = (run, ms) => { console.info(ms); if (ms < 30000) setTimeout(run, 0); };
    """)
    pauses: list[str] = []
    tab.on("console", lambda said: pauses.append(said.text) if said.type == "info" else None)
    tab.route("**/row.js", lambda route: route.fulfill(status=404))
    with tab.expect_console_message(lambda said: said.text == "30000"):
        tab.goto("/", wait_until="commit")
    assert pauses == ["1000", "2000", "4000", "8000", "16000", "30000"]


def test_a_slow_start_offers_to_load_again(tab: Page) -> None:
    held: list[Route] = []

    def hold_first(route: Route) -> None:
        if held:
            route.continue_()
        else:
            held.append(route)

    tab.route("**/row.js", hold_first)
    tab.goto("/", wait_until="commit")
    # Until the styles arrive, nothing is drawn.
    expect(tab.locator("#loading")).to_have_css("position", "fixed")
    tab.get_by_role("link", name="load it again").click()
    wait_until_started(tab)
