"""Describes the errors of each call for OpenAPI: their statuses, codes, headers and examples."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from api.openapi import describe_headers, schema_ref
from api.problems import HEADERS, STATUS, problem
from api.schemas import RECORD_ID, Components, FilenameTakenProblem, NotReadyProblem, Problem
from shared import errors
from shared.errors import Wav2mp3Error

SCHEMA: dict[type[Wav2mp3Error], type[Problem]] = {
    errors.FilenameTaken: FilenameTakenProblem,
    errors.NotReady: NotReadyProblem,
}
COMMON: tuple[type[Wav2mp3Error], ...] = (
    errors.BadRequest,
    errors.UnknownParameter,
    errors.Unavailable,
    errors.ShuttingDown,
    Wav2mp3Error,
)
"""The errors that every call may raise."""
FAILURES: tuple[type[Wav2mp3Error], ...] = (
    errors.NotAWav,
    errors.BadWav,
    errors.EncodeFailed,
    errors.Mp3TooLarge,
    errors.SourceLost,
)
"""The reasons why a record may fail. Its download has the same error."""


def responses(*raised: type[Wav2mp3Error]) -> dict[int | str, dict[str, Any]]:
    """Describe an endpoint's errors for OpenAPI."""
    by_status: dict[int, list[type[Wav2mp3Error]]] = {}
    for error in dict.fromkeys((*COMMON, *raised)):
        by_status.setdefault(STATUS[error].value, []).append(error)
    return {status: _describe(errors_of_status) for status, errors_of_status in by_status.items()}


def _describe(raised: Sequence[type[Wav2mp3Error]]) -> dict[str, Any]:
    codes = [f"- `{error.code}`: {error.message}" for error in raised]
    models = list(dict.fromkeys(SCHEMA.get(error, Problem) for error in raised))
    refs = [schema_ref(model) for model in models]
    schema = refs[0] if len(refs) == 1 else {"anyOf": refs}
    examples = {error.code: {"$ref": f"#/components/examples/{error.code}"} for error in raised}
    described: dict[str, Any] = {
        "description": "\n".join(codes),
        "content": {"application/problem+json": {"schema": schema, "examples": examples}},
    }
    if headers := dict.fromkeys(name for error in raised for name in _headers(error)):
        described["headers"] = describe_headers(headers)
    return described


def _headers(error: type[Wav2mp3Error]) -> Sequence[str]:
    """Return the names of the headers that an error's answer may have."""
    if issubclass(error, errors.TooManyRequests | errors.FilenameTaken):
        return ("Retry-After",)
    if issubclass(error, errors.BadRange):
        return ("Content-Range",)
    return tuple(HEADERS.get(error, {}))


def examples() -> dict[str, dict[str, Any]]:
    """Return an example of each problem by its code."""
    problems = {error.code: problem(error.code, error.message) for error in STATUS}
    taken = problems[errors.FilenameTaken.code].model_dump()
    problems[errors.FilenameTaken.code] = FilenameTakenProblem(
        **taken | {"detail": errors.FilenameTaken.message}, record_id=UUID(RECORD_ID)
    )
    not_ready = problems[errors.NotReady.code].model_dump()
    states = dict.fromkeys(Components.model_fields, "ok") | {"redis": "not ready"}
    reasons = {"redis": "Redis does not answer."}
    problems[errors.NotReady.code] = NotReadyProblem(**not_ready, **states, reasons=reasons)
    return {code: each.model_dump(mode="json") for code, each in problems.items()}
