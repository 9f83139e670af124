"""Refuses query parameters and form fields that a call does not have, so that a misspelt one is not ignored."""

from collections.abc import Callable, Collection
from difflib import get_close_matches
from typing import Any, get_origin

from fastapi import Request
from fastapi.dependencies.utils import get_flat_params
from fastapi.params import Header, Path
from fastapi.routing import APIRoute

from shared.errors import BadRequest, UnknownParameter

LEAST_SIMILARITY = 0.4
"""The closest name is suggested if it is at least this similar, from 0 to 1."""


_known_of_endpoint: dict[Callable[..., Any], dict[str, bool]] = {}


async def check_query(request: Request) -> None:
    """Check the query. Raises UnknownParameter, and BadRequest if a parameter has two different values."""
    if not request.scope["query_string"]:
        return
    route = request.scope["route"]
    assert isinstance(route, APIRoute)
    known = _known_parameters(route)
    values: dict[str, str] = {}
    for name, value in request.query_params.multi_items():
        check_known(name, known, "query parameter")
        if not known[name] and values.setdefault(name, value) != value:
            raise BadRequest(f"The query has two different values of `{name}`. Send one.")


def _known_parameters(route: APIRoute) -> dict[str, bool]:
    """Return the names of an endpoint's parameters, and whether each may be repeated."""
    if route.endpoint not in _known_of_endpoint:
        _known_of_endpoint[route.endpoint] = {
            param.alias: get_origin(param.field_info.annotation) is list
            for param in get_flat_params(route.dependant)
            # The fields of a query model have plain field infos.
            if not isinstance(param.field_info, Path | Header)
        }
        for dependency in route.dependant.dependencies:
            # A dependency that reads the query itself has the names of its parameters.
            names = getattr(dependency.call, "query_names", ())
            _known_of_endpoint[route.endpoint] |= dict.fromkeys(names, False)
    return _known_of_endpoint[route.endpoint]


def check_known(name: str, known: Collection[str], kind: str) -> None:
    """Check that a name is known. Raises UnknownParameter with the closest known name."""
    if name in known:
        return
    closest = get_close_matches(name.lower(), known, n=1, cutoff=LEAST_SIMILARITY)
    hint = f" Did you mean `{closest[0]}`?" if closest else ""
    listed = ", ".join(f"`{each}`" for each in sorted(known))
    raise UnknownParameter(
        f"`{_shorten(name)}` is not a {kind} of this call.{hint}"
        + (f" It has these: {listed}." if known else " It has none: leave it out.")
    )


def _shorten(name: str) -> str:
    printable = "".join(char if char.isprintable() else "?" for char in name)
    return printable if len(printable) <= 50 else f"{printable[:50]}…"
