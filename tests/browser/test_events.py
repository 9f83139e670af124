"""Real EventSources: they receive the last event, connect again as they always do, and stop at the 204."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Page

from tests.api.wire import SHORT_WAV
from tests.conftest import TIMEOUT_S, User

pytestmark = pytest.mark.exhaustive

SCRIPT = Path(__file__).with_name("event_source.js")
Follow = Callable[..., dict[str, Any]]


def follow_in_node(*urls: str) -> dict[str, Any]:
    node = shutil.which("node")
    if node is None:
        assert "CI" not in os.environ, "CI must have Node"
        pytest.skip("there is no Node on this machine")
    command = [node, "--experimental-eventsource", "--no-warnings", str(SCRIPT), *urls]
    output = subprocess.run(command, check=True, capture_output=True, timeout=TIMEOUT_S).stdout
    seen: dict[str, Any] = json.loads(output)
    return seen


@pytest.fixture(params=["chromium", "node"])
def follow(request: pytest.FixtureRequest) -> Follow:
    if request.param == "node":
        return follow_in_node
    tab: Page = request.getfixturevalue("tab")

    def in_chromium(*urls: str) -> dict[str, Any]:
        tab.goto("/icon.svg")
        tab.evaluate(SCRIPT.read_text() + "; globalThis.follow = follow;")
        seen: dict[str, Any] = tab.evaluate("urls => follow(...urls)", list(urls))
        return seen

    return in_chromium


def test_an_event_source_ends_after_done(follow: Follow, user: User, service_url: str) -> None:
    record_id = user.upload(SHORT_WAV).json()["id"]
    seen = follow(f"{service_url}/records/{record_id}/events")
    assert all(name == status for name, _, status in seen["events"])
    assert [name for name, _, _ in seen["events"]].count("done") == 1
    assert seen["events"][-1][0] == "done"
    assert seen["connections"] == 1


def test_an_event_source_sees_the_deletion(
    follow: Follow,
    user: User,
    service_url: str,
    frozen_workers: AbstractContextManager[None],
) -> None:
    with frozen_workers:
        record_id = user.upload(SHORT_WAV).json()["id"]
        link = f"{service_url}/records/{record_id}"
        seen = follow(f"{link}/events", f"{link}?{urlencode(user.credentials)}")
    # The place in the queue may change, which is an event too.
    *waiting, last = [name for name, _, _ in seen["events"]]
    assert set(waiting) == {"queued"}
    assert last == "deleted"
