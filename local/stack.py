"""The whole service on this machine, without Docker and without root: PostgreSQL, Valkey, workers, API.

supervisord runs it all as local/supervisord.conf says. A stack is known by its data directory:
the same directory finds a running stack again and keeps every record; another directory and
other ports make a second stack beside the first.
"""

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self
from xmlrpc.client import ServerProxy

import httpx
from supervisor.xmlrpc import SupervisorTransport

from local import postgres
from local.environment import ROOT, environment, fingerprint
from local.machine import (
    StackError,
    answers,
    check_owner,
    end_leftovers,
    free_port,
    is_free,
    last_lines,
    run,
)

MAX_SOCKET_PATH_BYTES = 103
PLAIN = re.compile(r"[\w@+,./-]+", re.ASCII)
# the same for everyone, whatever TMPDIR says, and short
RUNTIME_ROOT = Path("/tmp")  # noqa: S108 - the folder below it is private, and its owner is checked
STOP_TIMEOUT_S = 90  # more than all `stopwaitsecs` of supervisord.conf but PostgreSQL's worst case
# what /health/ready calls it, and whose log tells more
PROGRAM_OF_PART = {
    "postgresql": "postgres",
    "redis": "valkey",
    "volume": "api",
    "workers": "worker",
}
FAILED_STATES = ("BACKOFF", "FATAL", "EXITED")


class _ClosingTransport(SupervisorTransport):  # type: ignore[misc]  # it has no types
    """Closes its socket after each call, so that none is left open when a proxy is dropped."""

    def request(self, *arguments: Any, **options: Any) -> Any:
        try:
            return super().request(*arguments, **options)
        finally:
            self.close()


def _runtime_dir(data_dir: Path) -> Path:
    """For sockets: in the data directory, where their paths are short enough and supervisord.conf can hold them.

    Only else in a place that many systems clear of what is some days old.
    """
    inside = data_dir / "run"
    longest = inside / "postgres" / ".s.PGSQL.5432"
    if len(os.fsencode(longest)) <= MAX_SOCKET_PATH_BYTES and PLAIN.fullmatch(str(inside)):
        return inside
    return RUNTIME_ROOT / f"wav2mp3-{hashlib.sha256(os.fsencode(data_dir)).hexdigest()[:12]}"


