"""Logs one line per request, without the query: it may contain a token.

The application stores `FIELDS` in the state of the request, as far as it knows them.
"""

import logging
import re
import time
from collections.abc import Collection
from http import HTTPStatus
from typing import Any

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

POLLED = re.compile("/health/|/metrics|/records/[^/]+$")
"""Paths that clients request every few seconds. Unless it is an error, such a request is logged at DEBUG only."""
SUCCESSES = (HTTPStatus.OK, HTTPStatus.NOT_MODIFIED)
FIELDS = ("user_id", "record_id", "code")

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

        async def send_and_keep_status(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            await send(message)

        try:
            await self._app(scope, receive, send_and_keep_status)
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
                )

    def _level(self, status: int, path: str) -> int:
        is_frequent = path in self._quiet or POLLED.match(path)
        return logging.DEBUG if is_frequent and status in SUCCESSES else logging.INFO


def _known(scope: Scope) -> dict[str, Any]:
    """Return the client's address, and the fields that the application stored."""
    client = scope.get("client")
    state = scope.get("state", {})
    fields = {name: str(state[name]) for name in FIELDS if name in state}
    return ({"client": client[0]} if client else {}) | fields
