"""Logs one line per request, without the query: it may contain a token."""

import time
from http import HTTPStatus

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

PROBES = ("/health/", "/metrics")
"""Paths that monitoring requests every few seconds. Only errors on them are logged."""

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
            if status != HTTPStatus.OK or not scope["path"].startswith(PROBES):
                log.info(
                    "request",
                    method=scope["method"],
                    path=scope["path"],
                    status=status,
                    took_s=round(time.monotonic() - started_s, 4),
                )
