"""Starts the API: `python -m api [--host HOST] [--port PORT]`."""

from argparse import ArgumentParser

import uvicorn

from shared.settings import get_settings

GRACEFUL_SHUTDOWN_S = 5


def main() -> None:
    parser = ArgumentParser(prog="python -m api", description="Start the API of wav2mp3.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", default=8000, type=int)
    options = parser.parse_args()
    uvicorn.run(
        "api.main:app",
        host=options.host,
        port=options.port,
        loop="uvloop",
        http="api.http.protocol:Protocol",
        # The API writes an access log of its own, and `shared.log` configures all loggers.
        access_log=False,
        log_config=None,
        # It believes the client address and scheme in a proxy's X-Forwarded-For and X-Forwarded-Proto.
        forwarded_allow_ips=get_settings().forwarded_allow_ips,
        timeout_graceful_shutdown=GRACEFUL_SHUTDOWN_S,
    )


if __name__ == "__main__":
    main()
