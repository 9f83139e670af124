"""A real browser: the machine's Chromium. Without one these tests are skipped, but not in CI."""

import os
import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager

import pytest
from playwright.sync_api import Browser, Page, Route, expect, sync_playwright

from tests.conftest import User
from tests.waiting import WITHIN_S
from tests.worker.processes import suspended

QUIET = ["--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync"]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        assert "CI" not in os.environ, "CI must have a Chromium"
        pytest.skip("there is no Chromium on this machine")
    # As root, Chromium runs only without its sandbox.
    arguments = [*QUIET, "--no-sandbox"] if os.geteuid() == 0 else QUIET
    expect.set_options(timeout=1000 * WITHIN_S)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=arguments)
        yield browser
        browser.close()


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


@pytest.fixture
def frozen_workers(request: pytest.FixtureRequest) -> AbstractContextManager[None]:
    """Return a context manager: while it is open, every record waits."""
    if "SERVICE_URL" in os.environ:
        pytest.skip("the workers of a named service are not ours to freeze")
    stack = request.getfixturevalue("stack")
    return suspended(stack.pid("worker"), stack.pid("clips"))


class HeldUploads:
    """Hold uploads after their start, until they are released."""

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
    """Give the page to this user."""
    keep = "user => localStorage.setItem('wav2mp3.user', JSON.stringify(user))"
    page.evaluate(keep, {"id": user.id, "token": user.token})
    page.reload()
