"""A second API next to the stack's own, with settings that a test chooses."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from types import MappingProxyType
from typing import Protocol
from urllib.parse import urlsplit

import httpx
import psutil
import pytest

from local.machine import free_port
from local.stack import Stack
from tests.api.forked import fork_api
from tests.api.wire import eventually
from tests.browser.conftest import frozen_workers  # noqa: F401 -- a fixture
from tests.conftest import TIMEOUT_S, User, new_user

ADMIN_TOKEN = "the operator's token"
UNCHANGED: Mapping[str, float] = MappingProxyType({})


class StartApi(Protocol):
    def __call__(
        self, settings: Mapping[str, str], constants: Mapping[str, float] = UNCHANGED
    ) -> "AnotherApi": ...


class AnotherApi:
    """Runs another API process on the stack's database, queue and volume."""

    def __init__(
        self,
        stack: Stack,
        settings: Mapping[str, str],
        constants: Mapping[str, float],
        log: Path,
    ) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self._log = log
        self._process = fork_api(port, stack.environment | dict(settings), constants, log)
        self.client = httpx.Client(base_url=self.url, timeout=TIMEOUT_S, trust_env=False)

    def wait_until_live(self) -> None:
        eventually(self._is_live, state=self.log)

    def _is_live(self) -> bool:
        with suppress(httpx.ConnectError):
            return self.client.get("/health/live").is_success
        return False

    def user(self) -> User:
        return new_user(self.client)

    def connections(self) -> int:
        """Return the number of clients' connections that it has open."""
        port = urlsplit(self.url).port
        found = psutil.Process(self.pid).net_connections("tcp")
        return sum(each.laddr.port == port and each.status != "LISTEN" for each in found)

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    def terminate(self) -> None:
        self._process.terminate()

    def wait(self) -> int:
        self._process.join(TIMEOUT_S)
        assert self._process.exitcode is not None
        return self._process.exitcode

    def log(self) -> str:
        return self._log.read_text()

    def kill(self) -> None:
        self._process.kill()
        self.wait()

    def stop(self) -> None:
        """Wait for an orderly end, but leave no process."""
        self.client.close()
        self.terminate()
        try:
            self.wait()
        finally:
            self._process.kill()


@pytest.fixture(scope="module")
def start_api(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartApi]:
    """Return a function that starts an API with these settings, and with these constants as `fork_api` has them."""
    with ExitStack() as started:

        def start(
            settings: Mapping[str, str], constants: Mapping[str, float] = UNCHANGED
        ) -> AnotherApi:
            log = tmp_path_factory.mktemp("api") / "log"
            api = AnotherApi(stack, settings, constants, log)
            started.callback(api.stop)
            api.wait_until_live()
            return api

        yield start


@pytest.fixture(scope="module")
def strict_api(start_api: StartApi) -> AnotherApi:
    """An API with closed registration and links that expire."""
    closed = {"REGISTRATION": "closed", "ADMIN_TOKEN": ADMIN_TOKEN}
    return start_api(closed | {"LINK_TTL_S": "3600", "LINK_KEYS": "a key of the operator"})


@pytest.fixture
def left_behind(stack: Stack, user: User) -> Callable[[], list[object]]:
    """Return a function that lists the user's rows and files."""

    def find() -> list[object]:
        listed = user.client.get("/records", params=user.credentials).json()["records"]
        return [*listed, *(stack.data_dir / "media" / user.id).glob("*")]

    return find
