"""Builds the API. `python -m api` serves it."""

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fastapi import Depends, FastAPI
from fastapi.staticfiles import StaticFiles
from fastapi_offline import FastAPIOffline
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from api import archives, downloads, events, health, problems, records, retries, users, waveforms
from api.changes import Changes
from api.http import AccessLog, DrainRefusedBodies
from api.parameters import check_query
from shared import db, log
from shared.settings import get_settings

THREADS = 40


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    # The default executor has few threads. Uploads blocked on a slow disk could take them all and stall all requests.
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(THREADS))
    async with app.state.changes.listen():
        yield


def create_app() -> FastAPI:
    log.configure(get_settings().log_level)
    # FastAPIOffline serves the scripts of /docs itself: a self-hosted service must not depend on a CDN.
    app = FastAPIOffline(
        title="wav2mp3",
        description="Converts WAV files to MP3. Upload a file, poll its status, download the result.",
        version="1.0.0",
        lifespan=_lifespan,
        # A redirect ignores the proxy's scheme and host, and repeats the token in its URL.
        redirect_slashes=False,
        dependencies=[Depends(check_query)],
    )
    app.state.changes = Changes(db.get_engine())
    problems.install(app)
    for resource in (users, records, retries, downloads, archives, waveforms, events, health):
        app.include_router(resource.router)
    app.router.default = _serve_page_or(app.router.not_found)
    return app


class _Page(StaticFiles):
    """Makes browsers revalidate each file, so that they never mix files of two releases."""

    def file_response(self, *arguments: Any, **options: Any) -> Response:
        response = super().file_response(*arguments, **options)
        response.headers["Cache-Control"] = "no-cache"
        return response


def _serve_page_or(not_found: ASGIApp) -> ASGIApp:
    """Serve the web page where no route matches. A mount at "/" would hide the routes' 405 answers."""
    page = _Page(directory=Path(__file__).parent / "static", html=True)

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        is_for_page = scope["type"] == "http" and scope["method"] in ("GET", "HEAD")
        await (page if is_for_page else not_found)(scope, receive, send)

    return serve


def _ignore_ranges_except_mp3(app: ASGIApp) -> ASGIApp:
    """Remove Range from other requests: Starlette's static files answer a bad range in plain text."""

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] != "/record":
            headers = [pair for pair in scope["headers"] if pair[0] != b"range"]
            scope = {**scope, "headers": headers}
        await app(scope, receive, send)

    return serve


# These wrap the whole application, so that they see the answers to unexpected errors too.
app = AccessLog(DrainRefusedBodies(_ignore_ranges_except_mp3(create_app())))
