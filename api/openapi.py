"""The OpenAPI description at /openapi.json: tags, and the schemas of errors."""

from typing import Any

from fastapi import FastAPI
from pydantic.json_schema import models_json_schema

from api.schemas import FilenameTakenProblem, NotReadyProblem, Problem

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
REF_TEMPLATE = "#/components/schemas/{model}"


def schema_ref(model: type[Problem]) -> dict[str, str]:
    return {"$ref": REF_TEMPLATE.format(model=model.__name__)}


def add_problem_schemas(app: FastAPI) -> None:
    """Add the schemas that `problems.responses` refers to. FastAPI knows only those of JSON answers."""
    models: list[Any] = [
        (model, "serialization") for model in (Problem, FilenameTakenProblem, NotReadyProblem)
    ]
    _, described = models_json_schema(models, ref_template=REF_TEMPLATE)
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        schema = generate()
        schema.setdefault("components", {}).setdefault("schemas", {}).update(described["$defs"])
        return schema

    app.openapi = openapi  # type: ignore[method-assign]
