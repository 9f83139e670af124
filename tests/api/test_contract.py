"""What /openapi.json promises, held against what the service answers to generated requests."""

from typing import Any

import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.strategies import SearchStrategy
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]


def test_the_service_answers_as_it_is_described(service_url: str) -> None:
    described = schemathesis.openapi.from_url(f"{service_url}/openapi.json")
    names = set()
    for found in described.get_all_operations():
        assert isinstance(found, Ok)
        operation = found.ok()
        names.add(operation.label)
        _hold(operation.as_strategy() | operation.as_strategy(GenerationMode.NEGATIVE))
    assert {"POST /users", "POST /record", "GET /records/{record_id}"} <= names


def _hold(cases: SearchStrategy[schemathesis.Case[Any]]) -> None:
    @given(cases)
    @settings(
        max_examples=30,
        derandomize=True,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def holds(case: schemathesis.Case[Any]) -> None:
        case.call_and_validate(checks=CHECKS)

    holds()
