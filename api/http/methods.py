"""Answers HEAD and OPTIONS on every path, and names the methods of a path for each 405.

A HEAD request runs the endpoint of GET up to the head of the answer. It never waits, because `wait=0` is set.
"""

import asyncio
from contextlib import suppress

from starlette.responses import Response
from starlette.routing import Match, Mount, Router
from starlette.types import ASGIApp, Message, Receive, Scope, Send

ROUTED = ("DELETE", "GET", "PATCH", "POST", "PUT")
SERVER = "*"
"""The target of a request about the whole server (RFC 9110, 9.3.7)."""
ALLOWED_ON_SERVER = ["DELETE", "GET", "HEAD", "OPTIONS", "POST", "PUT"]
NOT_FOR_HEAD = (b"range", b"prefer")
"""A range is only for GET (RFC 9110, 14.2)."""


class HeadAndOptions:
    def __init__(self, app: ASGIApp, router: Router) -> None:
        self._app = app
        self._router = router

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif scope["method"] == "HEAD":
            await self._answer_head(scope, receive, send)
        elif scope["method"] == "OPTIONS" and (allowed := allowed_methods(self._router, scope)):
            headers = {"Allow": ", ".join(allowed)}
            await Response(status_code=204, headers=headers)(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _answer_head(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = [pair for pair in scope["headers"] if pair[0] not in NOT_FOR_HEAD]
        scope = {**scope, "method": "GET", "headers": [*headers, (b"prefer", b"wait=0")]}
        # Cancel the endpoint after the head, because a stream of events does not end.
        with suppress(TimeoutError):
            async with asyncio.timeout(None) as block:

                async def send_head(message: Message) -> None:
                    await send(message)
                    await send({"type": "http.response.body"})
                    block.reschedule(0)
                    await asyncio.get_running_loop().create_future()

                await self._app(scope, receive, send_head)


def allowed_methods(router: Router, scope: Scope) -> list[str]:
    """Return the methods of a path. There are none if there is no such path."""
    if scope["path"] == SERVER:
        return ALLOWED_ON_SERVER
    found = {method for method in ROUTED if _is_routed(router, {**scope, "method": method})}
    if not found:
        return []
    return sorted(found | {"OPTIONS"} | ({"HEAD"} if "GET" in found else set()))


def _is_routed(router: Router, scope: Scope) -> bool:
    routes = (route for route in router.routes if route.matches(scope)[0] == Match.FULL)
    # Mounts hold static files. They match every method, and refuse the others themselves.
    return any(scope["method"] == "GET" or not isinstance(route, Mount) for route in routes)
