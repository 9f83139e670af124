"""Controls the embedded stack: `python -m local start|stop|ready|users`.

API_PORT, FLOWER_PORT and DATA_DIR come from the environment, else from `.env`. The other lines of
`.env` are settings of the services.
"""

import os
import subprocess
import sys
from pathlib import Path

from dotenv import dotenv_values

from local.environment import ROOT
from local.machine import StackError
from local.misspelt import describe_misspelt
from local.stack import Stack


def main() -> int:
    try:
        stack = configured_stack()
        commands = {"start": _start, "stop": _stop, "ready": _ready, "users": _users}
        return commands[sys.argv[1]](stack)
    except StackError as error:
        print(error, file=sys.stderr)
        return 1
    except OSError as error:
        print(f"The embedded stack does not work: {error}.", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def configured_stack() -> Stack:
    settings = _settings()
    variables = settings | {name: value for name, value in os.environ.items() if value}
    ports = _port(variables.get("API_PORT", "8000")), _port(variables.get("FLOWER_PORT", "5555"))
    return Stack(Path(variables.get("DATA_DIR", ROOT / ".local")), *ports, settings)


def _settings() -> dict[str, str]:
    return {name: value for name, value in dotenv_values(ROOT / ".env").items() if value}


def _port(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 2**16:
        raise StackError(f"{text} is not a port. Choose a number from 1 to 65535.")
    return int(text)


def _start(stack: Stack) -> int:
    for sentence in describe_misspelt(_settings()):
        print(sentence, file=sys.stderr)
    print("Starting PostgreSQL, Valkey, the workers, Flower and the API ...", flush=True)
    stack.start()
    return 0


def _stop(stack: Stack) -> int:
    print("Stopped." if stack.stop() else "The embedded stack was not running.")
    return 0


def _ready(stack: Stack) -> int:
    return 0 if stack.is_ready() else 1


def _users(stack: Stack) -> int:
    if not stack.is_running():
        raise StackError("The service does not run. Start it with `make run-local`.")
    listing = [sys.executable, "-m", "api.largest_users"]
    return subprocess.run(listing, cwd=ROOT, env=stack.environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
