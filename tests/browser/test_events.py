"""Real EventSources: they receive the last event, connect again as they always do, and stop at the 204."""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from tests.api.wire import SHORT_WAV
from tests.conftest import TIMEOUT_S, User

SCRIPT = Path(__file__).with_name("event_source.js")
Follow = Callable[[str], dict[str, Any]]


def follow_in_node(url: str) -> dict[str, Any]:
    node = shutil.which("node")
    if node is None:
        assert "CI" not in os.environ, "CI must have Node"
        pytest.skip("there is no Node on this machine")
    command = [node, "--experimental-eventsource", "--no-warnings", str(SCRIPT), url]
    output = subprocess.run(command, check=True, capture_output=True, timeout=TIMEOUT_S).stdout
    seen: dict[str, Any] = json.loads(output)
    return seen


@pytest.fixture(params=["chromium", "node"])
def follow(request: pytest.FixtureRequest) -> Follow:
    if request.param == "node":
        return follow_in_node
    page: Page = request.getfixturevalue("page")

    def in_chromium(url: str) -> dict[str, Any]:
        page.evaluate(SCRIPT.read_text() + "; globalThis.follow = follow;")
        seen: dict[str, Any] = page.evaluate("url => follow(url)", url)
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
    def delete() -> None:
        time.sleep(2)
        user.client.delete(f"/records/{record_id}", params=user.credentials)

    with frozen_workers, ThreadPoolExecutor(1) as thread:
        record_id = user.upload(SHORT_WAV).json()["id"]
        deleting = thread.submit(delete)
        seen = follow(f"{service_url}/records/{record_id}/events")
        deleting.result()
    assert [name for name, _, _ in seen["events"]] == ["queued", "deleted"]
