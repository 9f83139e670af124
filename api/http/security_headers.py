"""Headers that protect browsers, on every answer, and `Cache-Control: no-store` on JSON, which may be private."""

from collections.abc import Iterator

from starlette.types import ASGIApp, Message, Receive, Scope, Send

DOCS = ("/docs", "/redoc")
"""Swagger UI and ReDoc start with an inline script, write inline styles, and ReDoc searches in a worker."""
DOCS_POLICY = (
    "default-src 'none'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; font-src 'self' data:; connect-src 'self'; worker-src 'self' blob:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "media-src 'self' blob:; connect-src 'self'; manifest-src 'self'; worker-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


ALWAYS = ((b"x-content-type-options", b"nosniff"), (b"referrer-policy", b"no-referrer"))


class SecurityHeaders:
    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                sent = dict(message.get("headers", ()))
                added = _added(scope["path"], sent.get(b"content-type", b""))
                missing = [pair for pair in added if pair[0] not in sent]
                message["headers"] = [*message.get("headers", ()), *missing]
            await send(message)

        await self._app(scope, receive, send_with_headers)


def _added(path: str, content_type: bytes) -> Iterator[tuple[bytes, bytes]]:
    yield from ALWAYS
    if content_type.startswith(b"text/html"):
        policy = DOCS_POLICY if path.startswith(DOCS) else PAGE_POLICY
        yield b"content-security-policy", policy.encode()
    if content_type.startswith((b"application/json", b"application/problem+json")):
        yield b"cache-control", b"no-store"
