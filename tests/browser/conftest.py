"""A real browser: the machine's Chromium. Without one these tests are skipped, but not in CI."""

import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest
from playwright.sync_api import Browser, Page, Playwright, Route, sync_playwright

from local.stack import Stack
from tests.conftest import User

QUIET = ["--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync"]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    if _chromium() is None:
        assert "CI" not in os.environ, "CI must have a Chromium"
        pytest.skip("there is no Chromium on this machine")
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
    return shutil.which("chromium") or shutil.which("google-chrome")


@pytest.fixture
def page(browser: Browser, service_url: str) -> Iterator[Page]:
    """The service's page in a fresh profile; an error on its console fails the test."""
    with browser.new_context(accept_downloads=True) as context:
        page = context.new_page()
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(service_url)
        yield page
        assert errors == []


@contextmanager
def _frozen(stack: Stack) -> Iterator[None]:
    groups = [stack.pid(program) for program in ("worker", "clips")]
    for group in groups:
        os.killpg(group, signal.SIGSTOP)
    try:
        yield
    finally:
        for group in groups:
            os.killpg(group, signal.SIGCONT)


@pytest.fixture
def frozen_workers(request: pytest.FixtureRequest) -> AbstractContextManager[None]:
    """While they are, every record waits."""
    if "SERVICE_URL" in os.environ:
        pytest.skip("the workers of a named service are not ours to freeze")
    return _frozen(request.getfixturevalue("stack"))


class HeldUploads:
    """Uploads that have begun and do not get on until they are released."""

    def __init__(self, page: Page) -> None:
        self._held: list[Route] = []
        self._are_released = False
        page.route("**/record?user_id=*", self._hold)

    def _hold(self, route: Route) -> None:
        if self._are_released:
            route.continue_()
        else:
            self._held.append(route)

    def release(self) -> None:
        self._are_released = True
        for route in self._held:
            route.continue_()


def become(page: Page, user: User) -> None:
    """The page is this user's from now on."""
    keep = "user => localStorage.setItem('wav2mp3.user', JSON.stringify(user))"
    page.evaluate(keep, {"id": user.id, "token": user.token})
    page.reload()
