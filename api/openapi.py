"""The OpenAPI description at /openapi.json: tags, headers, successful answers, and the schemas of errors."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from api.generators import binary_content, suit_generators
from api.schemas import (
    RECORD_ID,
    STATUS_LINK,
    FilenameTakenProblem,
    NotReadyProblem,
    Problem,
    WaveformView,
)
from shared.settings import Settings

TAGS = [
    {"name": "users", "description": "Users own records. Each has an id and a secret token."},
    {
        "name": "records",
        "description": "A record is one uploaded WAV and its conversion: upload, follow, download, list, delete.",
    },
    {
        "name": "webhooks",
        "description": "Events that the service posts to the `callback_url` of an upload.",
    },
    {"name": "health", "description": "Liveness, readiness and Prometheus metrics, for operators."},
]
ADMIN_SCHEMES = {
    "admin_bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "The operator's ADMIN_TOKEN as a Bearer token.",
    },
    "admin_header": {
        "type": "apiKey",
        "in": "header",
        "name": "X-Admin-Token",
        "description": "The operator's ADMIN_TOKEN.",
    },
}
REF_TEMPLATE = "#/components/schemas/{model}"
HEADER_DESCRIPTIONS = {
    "Accept-Ranges": ("`bytes`: the service answers Range.", "string", "bytes"),
    "Content-Disposition": ("Has the filename.", "string", 'attachment; filename="song.mp3"'),
    "Content-Range": (
        "The range that is sent, and the size of the MP3.",
        "string",
        "bytes 0-999/5064912",
    ),
    "ETag": (
        "Identifies the MP3, which never changes. For If-None-Match and If-Range.",
        "string",
        f'"{RECORD_ID}"',
    ),
    "Idempotency-Replayed": (
        "`true` if an earlier request with the same Idempotency-Key got this answer, else missing.",
        "string",
        "true",
    ),
    "Last-Modified": (
        "Time at which the MP3 was ready.",
        "string",
        "Sat, 28 Nov 2026 12:00:04 GMT",
    ),
    "Location": ("The record's `status_link`.", "string", STATUS_LINK),
    "Preference-Applied": (
        "The preference `wait` as the service applied it.",
        "string",
        "wait=10",
    ),
    "Retry-After": ("Seconds after which to send the request again.", "integer", 5),
    "WWW-Authenticate": ("The scheme of the token.", "string", "Bearer"),
}
"""The description, type and an example of each header that an answer may have."""


def schema_ref(model: type[BaseModel]) -> dict[str, str]:
    return {"$ref": REF_TEMPLATE.format(model=model.__name__)}


def success(
    status: int, description: str, *headers: str, media_type: str | None = None
) -> dict[int | str, dict[str, Any]]:
    """Describe an endpoint's successful answer, its headers, and its media type if that is not JSON."""
    described: dict[str, Any] = {"description": description}
    if headers:
        described["headers"] = describe_headers(headers)
    if media_type is not None:
        is_text = media_type.startswith("text/")
        described["content"] = {media_type: {}} if is_text else binary_content(media_type)
    return {status: described}


def describe_headers(names: Iterable[str]) -> dict[str, Any]:
    return {name: _header(*HEADER_DESCRIPTIONS[name]) for name in names}


def _header(description: str, kind: str, example: object) -> dict[str, Any]:
    return {"description": description, "schema": {"type": kind}, "example": example}


def complete_description(
    app: FastAPI, settings: Settings, examples: Mapping[str, dict[str, Any]]
) -> None:
    """Add the schemas and examples of answers, and the security schemes that depend on the settings."""
    models: list[Any] = [
        (model, "serialization")
        for model in (Problem, FilenameTakenProblem, NotReadyProblem, WaveformView)
    ]
    _, described = models_json_schema(models, ref_template=REF_TEMPLATE)
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        schema = generate()
        # FastAPI knows only the schemas of JSON answers.
        schema.setdefault("components", {}).setdefault("schemas", {}).update(described["$defs"])
        schema["components"]["examples"] = {
            code: {"value": example} for code, example in examples.items()
        }
        if settings.registration == "closed":
            schema["components"]["securitySchemes"] |= ADMIN_SCHEMES
            schema["paths"]["/users"]["post"]["security"] = [{name: []} for name in ADMIN_SCHEMES]
        if settings.link_ttl_s is not None:
            _describe_links(schema["paths"])
        _summarize(schema["paths"])
        suit_generators(schema)
        return schema

    app.openapi = openapi  # type: ignore[method-assign]


def _summarize(paths: dict[str, Any]) -> None:
    """Use the first sentence of each description as the summary. FastAPI uses the operation's name."""
    for methods in paths.values():
        for operation in methods.values():
            sentence = re.split(r"\.(?:\s|$)", operation["description"], maxsplit=1)[0]
            operation["summary"] = " ".join(sentence.split())


def _describe_links(paths: dict[str, Any]) -> None:
    """Add the credentials to calls that a signed link opens. Without LINK_TTL_S, these calls need no credentials."""
    tokens = paths["/users/me"]["get"]["security"]
    for methods in paths.values():
        for operation in methods.values():
            names = {parameter["name"] for parameter in operation.get("parameters", ())}
            if "signature" in names:
                operation["security"] = [{}, *tokens]