class Stack:
    """One stack. `settings` are environment variables for its services, such as `{"LEASE_S": "3"}`.

    `environment` is what its services see: a test that wants their settings takes it from there.
    """

    def __init__(
        self,
        data_dir: Path,
        api_port: int = 8000,
        flower_port: int = 5555,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self.data_dir = data_dir.resolve()
        self.api_port = api_port
        self.flower_port = flower_port
        self.runtime_dir = _runtime_dir(self.data_dir)
        self.api_url = f"http://127.0.0.1:{api_port}"
        self.flower_url = f"http://127.0.0.1:{flower_port}"
        self.environment = environment(
            self.data_dir, self.runtime_dir, api_port, flower_port, settings or {}
        )

    @classmethod
    def on_free_ports(cls, data_dir: Path, settings: Mapping[str, str] | None = None) -> Self:
        return cls(data_dir, free_port(), free_port(), settings)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def supervisor(self) -> Any:
        """supervisord's XML-RPC interface, such as `stack.supervisor.stopProcess("worker")`."""
        transport = _ClosingTransport(serverurl=f"unix://{self.runtime_dir}/supervisor.sock")
        return ServerProxy("http://localhost", transport=transport).supervisor

    def pid(self, program: str) -> int:
        return int(self.supervisor.getProcessInfo(program)["pid"])

    def is_running(self) -> bool:
        try:
            return bool(self.supervisor.getState()["statename"] == "RUNNING")
        except OSError:
            return False

    def is_ready(self) -> bool:
        try:
            return httpx.get(f"{self.api_url}/health/ready", trust_env=False).is_success
        except httpx.HTTPError:
            return False

    def start(self, timeout_s: float = 120) -> None:
        """Returns when the service is ready. One that runs other code or settings is restarted."""
        deadline = time.monotonic() + timeout_s
        with self._alone():
            version = fingerprint(self.environment)
            runs_already = self._runs(version)
            try:
                if not runs_already:
                    self._boot(version)
                self._wait_for(self._postgres_answers, deadline)
                self._run_module("alembic", "upgrade", "head")
                self.supervisor.startAllProcesses(False)
                self._wait_for(self._everything_answers, deadline)
            except BaseException:
                if not runs_already:
                    self._shut_down()
                raise

    def stop(self) -> bool:
        """Says whether there was something to stop."""
        if not self.data_dir.exists() and not self.runtime_dir.exists():
            return False
        with self._alone():
            return self._shut_down()

    @contextmanager
    def _alone(self) -> Iterator[None]:
        self.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        for folder in (self.data_dir, self.runtime_dir):
            check_owner(folder)
        with (self.data_dir / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _runs(self, version: str) -> bool:
        if not self.is_running() or not (self.data_dir / "postgres").exists():
            return False
        return bool(self.supervisor.getIdentification() == version)

    def _boot(self, version: str) -> None:
        # what a crash left, what runs otherwise, or what ran when its data was deleted
        self._shut_down()
        for name, port in (("API_PORT", self.api_port), ("FLOWER_PORT", self.flower_port)):
            if not is_free(port):
                free = next(other for other in range(port + 1, 2**16) if is_free(other))
                raise StackError(
                    f"Port {port} is taken by another program: choose a free one, such as"
                    f" {name}={free}."
                )
        self._make_folders()
        self._run_module(
            "supervisor.supervisord",
            "--configuration=local/supervisord.conf",
            f"--identifier={version}",
        )

    def _make_folders(self) -> None:
        self.runtime_dir.mkdir(mode=0o700)
        (self.runtime_dir / "data").symlink_to(self.data_dir)
        for name in ("logs", "media", "valkey"):
            (self.data_dir / name).mkdir(mode=0o700, exist_ok=True)
        postgres.prepare(self.data_dir / "postgres", self.runtime_dir / "postgres")

    def _postgres_answers(self) -> bool:
        asked = [str(postgres.BIN_DIR / "pg_isready"), "--quiet", "--host"]
        asked.append(f"{self.runtime_dir}/postgres")
        return subprocess.run(asked, env=self.environment, check=False).returncode == 0

    def _everything_answers(self) -> bool:
        return self.is_ready() and answers(self.flower_port)

    def _wait_for(self, condition: Callable[[], bool], deadline: float) -> None:
        while not condition():
            programs = self.supervisor.getAllProcessInfo()
            failed = [each["name"] for each in programs if each["statename"] in FAILED_STATES]
            if failed:
                raise StackError(
                    "\n".join([f"{', '.join(failed)} did not start.", *map(self._log_end, failed)])
                )
            if time.monotonic() > deadline:
                raise StackError(self._why_not_ready())
            time.sleep(0.2)

    def _run_module(self, *arguments: str) -> None:
        run([sys.executable, "-m", *arguments], cwd=ROOT, env=self.environment)

    def _why_not_ready(self) -> str:
        try:
            parts = httpx.get(f"{self.api_url}/health/ready", trust_env=False).json()
            late = [program for part, program in PROGRAM_OF_PART.items() if parts.get(part) != "ok"]
            late = late or ["flower"]
        except (httpx.HTTPError, ValueError):
            late = ["api"]
        names = ", ".join(late)
        return "\n".join([f"Not ready in time: {names}.", *map(self._log_end, late)])

    def _log_end(self, program: str) -> str:
        log = self.data_dir / "logs" / f"{program}.log"
        text = log.read_text(errors="replace") if log.exists() else ""
        return f"The last lines of {log}:\n{last_lines(text)}"

    def _shut_down(self) -> bool:
        ran = self.is_running()
        if ran:
            self.supervisor.shutdown()
            deadline = time.monotonic() + STOP_TIMEOUT_S
            while (self.runtime_dir / "supervisord.pid").exists() and time.monotonic() < deadline:
                time.sleep(0.1)
        left = end_leftovers(self.runtime_dir)
        if self.runtime_dir.exists():
            shutil.rmtree(self.runtime_dir)
        return ran or left
