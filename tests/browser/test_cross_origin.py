"""A page of another origin, in Chromium: fetch, EventSource, and an upload with progress."""

from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from playwright.sync_api import Page

from tests.api.conftest import StartApi, start_api  # noqa: F401 -- a fixture
from tests.browser.conftest import WAV
from tests.conftest import User

SCRIPT = Path(__file__).with_name("cross_origin.js").read_text()
CALL = "([url, user, bytes]) => useService(url, user, bytes)"
BLOCKED = "url => fetch(url).then(() => 'read', () => 'blocked')"


class Silent(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A site of its own, with one empty page."""
    folder = tmp_path_factory.mktemp("site")
    (folder / "index.html").write_text("<!doctype html><title>elsewhere</title>")
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Silent, directory=folder)) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


@pytest.fixture
def elsewhere(tab: Page, origin: str) -> Page:
    tab.goto(origin)
    tab.add_script_tag(content=SCRIPT)
    return tab


@pytest.mark.parametrize("allowed", ["this origin", "*"])
def test_a_page_of_another_origin_uses_the_service(
    start_api: StartApi,  # noqa: F811
    origin: str,
    elsewhere: Page,
    allowed: str,
) -> None:
    origins = allowed if allowed == "*" else f"https://other.example,{origin}"
    user = start_api({"CORS_ORIGINS": origins}).user()
    seen = use(elsewhere, user)
    assert (seen["status"], seen["uploaded"]) == (202, 1)
    assert seen["events"][-1] == "done"
    assert seen["preference"] == "wait=5"
    status, start, disposition, etag = seen["mp3"]
    assert (status, start) == (206, "ID3")
    assert "far.mp3" in disposition
    assert etag
    assert seen["waveform"] == 2
    assert seen["errors"] == ["not_found", "bad_credentials", "not_json"]
    assert seen["deleted"] == 204


def use(page: Page, user: User) -> dict[str, Any]:
    url = str(user.client.base_url).rstrip("/")
    seen: dict[str, Any] = page.evaluate(
        CALL, [url, {"id": user.id, "token": user.token}, list(WAV)]
    )
    return seen


def test_other_pages_are_blocked_by_default(elsewhere: Page, service_url: str) -> None:
    assert elsewhere.evaluate(BLOCKED, f"{service_url}/health/live") == "blocked"
