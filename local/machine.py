"""Ports, folder owners and processes of the machine that the embedded stack runs on."""

import os
import socket
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from subprocess import PIPE, STDOUT
from typing import Any

import psutil

LAST_LINES = 20
_HOST = "127.0.0.1"


class StackError(Exception):
    """An error whose message is a sentence for the person at the terminal."""


def is_answering(port: int) -> bool:
    with socket.socket() as client:
        client.settimeout(1)
        return client.connect_ex((_HOST, port)) == 0


def is_free(port: int) -> bool:
    # Two checks, because macOS lets a program bind a port that another one has bound on all addresses.
    if is_answering(port):
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


def stop_leftovers(runtime_dir: Path) -> bool:
    """Stop every process whose environment names this RUNTIME_DIR. Return True if there was one."""
    leftovers = [each for each in psutil.process_iter() if _belongs_to(each, runtime_dir)]
    for process in leftovers:
        with suppress(psutil.NoSuchProcess):
            process.terminate()
    _, alive = psutil.wait_procs(leftovers, timeout=10)
    for process in alive:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(alive, timeout=5)
    return bool(leftovers)


def _belongs_to(process: psutil.Process, runtime_dir: Path) -> bool:
    if process.pid == os.getpid():
        return False
    try:
        return bool(process.environ().get("RUNTIME_DIR") == str(runtime_dir))
    except (psutil.Error, OSError):
        return False  # It belongs to another user, or has just ended.


def check_owner(folder: Path) -> None:
    if os.path.lexists(folder) and folder.lstat().st_uid != os.geteuid():
        raise StackError(f"{folder} belongs to another user. Choose another DATA_DIR.")


def run(command: Sequence[str], **options: Any) -> None:
    """Run a command, with the options of `subprocess.run`. If it fails, its last lines are the error."""
    done = subprocess.run(
        command, stdout=PIPE, stderr=STDOUT, text=True, errors="replace", check=False, **options
    )
    if done.returncode:
        raise StackError(
            f"`{Path(command[0]).name} {' '.join(command[1:])}` failed:\n{last_lines(done.stdout)}"
        )


def last_lines(text: str) -> str:
    return "\n".join(text.splitlines()[-LAST_LINES:])
