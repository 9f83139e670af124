"""The OpenAPI description at /openapi.json: tags, and the schemas of errors."""

from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from api.generators import suit_generators
from api.schemas import FilenameTakenProblem, NotReadyProblem, Problem, WaveformView
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


def schema_ref(model: type[BaseModel]) -> dict[str, str]:
    return {"$ref": REF_TEMPLATE.format(model=model.__name__)}


def complete_description(app: FastAPI, settings: Settings) -> None:
    """Add the schemas that `problems.responses` refers to, and the security that the settings ask for."""
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
        if settings.registration == "closed":
            schema["components"]["securitySchemes"] |= ADMIN_SCHEMES
            schema["paths"]["/users"]["post"]["security"] = [{name: []} for name in ADMIN_SCHEMES]
        if settings.link_ttl_s is not None:
            _describe_links(schema["paths"])
        suit_generators(schema)
        return schema

    app.openapi = openapi  # type: ignore[method-assign]


def _describe_links(paths: dict[str, Any]) -> None:
    """Let a client authenticate where a signed link would open a record. Without LINK_TTL_S, nothing is needed."""
    tokens = paths["/users/me"]["get"]["security"]
    for methods in paths.values():
        for operation in methods.values():
            names = {parameter["name"] for parameter in operation.get("parameters", ())}
            if "signature" in names:
                operation["security"] = [{}, *tokens]
