"""A real browser: the machine's Chromium. Without one these tests are skipped, but not in CI."""

import os
import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from uuid import UUID

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    CDPSession,
    Page,
    Playwright,
    Request,
    Route,
    expect,
    sync_playwright,
)

from tests.conftest import User
from tests.waiting import WITHIN_S, until
from tests.wavs import build, sine
from tests.worker.processes import suspended

QUIET = ["--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync"]
KEEP_USER = "user => localStorage.setItem('wav2mp3.user', JSON.stringify(user))"
STAGED_USER = {"id": str(UUID(int=0)), "token": "a-token-that-opens-nothing"}
# Makes the page ask for its records at once, or at the end of the poll that is under way.
POLL = "dispatchEvent(new Event('online'))"
WAV = build(sine(1000))
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; media-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


# An open Playwright keeps an event loop running, which breaks the asyncio tests of other folders in the same process.
@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    if _chromium() is None:
        assert "CI" not in os.environ, "CI must have a Chromium"
        pytest.skip("there is no Chromium on this machine")
    expect.set_options(timeout=1000 * WITHIN_S)
    with sync_playwright() as playwright:
        browser = launch(playwright)
        yield browser
        browser.close()


def launch(playwright: Playwright) -> Browser:
    """Start the machine's Chromium."""
    # As root, Chromium runs only without its sandbox.
    arguments = [*QUIET, "--no-sandbox"] if os.geteuid() == 0 else QUIET
    return playwright.chromium.launch(executable_path=_chromium(), args=arguments)


def _chromium() -> str | None:
    # The headless shell needs a third of the processor time, because it draws no window around the page.
    names = ("chromium-headless-shell", "chromium", "google-chrome")
    return next(filter(None, map(shutil.which, names)), None)


# A fresh profile for each test would fill its caches again, which takes longer than most tests.
@pytest.fixture(scope="package")
def profile(browser: Browser, service_url: str) -> Iterator[BrowserContext]:
    """The profile that all tests share, with the browser's caches."""
    with browser.new_context(
        accept_downloads=True, locale="en-GB", base_url=service_url
    ) as profile:
        profile.set_default_timeout(1000 * WITHIN_S)
        # The browser drops the caches of a profile that has no tab.
        profile.new_page()
        yield profile


@pytest.fixture
def tab(profile: BrowserContext) -> Iterator[Page]:
    """An empty tab of a profile without stored data; an error in its pages fails the test."""
    tab = profile.new_page()
    # Else the browser may open a file dialog before it has heard that a test waits for one.
    tab.on("filechooser", lambda _: None)
    stored = {"origin": "*", "storageTypes": "local_storage"}
    profile.new_cdp_session(tab).send("Storage.clearDataForOrigin", stored)
    try:
        yield tab
        assert [str(error) for error in tab.page_errors(filter="all")] == []
    finally:
        for each in profile.pages[1:]:
            each.close()
        profile.set_offline(offline=False)
        profile.clear_permissions()


@pytest.fixture
def page(tab: Page) -> Page:
    """The service's page, opened by somebody new."""
    tab.goto("/")
    wait_until_started(tab)
    return tab


@pytest.fixture
def strict(tab: Page, service_url: str) -> Page:
    """A tab that gets the service's page with this policy; `window.violations` lists each violation."""

    def add_policy(route: Route) -> None:
        answer = route.fetch()
        headers = {**answer.headers, "content-security-policy": POLICY}
        route.fulfill(response=answer, headers=headers)

    tab.route(f"{service_url}/", add_policy)
    tab.add_init_script("""
      window.violations = [];
      addEventListener("securitypolicyviolation", (event) => {
        window.violations.push(`${event.violatedDirective} ${event.blockedURI}`);
      });
    """)
    return tab


@pytest.fixture
def frozen_workers(request: pytest.FixtureRequest) -> AbstractContextManager[None]:
    """Return a context manager: while it is open, every record waits."""
    if "SERVICE_URL" in os.environ:
        pytest.skip("the workers of a named service are not ours to freeze")
    stack = request.getfixturevalue("stack")
    return suspended(stack.pid("worker"), stack.pid("clips"))


@pytest.fixture
def wav(tmp_path: Path) -> Path:
    """A short WAV, "one.wav"."""
    path = tmp_path / "one.wav"
    path.write_bytes(WAV)
    return path


@pytest.fixture
def wavs(tmp_path: Path) -> list[Path]:
    """Ten WAVs of 1 s each, "take 0.wav" to "take 9.wav"."""
    paths = [tmp_path / f"take {number}.wav" for number in range(10)]
    content = build(sine(44100))
    for path in paths:
        path.write_bytes(content)
    return paths


class HeldUploads:
    """Holds uploads that have begun, until they are released."""

    def __init__(self, page: Page) -> None:
        self._held: list[Route] = []
        self._are_released = False
        page.route("**/record?*user_id=*", self._hold)

    def _hold(self, route: Route) -> None:
        if self._are_released or route.request.method != "POST":
            route.continue_()
        else:
            self._held.append(route)

    def release(self) -> None:
        self._are_released = True
        for route in self._held:
            route.continue_()


def wait_until_started(page: Page) -> None:
    """Wait for the texts, which the page fills when it starts."""
    expect(page.locator("#drop-title")).not_to_be_empty()


def wait_for(page: Page, expression: str) -> None:
    """Wait until a JavaScript expression is true. `wait_for_function` is blocked by the Content-Security-Policy."""
    until(lambda: page.evaluate(expression))


def become(page: Page, user: User, url: str = "") -> None:
    """Open the service's page as this user."""
    _open_as(page, {"id": user.id, "token": user.token}, url)


def become_staged(page: Page) -> None:
    """Open the service's page as a user that the service does not know, for staged records."""
    _open_as(page, STAGED_USER, "")


def _open_as(page: Page, user: dict[str, str], url: str) -> None:
    # A document of the same origin that loads fast
    page.goto(f"{url}/icon.svg")
    page.evaluate(KEEP_USER, user)
    page.goto(f"{url}/")
    wait_until_started(page)


def drop(page: Page, selector: str, *paths: Path) -> None:
    """Drop files like the system's file manager. A synthetic event would not make the browser open the file."""
    drag(page, selector, paths, "dragEnter", "dragOver", "drop")


def drag(page: Page, selector: str, paths: tuple[Path, ...], *kinds: str) -> None:
    box = page.locator(selector).bounding_box()
    assert box is not None
    dragged = {"items": [], "files": [str(path) for path in paths], "dragOperationsMask": 1}
    session = page.context.new_cdp_session(page)
    for kind in kinds:
        place = {"type": kind, "x": box["x"] + 5, "y": box["y"] + 5}
        session.send("Input.dispatchDragEvent", {**place, "data": dragged})


def count_uploads(page: Page) -> list[str]:
    """Return a list that grows by the URL of each POST of the page."""
    urls: list[str] = []

    def note(request: Request) -> None:
        if request.method == "POST":
            urls.append(request.url)

    page.on("request", note)
    return urls


def throttle(page: Page, upload_bytes_per_s: int) -> CDPSession:
    """Slow down the uploads of the page, until the session that it returns is detached."""
    session = page.context.new_cdp_session(page)
    limits = {"offline": False, "latency": 0, "downloadThroughput": -1}
    session.send(
        "Network.emulateNetworkConditions", {**limits, "uploadThroughput": upload_bytes_per_s}
    )
    return session
