"""Clients that leave, stall or never finish a request, in great numbers. The others must not notice."""

import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from urllib.parse import parse_qs, urlsplit

import psutil
import pytest

from local.stack import Stack
from tests.api.conftest import AnotherApi, StartApi, start_api  # noqa: F401 -- a fixture
from tests.api.wire import SHORT_WAV, eventually
from tests.browser.conftest import frozen_workers  # noqa: F401 -- a fixture
from tests.conftest import ROOT, User
from tests.faults.crowds import CROWDS, Target, connect, stalled_uploads

pytestmark = pytest.mark.exhaustive

STALLED_S = 10
"""Much longer than an answer takes, even on a busy machine. `make bench` measures how long it takes."""
GONE_WITHIN_S = 60
POLITE_CONNECTIONS = 3
LIVE = b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n"
MAX_IMPORTS = 0.2
"""The limit of processor time, in imports of the API, so that it suits slow machines too. It took 0.08 of an import,
and 0.4 when the event loop accepted one connection in each round."""


@pytest.fixture
def api(start_api: StartApi) -> AnotherApi:  # noqa: F811 -- the fixture
    return start_api({})


def target(api: AnotherApi, user: User) -> Target:
    waiting = user.upload(SHORT_WAV, "waiting.wav").json()["id"]
    port = urlsplit(api.url).port
    assert port is not None
    return Target(port, user.credentials, waiting)


@contextmanager
def live_times_s(api: AnotherApi) -> Iterator[list[float]]:
    """Ask for `/health/live` all the time. The list has the times of the answers once the block ends."""
    times_s: list[float] = []
    command = [sys.executable, "-m", "tests.faults.ask_live", api.url]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as asking:
        assert asking.stdout is not None
        times_s.append(float(asking.stdout.readline()))
        yield times_s
        assert asking.poll() is None, "a request failed"
        asking.terminate()
        times_s += map(float, asking.stdout.read().split())


@pytest.mark.parametrize("crowd", CROWDS)
def test_a_crowd_of_bad_clients_stalls_nobody(
    api: AnotherApi,
    user: User,
    frozen_workers: AbstractContextManager[None],  # noqa: F811 -- the fixture
    crowd: str,
) -> None:
    bad, good = api.user(), api.user()
    done = user.upload(SHORT_WAV).json()["download_link"]
    assert user.client.get(done).is_success
    with frozen_workers, ExitStack() as stack, live_times_s(api) as times_s:
        for connection in CROWDS[crowd](target(api, bad)):
            stack.callback(connection.close)
        assert good.upload(SHORT_WAV).status_code == 202
        assert api.client.get("/record", params=parse_qs(urlsplit(done).query)).is_success
        eventually(lambda: api.connections() <= POLITE_CONNECTIONS, within_s=GONE_WITHIN_S)
        assert not _uploading(bad)
    assert max(times_s) < STALLED_S, sorted(times_s)[-5:]


def _uploading(user: User) -> bool:
    records = user.client.get("/records", params=user.credentials).json()["records"]
    return any(record["status"] == "uploading" for record in records)


def test_an_answer_costs_little_after_a_crowd(api: AnotherApi, stack: Stack) -> None:
    """The time of a busy machine says little. The processor time shows what the process did before it answered."""
    aimed = target(api, api.user())
    process = psutil.Process(api.pid)
    import_s = _import_s(stack)
    with ExitStack() as opened:
        process.suspend()
        try:
            for connection in stalled_uploads(aimed):
                opened.callback(connection.close)
            last = opened.enter_context(connect(aimed.port, LIVE))
            before_s = sum(process.cpu_times()[:2])
        finally:
            process.resume()
        assert last.recv(1000).startswith(b"HTTP/1.1 200 ")
        assert sum(process.cpu_times()[:2]) - before_s < MAX_IMPORTS * import_s


def _import_s(stack: Stack) -> float:
    """Return the processor time of an import of the API."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-c", "import api.main"]
    subprocess.run(command, cwd=ROOT, env=stack.environment, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
