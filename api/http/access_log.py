"""Logs one line per request, without the query: it may contain a token.

A refusal has the `code` of its problem. `user_id` and `record_id` are those that the application stored in the state of
the request.
"""

import json
import logging
import re
import time
from collections.abc import Collection
from http import HTTPStatus
from typing import Any

import structlog
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

POLLED = re.compile("/health/|/metrics|/records/[^/]+$")
"""Paths that clients request every few seconds. Unless it is an error, such a request is logged at DEBUG only."""
SUCCESSES = (HTTPStatus.OK, HTTPStatus.NOT_MODIFIED)
IDS = ("user_id", "record_id")

log = structlog.get_logger(__name__)


class AccessLog:
    """Requests for the paths in `quiet` are logged like polls."""

    def __init__(self, app: ASGIApp, quiet: Collection[str] = ()) -> None:
        self._app = app
        self._quiet = quiet

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started_s = time.monotonic()
        status = 0
        is_problem = False
        problem: dict[str, str] = {}

        async def send_and_note(message: Message) -> None:
            nonlocal status, is_problem
            if message["type"] == "http.response.start":
                status = message["status"]
                is_problem = _is_problem(message)
            elif is_problem and message.get("body"):
                problem.update(_describe(message["body"]))
            await send(message)

        try:
            await self._app(scope, receive, send_and_note)
        finally:
            level = self._level(status, scope["path"])
            if logging.getLogger(__name__).isEnabledFor(level):
                log.log(
                    level,
                    "request",
                    method=scope["method"],
                    path=scope["path"],
                    status=status,
                    took_s=round(time.monotonic() - started_s, 4),
                    **_known(scope),
                    **problem,
                )

    def _level(self, status: int, path: str) -> int:
        is_frequent = path in self._quiet or POLLED.match(path)
        return logging.DEBUG if is_frequent and status in SUCCESSES else logging.INFO


def _is_problem(start: Message) -> bool:
    if start["status"] < HTTPStatus.BAD_REQUEST:
        return False
    content_type = Headers(raw=start.get("headers", [])).get("content-type", "")
    return content_type.startswith("application/problem+json")


def _describe(body: bytes) -> dict[str, str]:
    """Return the fields of a problem that say why a request was refused, without its text."""
    return {"code": json.loads(body)["code"]}


def _known(scope: Scope) -> dict[str, Any]:
    """Return the client's address, and the ids that the application stored."""
    client = scope.get("client")
    state = scope.get("state", {})
    ids = {name: str(state[name]) for name in IDS if name in state}
    return ({"client": client[0]} if client else {}) | ids
