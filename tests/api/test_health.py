from uuid import uuid4

import httpx
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import create_engine, text

from local.stack import Stack
from tests.api.wire import SHORT_WAV, eventually, refused
from tests.conftest import User

COMPONENTS = {"postgresql", "redis", "volume", "workers", "sweeper"}


def test_a_live_process_says_so(client: httpx.Client) -> None:
    answer = client.get("/health/live")
    assert answer.status_code == 200
    assert answer.json() == {"status": "ok"}


def test_a_ready_service_lists_its_components(client: httpx.Client) -> None:
    answer = client.get("/health/ready")
    assert answer.status_code == 200
    assert set(answer.json()) == COMPONENTS
    assert set(answer.json().values()) == {"ok"}


def test_what_is_not_ready_is_described(client: httpx.Client) -> None:
    answers = client.get("/openapi.json").json()["paths"]["/health/ready"]["get"]["responses"]
    described = answers["503"]["content"]["application/problem+json"]["schema"]["properties"]
    assert set(described) >= {"code", "detail", *COMPONENTS}


def test_without_redis_the_service_is_not_ready_but_takes_uploads(stack: Stack, user: User) -> None:
    stack.supervisor.stopProcess("valkey")
    try:
        answer = user.client.get("/health/ready")
        accepted = user.upload(SHORT_WAV)
    finally:
        stack.supervisor.startProcess("valkey")
    refused(answer, 503, "not_ready")
    assert answer.json()["redis"] == "not ready"
    assert answer.json()["postgresql"] == "ok"
    assert accepted.status_code == 202
    eventually(stack.is_ready)
    assert user.wait(accepted.json()["id"])["status"] == "done"


def test_without_postgresql_every_call_says_so_and_comes_back(stack: Stack, user: User) -> None:
    stack.supervisor.stopProcess("postgres")
    try:
        ready = user.client.get("/health/ready")
        answers = [user.upload(SHORT_WAV), user.client.get(f"/records/{uuid4()}")]
        assert user.client.get("/health/live").is_success
    finally:
        stack.supervisor.startProcess("postgres")
    assert ready.status_code == 503
    assert ready.json()["postgresql"] == "not ready"
    for answer in answers:
        refused(answer, 503, "unavailable")
        assert int(answer.headers["Retry-After"]) > 0
    eventually(stack.is_ready, within_s=30)
    assert user.wait(user.upload(SHORT_WAV).json()["id"])["status"] == "done"


def test_without_sweeps_the_service_is_not_ready(stack: Stack, client: httpx.Client) -> None:
    stack.supervisor.stopProcess("sweeper")
    try:
        _make_last_sweep_older(stack)
        answer = client.get("/health/ready")
        silence_s = _metrics(client)["wav2mp3_seconds_since_sweep"].samples[0].value
    finally:
        stack.supervisor.startProcess("sweeper")
    refused(answer, 503, "not_ready")
    assert {name for name in COMPONENTS if answer.json()[name] != "ok"} == {"sweeper"}
    assert silence_s > 60
    eventually(stack.is_ready)
    assert _metrics(client)["wav2mp3_seconds_since_sweep"].samples[0].value < 60


def _make_last_sweep_older(stack: Stack) -> None:
    engine = create_engine(stack.environment["DATABASE_URL"])
    with engine.begin() as connection:
        older = "UPDATE workers SET seen_at = seen_at - interval '2 min' WHERE role = 'sweeper'"
        connection.execute(text(older))
    engine.dispose()


def _metrics(client: httpx.Client) -> dict[str, Metric]:
    answer = client.get("/metrics")
    assert answer.headers["Content-Type"].startswith("text/plain")
    return {family.name: family for family in text_string_to_metric_families(answer.text)}


def test_metrics_count_what_there_is(client: httpx.Client, user: User) -> None:
    user.wait(user.upload(SHORT_WAV).json()["id"])
    families = _metrics(client)
    assert {sample.labels["status"] for sample in families["wav2mp3_records"].samples} >= {"done"}
    (alive,) = families["wav2mp3_workers"].samples
    assert alive.value >= 1
    (free,) = families["wav2mp3_media_free_bytes"].samples
    assert free.value > 0
