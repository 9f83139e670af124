"""The whole service on this machine, without Docker and without root: PostgreSQL, Valkey, workers, API.

supervisord runs all processes, configured by local/supervisord.conf. A data directory identifies
a stack: the same directory finds the running stack again and keeps every record. Another
directory with other ports is a second stack beside the first.
"""

import fcntl
import shutil
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import httpx

from local import postgres
from local.environment import ROOT, check_settings, environment, fingerprint, runtime_dir
from local.machine import (
    StackError,
    check_owner,
    free_port,
    is_answering,
    is_free,
    last_lines,
    run,
    stop_leftovers,
)
from local.supervisor import supervisor_at

STOP_TIMEOUT_S = 90
"""More than the sum of `stopwaitsecs` in supervisord.conf, without PostgreSQL's worst case."""

PROGRAM_OF_COMPONENT = {
    "postgresql": "postgres",
    "redis": "valkey",
    "volume": "api",
    "workers": "worker",
    "sweeper": "sweeper",
    "deliveries": "deliveries",
}
"""The program whose log explains the state of a component in /health/ready."""

FAILED_STATES = ("BACKOFF", "FATAL", "EXITED")


class Stack:
    """One stack. `settings` are environment variables for its services, such as `{"LEASE_S": "3"}`.

    The attribute `environment` has all variables of its services, for tests that need them.
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
        self.runtime_dir = runtime_dir(self.data_dir)
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
        return supervisor_at(self.runtime_dir / "supervisor.sock")

    def pid(self, program: str) -> int:
        return int(self.supervisor.getProcessInfo(program)["pid"])

    def is_running(self) -> bool:
        try:
            return bool(self.supervisor.getState()["statename"] == "RUNNING")
        except OSError:
            return False

    def is_ready(self) -> bool:
        try:
            return self._readiness().is_success
        except httpx.HTTPError:
            return False

    def _readiness(self) -> httpx.Response:
        # By default httpx loads every CA certificate for each request, which takes 100 times longer.
        without_certificates = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        url = f"{self.api_url}/health/ready"
        return httpx.get(url, trust_env=False, verify=without_certificates)

    def start(self, timeout_s: float = 120) -> None:
        """Start the service, and wait until it is ready. Restart a running service if its code or settings differ."""
        deadline = time.monotonic() + timeout_s
        with self._locked():
            identifier = f"{self.api_port} {self.flower_port} {fingerprint(self.environment)}"
            running = self._running_identifier()
            if running:
                self._check_ports(running)
            must_boot = running != identifier
            if must_boot:
                check_settings(self.environment)  # before anything is stopped
            try:
                if must_boot:
                    self._boot(identifier)
                self._wait_for(self._postgres_answers, deadline)
                self._run_module("alembic", "upgrade", "head")
                self.supervisor.startAllProcesses(False)
                self._wait_for(self._everything_answers, deadline)
            except BaseException:
                if must_boot:
                    self._shut_down()
                raise

    def stop(self) -> bool:
        """Stop the service. Return True if there was something to stop."""
        if not self.data_dir.exists() and not self.runtime_dir.exists():
            return False
        with self._locked():
            return self._shut_down()

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        for folder in (self.data_dir, self.runtime_dir):
            check_owner(folder)
        with (self.data_dir / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _running_identifier(self) -> str | None:
        """Return the identifier of the running stack, unless its data were deleted."""
        if not self.is_running() or not (self.data_dir / "postgres").exists():
            return None
        return str(self.supervisor.getIdentification())

    def _check_ports(self, running: str) -> None:
        ports = running.split()[:-1]  # An older release has no ports in its identifier.
        if ports and ports != [str(self.api_port), str(self.flower_port)]:
            raise StackError(
                f"The service with its data in {self.data_dir} already runs with"
                f" API_PORT={ports[0]} FLOWER_PORT={ports[1]}. To change its ports, stop it first"
                " with `make down`. To run a second service, choose another DATA_DIR."
            )

    def _boot(self, identifier: str) -> None:
        # Stop the leftovers of a crash, a stack with other settings, or one whose data were deleted.
        self._shut_down()
        for name, port in (("API_PORT", self.api_port), ("FLOWER_PORT", self.flower_port)):
            if not is_free(port):
                free = next(other for other in range(port + 1, 2**16) if is_free(other))
                raise StackError(
                    f"Another program uses port {port}. Choose a free one, for example {name}={free}."
                )
        self._make_folders()
        self._run_module(
            "supervisor.supervisord",
            "--configuration=local/supervisord.conf",
            f"--identifier={identifier}",
        )

    def _make_folders(self) -> None:
        self.runtime_dir.mkdir(mode=0o700)
        (self.runtime_dir / "data").symlink_to(self.data_dir)
        for name in ("logs", "media", "valkey"):
            (self.data_dir / name).mkdir(mode=0o700, exist_ok=True)
        postgres.prepare(self.data_dir / "postgres", self.runtime_dir / "postgres")

    def _postgres_answers(self) -> bool:
        command = [str(postgres.BIN_DIR / "pg_isready"), "--quiet", "--host"]
        command.append(f"{self.runtime_dir}/postgres")
        return subprocess.run(command, env=self.environment, check=False).returncode == 0

    def _everything_answers(self) -> bool:
        return self.is_ready() and is_answering(self.flower_port)

    def _wait_for(self, condition: Callable[[], bool], deadline: float) -> None:
        while not condition():
            programs = self.supervisor.getAllProcessInfo()
            failed = [each["name"] for each in programs if each["statename"] in FAILED_STATES]
            if failed:
                raise StackError(
                    "\n".join(
                        [f"{', '.join(failed)} did not start.", *map(self._end_of_log, failed)]
                    )
                )
            if time.monotonic() > deadline:
                raise StackError(self._why_not_ready())
            time.sleep(0.2)

    def _run_module(self, *arguments: str) -> None:
        run([sys.executable, "-m", *arguments], cwd=ROOT, env=self.environment)

    def _why_not_ready(self) -> str:
        try:
            states = self._readiness().json()
            programs = [
                program
                for component, program in PROGRAM_OF_COMPONENT.items()
                if states.get(component) != "ok"
            ]
        except (httpx.HTTPError, ValueError):
            programs = ["api"]
        programs = programs or ["flower"]
        names = ", ".join(programs)
        return "\n".join([f"Not ready in time: {names}.", *map(self._end_of_log, programs)])

    def _end_of_log(self, program: str) -> str:
        log = self.data_dir / "logs" / f"{program}.log"
        text = log.read_text(errors="replace") if log.exists() else ""
        return f"The last lines of {log}:\n{last_lines(text)}"

    def _shut_down(self) -> bool:
        was_running = self.is_running()
        if was_running:
            self.supervisor.shutdown()
            deadline = time.monotonic() + STOP_TIMEOUT_S
            while (self.runtime_dir / "supervisord.pid").exists() and time.monotonic() < deadline:
                time.sleep(0.1)
        had_leftovers = stop_leftovers(self.runtime_dir)
        if self.runtime_dir.exists():
            shutil.rmtree(self.runtime_dir)
        return was_running or had_leftovers
