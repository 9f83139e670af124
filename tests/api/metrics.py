"""Reads `/metrics`, and waits for values of it."""

import httpx
from prometheus_client.parser import text_string_to_metric_families

from tests.waiting import until


def metrics(client: httpx.Client) -> dict[str, dict[str, float]]:
    """Return the value of each metric by its only label."""
    answer = client.get("/metrics")
    assert answer.headers["Content-Type"].startswith("text/plain")
    return {
        family.name: {"".join(each.labels.values()): each.value for each in family.samples}
        for family in text_string_to_metric_families(answer.text)
    }


def until_waiting(client: httpx.Client, count: int = 1) -> None:
    """Return when the API of this client holds at least that many answers and event streams."""
    until(lambda: metrics(client)["wav2mp3_waiting_requests"][""] >= count)
