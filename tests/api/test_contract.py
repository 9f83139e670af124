"""The answers to generated requests match /openapi.json."""

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.api.test_records import undecodable_wav
from tests.api.wire import SHORT_WAV
from tests.conftest import User

pytestmark = pytest.mark.exhaustive


def codes_are_listed(_: Any, answer: Any, case: Any) -> None:
    """Check that a problem's code is in the description of its status."""
    if answer.status_code < 400:
        return
    declared = case.operation.definition.raw["responses"][str(answer.status_code)]
    assert f"`{answer.json()['code']}`" in declared["description"], answer.text


CHECKS = [
    codes_are_listed,
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
SUCCESS = {
    "POST /users": 201,
    "GET /users/me": 200,
    "POST /users/me/webhook-secret": 201,
    "POST /users/me/tokens": 201,
    "GET /users/me/tokens": 200,
    "DELETE /users/me/tokens/{token_id}": 204,
    "POST /record": 202,
    "POST /records": 202,
    "PUT /mp3/{filename}": 200,
    "GET /records/{record_id}/mp3": 200,
    "GET /record": 200,
    "GET /records": 200,
    "GET /records/{record_id}": 200,
    "GET /records/{record_id}/events": 200,
    "DELETE /records/{record_id}": 204,
    "GET /records.zip": 200,
    "POST /records/{record_id}/retry": 202,
    "GET /records/{record_id}/waveform": 200,
    "GET /health/live": 200,
    "GET /health/ready": 200,
    "GET /metrics": 200,
}


def test_answers_match_the_openapi_description(service_url: str, user: User) -> None:
    """Send random values, and real credentials and records. Each operation must succeed at least once."""
    schema = schemathesis.openapi.from_url(f"{service_url}/openapi.json")
    done, doomed = (user.upload(SHORT_WAV, name).json()["id"] for name in ("a.wav", "b.wav"))
    tokens = "/users/me/tokens"
    another = user.client.post(tokens, params=user.credentials, json={"name": "another"}).json()
    failed = user.upload(undecodable_wav(), "c.wav").json()["id"]
    assert user.wait(failed)["status"] == "failed"
    real: dict[str, dict[str, Any]] = {
        "GET /users/me": {"query": user.credentials},
        "POST /users/me/webhook-secret": {"query": user.credentials},
        "POST /users/me/tokens": {"query": user.credentials, "body": {"name": "another"}},
        "GET /users/me/tokens": {"query": user.credentials},
        "DELETE /users/me/tokens/{token_id}": {
            "path_parameters": {"token_id": another["id"]},
            "query": user.credentials,
        },
        "POST /record": {
            "query": user.credentials,
            "body": {"wav_file": SHORT_WAV},
            "media_type": "multipart/form-data",
        },
        "POST /records": {
            "query": user.credentials | {"if_exists": "rename", "filename": "raw.wav"},
            "body": SHORT_WAV,
            "media_type": "application/octet-stream",
        },
        "PUT /mp3/{filename}": {
            "path_parameters": {"filename": "put.wav"},
            "query": user.credentials | {"if_exists": "rename"},
            "body": SHORT_WAV,
        },
        "GET /records/{record_id}/mp3": {"path_parameters": {"record_id": done}},
        "GET /record": {"query": {"id": done, "user_id": user.id}},
        "GET /records": {"query": user.credentials},
        "GET /records/{record_id}": {"path_parameters": {"record_id": done}},
        "GET /records/{record_id}/events": {"path_parameters": {"record_id": done}},
        "DELETE /records/{record_id}": {
            "path_parameters": {"record_id": doomed},
            "query": user.credentials,
        },
        "GET /records.zip": {"query": user.credentials},
        "GET /records/{record_id}/waveform": {"path_parameters": {"record_id": done}},
        "POST /records/{record_id}/retry": {
            "path_parameters": {"record_id": failed},
            "query": user.credentials,
        },
    }
    statuses = {}
    for found in schema.get_all_operations():
        assert isinstance(found, Ok)
        operation = found.ok()
        name = operation.label
        statuses[name] = _answers(operation, {}) | _answers(operation, real.get(name, {}))
    assert statuses.keys() == SUCCESS.keys()
    assert [name for name, status in SUCCESS.items() if status not in statuses[name]] == []


def _answers(operation: Any, values: dict[str, Any]) -> set[int]:
    """Send valid and invalid requests with these fixed values. Return the statuses of the answers."""
    statuses = set()

    @given(
        operation.as_strategy(**values) | operation.as_strategy(GenerationMode.NEGATIVE, **values)
    )
    @settings(
        max_examples=12,
        derandomize=True,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def check(case: schemathesis.Case[Any]) -> None:
        statuses.add(case.call_and_validate(checks=CHECKS).status_code)

    check()
    return statuses
