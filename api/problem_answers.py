"""Answers with a problem: as JSON, or as a page to a browser that opens a link."""

from collections.abc import Mapping
from html import escape

from fastapi.responses import HTMLResponse, JSONResponse
from starlette.datastructures import Headers
from starlette.types import Receive, Scope, Send

from api.schemas import Problem

POLICY = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
PAGE = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<title>{title} – wav2mp3</title>
<h1>{title}</h1>
<p>{detail}</p>
</html>
"""
PAGE_HEADERS = {"Content-Security-Policy": POLICY, "Cache-Control": "no-store"}
OF_JSON = ("content-length", "content-type")


class ProblemResponse(JSONResponse):
    media_type = "application/problem+json"

    def __init__(self, problem: Problem, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(problem.model_dump(mode="json"), problem.status, headers)
        self._problem = problem

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if _opens_a_link(scope):
            await self._page()(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)

    def _page(self) -> HTMLResponse:
        title, detail = self._problem.title, escape(self._problem.detail, quote=False)
        own = {name: value for name, value in self.headers.items() if name not in OF_JSON}
        return HTMLResponse(
            PAGE.format(title=title, detail=detail), self.status_code, own | PAGE_HEADERS
        )


def _opens_a_link(scope: Scope) -> bool:
    # Java's HttpURLConnection accepts text/html too, but among images. Browsers also accept XHTML.
    accept = Headers(scope=scope).get("accept", "")
    return accept == "text/html" or "application/xhtml+xml" in accept
