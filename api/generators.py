"""Makes the OpenAPI description fit for generators of clients, such as openapi-python-client and openapi-typescript."""

from collections.abc import Iterator
from typing import Any

Json = dict[str, Any]


def binary_content(media_type: str) -> Json:
    """Describe a body of bytes.

    openapi-python-client knows binary bodies only as application/octet-stream. It ignores a type that it does not
    know if there is another one.
    """
    body = {"schema": {"type": "string", "format": "binary"}}
    return {media_type: body, "application/octet-stream": body}


def suit_generators(description: Json) -> None:
    """Share the schemas of bodies, and remove null from the parameters."""
    for operation in _operations(description):
        _share_body(description["components"]["schemas"], operation)
        for parameter in operation.get("parameters", []):
            _remove_null(parameter["schema"])


def _operations(description: Json) -> Iterator[Json]:
    for operations in description["paths"].values():
        yield from operations.values()


def _share_body(schemas: Json, operation: Json) -> None:
    """Refer to the schema of a body by its title. Without a title, generators name the schema after the call."""
    for body in operation.get("requestBody", {}).get("content", {}).values():
        schema = body["schema"]
        if "title" in schema:
            schemas[schema["title"]] = schema
            body["schema"] = {"$ref": f"#/components/schemas/{schema['title']}"}


def _remove_null(schema: Json) -> None:
    """Remove null from a parameter. A query cannot send it, and generated clients have better types without it."""
    schemas = [each for each in schema.get("anyOf", []) if each != {"type": "null"}]
    if len(schemas) == 1:
        del schema["anyOf"]
        schema.update(schemas[0])
