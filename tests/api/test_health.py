import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from uuid import uuid4

import httpx
from sqlalchemy import create_engine, text

from local.stack import Stack
from shared import queue
from tests.api.metrics import metrics, until_waiting
from tests.api.wire import SHORT_WAV, eventually, refused
from tests.conftest import User

COMPONENTS = {"postgresql", "redis", "volume", "workers", "sweeper", "deliveries"}


def test_a_live_process_answers(client: httpx.Client) -> None:
    answer = client.get("/health/live")
    assert answer.status_code == 200
    assert answer.json() == {"status": "ok"}


def test_readiness_lists_every_component(client: httpx.Client) -> None:
    answer = client.get("/health/ready")
    assert answer.status_code == 200
    assert set(answer.json()) == COMPONENTS
    assert set(answer.json().values()) == {"ok"}


def test_openapi_describes_the_not_ready_answer(client: httpx.Client) -> None:
    description = client.get("/openapi.json").json()
    answers = description["paths"]["/health/ready"]["get"]["responses"]
    schema = answers["503"]["content"]["application/problem+json"]["schema"]
    assert {"$ref": "#/components/schemas/NotReadyProblem"} in schema["anyOf"]
    described = description["components"]["schemas"]["NotReadyProblem"]["properties"]
    assert set(described) >= {"code", "detail", *COMPONENTS}


def test_uploads_are_accepted_without_redis(stack: Stack, user: User) -> None:
    stack.supervisor.stopProcess("valkey")
    try:
        answer = user.client.get("/health/ready")
        accepted = user.upload(SHORT_WAV)
    finally:
        stack.supervisor.startProcess("valkey")
    refused(answer, 503, "not_ready")
    assert answer.json()["redis"] == "not ready"
    assert answer.json()["postgresql"] == "ok"
    assert answer.json()["reasons"] == {"redis": "Redis does not answer."}
    assert accepted.status_code == 202
    eventually(stack.is_ready)
    assert user.wait(accepted.json()["id"])["status"] == "done"


def test_the_api_recovers_from_a_database_outage(stack: Stack, user: User) -> None:
    stack.supervisor.stopProcess("postgres")
    try:
        ready = user.client.get("/health/ready")
        answers = [user.upload(SHORT_WAV), user.client.get(f"/records/{uuid4()}")]
        assert user.client.get("/health/live").is_success
    finally:
        stack.supervisor.startProcess("postgres")
    assert ready.status_code == 503
    assert ready.json()["postgresql"] == "not ready"
    assert ready.json()["reasons"]["workers"] == "The database does not answer."
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
        silence_s = metrics(client)["wav2mp3_seconds_since_sweep"][""]
    finally:
        stack.supervisor.startProcess("sweeper")
    refused(answer, 503, "not_ready")
    assert {name for name in COMPONENTS if answer.json()[name] != "ok"} == {"sweeper"}
    assert re.fullmatch(r"The last sweep was \d+ s ago\.", answer.json()["reasons"]["sweeper"])
    assert silence_s > 60
    eventually(stack.is_ready)
    assert metrics(client)["wav2mp3_seconds_since_sweep"][""] < 60


def _make_last_sweep_older(stack: Stack) -> None:
    engine = create_engine(stack.environment["DATABASE_URL"])
    with engine.begin() as connection:
        older = "UPDATE workers SET seen_at = seen_at - interval '2 min' WHERE role = 'sweeper'"
        connection.execute(text(older))
    engine.dispose()


def test_metrics_report_the_current_state(client: httpx.Client, user: User) -> None:
    before = metrics(client)
    for filename in ("a.wav", "b.wav"):
        user.wait(user.upload(SHORT_WAV, filename).json()["id"])
    after = metrics(client)
    assert after["wav2mp3_records"]["done"] == before["wav2mp3_records"]["done"] + 2
    assert after["wav2mp3_workers"][""] >= 1
    assert after["wav2mp3_media_free_bytes"][""] > 10**6


def test_metrics_report_states_without_rows(client: httpx.Client) -> None:
    reported = metrics(client)
    assert {"expired", "failed"} <= {*reported["wav2mp3_records"]}
    assert {*reported["wav2mp3_jobs"]} == {"held", "ready", "running"}
    assert {*reported["wav2mp3_deliveries"]} == {"ready", "running", "done", "failed"}


def test_metrics_show_how_long_jobs_wait(
    client: httpx.Client, user: User, frozen_workers: AbstractContextManager[None]
) -> None:
    with frozen_workers:
        record_id = user.upload(SHORT_WAV).json()["id"]
        waited_s = metrics(client)["wav2mp3_oldest_ready_job_seconds"]
    user.wait(record_id)
    assert {*waited_s} == {*queue.ALL}
    assert 0 < waited_s["clips"] < 60
    assert metrics(client)["wav2mp3_oldest_ready_job_seconds"]["clips"] == 0


def test_metrics_count_stored_bytes(client: httpx.Client, user: User) -> None:
    before = metrics(client)["wav2mp3_stored_bytes"][""]
    mp3 = user.convert(SHORT_WAV)
    assert metrics(client)["wav2mp3_stored_bytes"][""] == before + len(mp3)


def test_metrics_count_waiting_requests(
    client: httpx.Client, user: User, frozen_workers: AbstractContextManager[None]
) -> None:
    with frozen_workers, ThreadPoolExecutor(1) as thread:
        record = f"/records/{user.upload(SHORT_WAV).json()['id']}"
        held = thread.submit(client.get, record, headers={"Prefer": "wait=30"})
        until_waiting(client)
        client.delete(record, params=user.credentials)
        refused(held.result(timeout=25), 410, "record_gone")
    eventually(lambda: metrics(client)["wav2mp3_waiting_requests"] == {"": 0})
