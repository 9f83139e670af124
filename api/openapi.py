"""The OpenAPI description at /openapi.json: tags, and the schemas of errors."""

from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from api.generators import suit_generators
from api.schemas import FilenameTakenProblem, NotReadyProblem, Problem, WaveformView

TAGS = [
    {"name": "users", "description": "Users own records. Each has an id and a secret token."},
    {
        "name": "records",
        "description": "A record is one uploaded WAV and its conversion: upload, follow, download, list, delete.",
    },
    {"name": "health", "description": "Liveness, readiness and Prometheus metrics, for operators."},
]
REF_TEMPLATE = "#/components/schemas/{model}"


def schema_ref(model: type[BaseModel]) -> dict[str, str]:
    return {"$ref": REF_TEMPLATE.format(model=model.__name__)}


def add_problem_schemas(app: FastAPI) -> None:
    """Add the schemas that `schema_ref` names. FastAPI knows only those of JSON answers."""
    models: list[Any] = [
        (model, "serialization")
        for model in (Problem, FilenameTakenProblem, NotReadyProblem, WaveformView)
    ]
    _, described = models_json_schema(models, ref_template=REF_TEMPLATE)
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        schema = generate()
        schema.setdefault("components", {}).setdefault("schemas", {}).update(described["$defs"])
        suit_generators(schema)
        return schema

    app.openapi = openapi  # type: ignore[method-assign]
