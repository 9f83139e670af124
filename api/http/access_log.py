"""Logs one line per request, without the query: it may contain a token."""

import logging
import re
import time
from http import HTTPStatus

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

POLLED = re.compile("/health/|/metrics|/records/[^/]+$")
"""Paths that clients request every few seconds. Unless it is an error, such a request is logged at DEBUG only."""

log = structlog.get_logger(__name__)


class AccessLog:
    def __init__(self, app: ASGIApp) -> None:
        self._app = app

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
            is_poll = status == HTTPStatus.OK and POLLED.match(scope["path"])
            level = logging.DEBUG if is_poll else logging.INFO
            if logging.getLogger(__name__).isEnabledFor(level):
                log.log(
                    level,
                    "request",
                    method=scope["method"],
                    path=scope["path"],
                    status=status,
                    took_s=round(time.monotonic() - started_s, 4),
                )
