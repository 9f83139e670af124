"""What the embedded stack asks of the machine: ports, owners, and that nothing of it is left running."""

import os
import socket
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from subprocess import PIPE, STDOUT
from typing import Any

import psutil


class StackError(Exception):
    """What went wrong, as a sentence for the person at the terminal."""


LAST_LINES = 20
_HOST = "127.0.0.1"


def answers(port: int) -> bool:
    with socket.socket() as client:
        client.settimeout(1)
        return client.connect_ex((_HOST, port)) == 0


def is_free(port: int) -> bool:
    # both, because macOS lets a second program bind what another has bound for all addresses
    if answers(port):
        return False
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            server.bind((_HOST, port))
        except OSError:
            return False
    return True


def free_port() -> int:
    with socket.socket() as server:
        server.bind((_HOST, 0))
        port: int = server.getsockname()[1]
        return port


def end_leftovers(runtime_dir: Path) -> bool:
    """Ends every process whose environment names this `RUNTIME_DIR`. Says whether there was one."""
    leftovers = [process for process in psutil.process_iter() if _is_of(process, runtime_dir)]
    for process in leftovers:
        with suppress(psutil.NoSuchProcess):
            process.terminate()
    _, alive = psutil.wait_procs(leftovers, timeout=10)
    for process in alive:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(alive, timeout=5)
    return bool(leftovers)


def _is_of(process: psutil.Process, runtime_dir: Path) -> bool:
    if process.pid == os.getpid():
        return False
    try:
        return bool(process.environ().get("RUNTIME_DIR") == str(runtime_dir))
    except (psutil.Error, OSError):
        return False  # another user's, or just gone


def check_owner(folder: Path) -> None:
    if os.path.lexists(folder) and folder.lstat().st_uid != os.geteuid():
        raise StackError(f"{folder} belongs to another user: choose another DATA_DIR.")


def run(command: Sequence[str], **options: Any) -> None:
    """`options` are those of `subprocess.run`. What a failed command wrote last is the error."""
    done = subprocess.run(
        command, stdout=PIPE, stderr=STDOUT, text=True, errors="replace", check=False, **options
    )
    if done.returncode:
        raise StackError(
            f"`{Path(command[0]).name} {' '.join(command[1:])}` failed:\n{last_lines(done.stdout)}"
        )


def last_lines(text: str) -> str:
    return "\n".join(text.splitlines()[-LAST_LINES:])
