"""The OpenAPI description at /openapi.json: tags, and the schemas of errors."""

from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

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
REFERRED = (Problem, FilenameTakenProblem, NotReadyProblem, WaveformView)
"""The models of answers that FastAPI does not know, because it does not write them."""


def schema_ref(model: type[BaseModel]) -> dict[str, str]:
    return {"$ref": REF_TEMPLATE.format(model=model.__name__)}


def binary_content(media_type: str) -> dict[str, Any]:
    """Describe a body of bytes.

    openapi-python-client knows binary bodies only as application/octet-stream. It ignores a type that it does not
    know if there is another one.
    """
    body = {"schema": {"type": "string", "format": "binary"}}
    return {media_type: body, "application/octet-stream": body}


def _remove_null(schema: dict[str, Any]) -> None:
    """A query cannot send null, and generated clients make worse types of values that may be null."""
    schemas = [each for each in schema.get("anyOf", []) if each != {"type": "null"}]
    if len(schemas) == 1:
        del schema["anyOf"]
        schema.update(schemas[0])


def add_problem_schemas(app: FastAPI) -> None:
    """Add the schemas that `schema_ref` names, share those of bodies, and remove null from the parameters."""
    models: list[Any] = [(model, "serialization") for model in REFERRED]
    _, described = models_json_schema(models, ref_template=REF_TEMPLATE)
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        schema = generate()
        schema.setdefault("components", {}).setdefault("schemas", {}).update(described["$defs"])
        for operation in _operations(schema):
            _share_body(schema["components"]["schemas"], operation)
            for parameter in operation.get("parameters", []):
                _remove_null(parameter["schema"])
        return schema

    app.openapi = openapi  # type: ignore[method-assign]


def _operations(description: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for operations in description["paths"].values():
        yield from operations.values()


def _share_body(schemas: dict[str, Any], operation: dict[str, Any]) -> None:
    """Refer to the schema of a body by its title. Generators name the others after the call."""
    for body in operation.get("requestBody", {}).get("content", {}).values():
        schema = body["schema"]
        if "title" in schema:
            schemas[schema["title"]] = schema
            body["schema"] = {"$ref": REF_TEMPLATE.format(model=schema["title"])}
