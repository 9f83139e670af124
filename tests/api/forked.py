"""Starts an API as a fork of a process that has imported its modules, because they take a second of processor time."""

import os
import sys
from collections.abc import Mapping
from importlib import import_module
from io import TextIOWrapper
from multiprocessing import get_context
from multiprocessing.context import ForkServerProcess
from pathlib import Path

API = Path(__file__).resolve().parents[2] / "api"
FORKSERVER = get_context("forkserver")
READS_THE_SETTINGS = "main"
"""This module makes the application when it is imported, so each fork imports it itself."""
FORKSERVER.set_forkserver_preload(
    [
        *(f"api.{path.stem}" for path in API.glob("*.py") if path.stem != READS_THE_SETTINGS),
        *("fastapi_offline", "uvicorn.lifespan.on", "uvicorn.loops.uvloop", __name__),
    ]
)


def fork_api(
    port: int, environment: Mapping[str, str], constants: Mapping[str, float], log: Path
) -> ForkServerProcess:
    """Start an API. `constants` gives constants such as `api.events.HEARTBEAT_S` another value."""
    arguments = (port, dict(environment), dict(constants), log)
    process = FORKSERVER.Process(target=_run, args=arguments, daemon=True)
    process.start()
    return process


def _run(port: int, environment: dict[str, str], constants: dict[str, float], log: Path) -> None:
    """Do the same as `python -m api --port PORT`."""
    _redirect_output(log)
    os.environ.clear()
    os.environ.update(environment)
    for name, value in constants.items():
        module, _, constant = name.rpartition(".")
        assert hasattr(import_module(module), constant)
        setattr(import_module(module), constant, value)
    sys.argv = ["api", "--port", str(port)]
    import_module("api.__main__").main()


def _redirect_output(log: Path) -> None:
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for stream in (sys.stdout, sys.stderr):
        assert isinstance(stream, TextIOWrapper)
        os.dup2(file, stream.fileno())
        stream.reconfigure(line_buffering=True)
