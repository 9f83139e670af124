"""Explains the errors that Pydantic finds in a request, in plain words."""

from collections.abc import Mapping, Sequence
from typing import Any

PLACES = ("path", "query", "header", "body", "form")
UUID = "must be a UUID. Use the id or the link unchanged"
WHOLE = "must be a whole number"
NUMBER = "must be a number"
BOOLEAN = "must be true or false"
TEXT = "must be text"
LISTED = "must be {expected}"
OBJECT = "must be a JSON object"
PREDICATES = {
    "missing": "is missing",
    "uuid_parsing": UUID,
    "uuid_type": UUID,
    "int_parsing": WHOLE,
    "int_parsing_size": WHOLE,
    "int_from_float": WHOLE,
    "int_type": WHOLE,
    "float_parsing": NUMBER,
    "float_type": NUMBER,
    "finite_number": NUMBER,
    "bool_parsing": BOOLEAN,
    "bool_type": BOOLEAN,
    "string_type": TEXT,
    "string_too_short": "must not be empty",
    "string_too_long": "must have at most {max_length} characters",
    "string_pattern_mismatch": "has a character that is not allowed",
    "literal_error": LISTED,
    "enum": LISTED,
    "greater_than": "must be more than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "model_type": OBJECT,
    "dict_type": OBJECT,
}
"""The rest of the sentence for each common type of error."""


def explain(wrong: Sequence[Mapping[str, Any]]) -> str:
    """Return a sentence for each error."""
    return " ".join(dict.fromkeys(_sentence(each) for each in wrong))


def _sentence(wrong: Mapping[str, Any]) -> str:
    names = [part for part in wrong["loc"] if isinstance(part, str)]
    if names and names[0] in PLACES:
        del names[0]
    subject = f"`{names[0]}`" if names else "The body"
    predicate = PREDICATES.get(wrong["type"])
    if predicate is None:
        return f"{subject} is wrong: {wrong['msg'].removesuffix('.')}."
    return f"{subject} {predicate.format_map(wrong.get('ctx', {}))}."
