"""Starts the API: `python -m api [--host HOST] [--port PORT]`."""

from argparse import ArgumentParser

import uvicorn

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
        timeout_graceful_shutdown=GRACEFUL_SHUTDOWN_S,
    )


if __name__ == "__main__":
    main()
