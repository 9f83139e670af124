"""Starts the API: `python -m api [--host HOST] [--port PORT]`."""

import gc

# The imports below make many objects and almost no garbage. Collecting it would take a fifth of a start.
gc.disable()

import socket
import sys
from argparse import ArgumentParser
from contextlib import suppress

import uvicorn

from api.http import Connections, Shares, limited, raise_descriptor_limit, refusal_headers
from shared.settings import get_settings

GRACEFUL_SHUTDOWN_S = 5
KEEP_ALIVE_S = 75
"""Longer than most proxies and clients keep an idle connection (60 s). A request that arrives while it closes is lost.

`Connections` closes idle ones earlier if there is no room.
"""
ACCEPTED_PER_ROUND = 128
"""Connections that the event loop accepts in each round. Each adds about 3 µs to a new connection."""


class Server(uvicorn.Server):
    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self.lifespan.state["stopping"].begin()
        await super().shutdown(sockets)


def main() -> None:
    parser = ArgumentParser(prog="python -m api", description="Start the API of wav2mp3.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", default=8000, type=int)
    options = parser.parse_args()
    config = uvicorn.Config(
        "api.main:app",
        host=options.host,
        port=options.port,
        loop="uvloop",
        http=limited(_connections(), refusal_headers(get_settings().allowed_origins)),
        lifespan="on",
        # The API writes its own access log, and `shared.log` configures all loggers.
        access_log=False,
        log_config=None,
        # uvicorn takes the client's address and scheme from a proxy's X-Forwarded-For and X-Forwarded-Proto.
        forwarded_allow_ips=get_settings().forwarded_allow_ips,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=GRACEFUL_SHUTDOWN_S,
    )
    config.load()
    gc.enable()
    server = Server(config)
    with suppress(KeyboardInterrupt):
        server.run(_listeners(config.bind_socket()))
    if not server.started:
        sys.exit(1)


def _listeners(listener: socket.socket) -> list[socket.socket]:
    """Duplicate a socket. libuv accepts one connection per socket and round, so a crowd would take many rounds."""
    return [listener, *(listener.dup() for _ in range(ACCEPTED_PER_ROUND - 1))]


def _connections() -> Connections:
    settings = get_settings()
    limit = raise_descriptor_limit(settings.max_connections)
    return Connections(Shares(limit, settings.max_share_per_address))


if __name__ == "__main__":
    main()
