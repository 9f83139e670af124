"""Builds the API: `uvicorn api.main:app`."""

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles
from fastapi_offline import FastAPIOffline
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from api import downloads, events, health, problems, records, users
from api.changes import Changes
from api.http import AccessLog, Linger
from shared import db, log
from shared.settings import get_settings

THREADS = 40


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    # Of the default executor's few threads, uploads that wait for a slow disk would leave none to answer with.
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(THREADS))
    async with app.state.changes.listening():
        yield


def create_app() -> FastAPI:
    log.configure(get_settings().log_level)
    # Serves the scripts of /docs itself: a self-hosted service must not need somebody's CDN.
    app = FastAPIOffline(
        title="wav2mp3",
        description="Turns WAV into MP3: upload, poll, download.",
        version="1.0.0",
        lifespan=_lifespan,
        # a redirect would lead to http and to our own name, whatever proxy stands in front, and take the token along
        redirect_slashes=False,
    )
    app.state.changes = Changes(db.get_engine())
    problems.install(app)
    for resource in (users, records, downloads, events, health):
        app.include_router(resource.router)
    app.router.default = _page_or(app.router.not_found)
    return app


class _Page(StaticFiles):
    """Asked for anew each time: after an upgrade, old and new files must not meet in a browser."""

    def file_response(self, *arguments: Any, **options: Any) -> Response:
        response = super().file_response(*arguments, **options)
        response.headers["Cache-Control"] = "no-cache"
        return response


def _page_or(not_found: ASGIApp) -> ASGIApp:
    """The web page where no resource answers. A mount at "/" would take the place of their 405s."""
    page = _Page(directory=Path(__file__).parent / "static", html=True)

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        is_for_page = scope["type"] == "http" and scope["method"] in ("GET", "HEAD")
        await (page if is_for_page else not_found)(scope, receive, send)

    return answer


def _ranges_of_mp3s_only(app: ASGIApp) -> ASGIApp:
    """Starlette's static files answer a range that cannot be in plain text; nobody needs parts of a page."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] != "/record":
            headers = [pair for pair in scope["headers"] if pair[0] != b"range"]
            scope = {**scope, "headers": headers}
        await app(scope, receive, send)

    return answer


# Around everything, to see the answers to unexpected errors as well.
app = AccessLog(Linger(_ranges_of_mp3s_only(create_app())))
