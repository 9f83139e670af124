"""Builds the API. `python -m api` serves it."""

import asyncio
import gc
import sys
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from threading import Barrier
from typing import Any

from anyio import to_thread
from fastapi import Depends, FastAPI
from fastapi_offline import FastAPIOffline
from starlette.types import ASGIApp, Receive, Scope, Send

from api import (
    archives,
    described_errors,
    downloads,
    events,
    health,
    mp3,
    problems,
    records,
    retries,
    tokens,
    users,
    waveforms,
    webhooks,
)
from api.changes import Changes
from api.http import (
    AccessLog,
    AnswerUnfinished,
    CrossOrigin,
    DrainRefusedBodies,
    HeadAndOptions,
    SecurityHeaders,
    Shares,
    Stopping,
    Waiting,
    keep_freed_memory,
)
from api.openapi import TAGS, complete_description
from api.page import PageRoute
from api.parameters import check_query
from api.snapshot_reader import SnapshotReader
from shared import db, log
from shared.errors import ShuttingDown
from shared.settings import get_settings

THREADS = 40
ENDPOINT_THREADS = 6
"""Only a few, because each thread that computes delays the event loop."""
SWITCH_INTERVAL_S = 0.0005
"""How long such a thread delays the event loop. Python's default is 5 ms."""


def _started_threads() -> ThreadPoolExecutor:
    """Start all threads now: starting one during a burst blocks the event loop until that thread has run."""
    threads = ThreadPoolExecutor(THREADS)
    all_started = Barrier(THREADS + 1)
    for _ in range(THREADS):
        threads.submit(all_started.wait)
    all_started.wait()
    return threads


@asynccontextmanager
async def _lifespan(_: FastAPI) -> AsyncIterator[dict[str, Any]]:
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    # The default executor has few threads. Uploads blocked on a slow disk could take them all and stall all requests.
    asyncio.get_running_loop().set_default_executor(_started_threads())
    to_thread.current_default_thread_limiter().total_tokens = ENDPOINT_THREADS
    keep_freed_memory()
    settings = get_settings()
    stopping = Stopping()
    waiting = Waiting(stopping, Shares(settings.max_waiting, settings.max_share_per_address))
    reader = SnapshotReader(db.get_engine())
    changes = Changes(db.get_engine(), reader, waiting)
    async with changes.listen():
        # Garbage collection would visit the modules' objects again and again, and delay all requests meanwhile.
        gc.freeze()
        yield {"changes": changes, "stopping": stopping}
    await reader.close()


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
        openapi_tags=TAGS,
        generate_unique_id_function=lambda route: route.name,
        redoc_url=None,
        webhooks=webhooks.events,
    )
    problems.install(app)
    # Routes are tried in this order. Most requests are status polls.
    for resource in (
        records,
        users,
        tokens,
        webhooks,
        mp3,
        retries,
        downloads,
        archives,
        waveforms,
        events,
        health,
    ):
        app.include_router(resource.router)
    complete_description(app, get_settings(), described_errors.examples())
    app.router.routes.append(PageRoute())
    return app


def _ignore_ranges_except_mp3(app: ASGIApp) -> ASGIApp:
    """Remove Range from other requests: Starlette's static files answer a bad range in plain text."""

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not _sends_mp3(scope):
            headers = [pair for pair in scope["headers"] if pair[0] != b"range"]
            # Copy the scope: routing changes it, and `HeadAndOptions` still needs the original.
            scope = {**scope, "headers": headers}
        await app(scope, receive, send)

    return serve


def _sends_mp3(scope: Scope) -> bool:
    path: str = scope["path"]
    return scope["method"] == "GET" and (path == "/record" or path.endswith("/mp3"))


_routed = create_app()


def _allow_origins(app: ASGIApp) -> ASGIApp:
    origins = get_settings().allowed_origins
    return CrossOrigin(app, origins) if origins else app


# These wrap the whole application, so that they see the answers to unexpected errors too.
app = AccessLog(
    SecurityHeaders(
        _allow_origins(
            AnswerUnfinished(
                DrainRefusedBodies(
                    HeadAndOptions(_ignore_ranges_except_mp3(_routed), _routed.router)
                ),
                problems.answer(ShuttingDown()),
            )
        )
    )
)
