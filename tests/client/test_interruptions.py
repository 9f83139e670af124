"""Runs that are killed, connections that are lost, and a service that is busy."""

import re
import signal
from contextlib import closing
from pathlib import Path

import pytest
from wav2mp3 import Client, Wav2mp3Error

from local.stack import Stack
from tests.api.wire import eventually
from tests.client import proxy
from tests.client.conftest import RATE_HZ, TIMEOUT_S, Command, frozen_workers
from tests.client.proxy import Fate
from tests.conftest import User

pytestmark = pytest.mark.exhaustive

BUSY = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n"
# The first connection is the check of the login.
CHECK = Fate()


def partials(command: Command) -> list[Path]:
    return list(command.folder.glob(".wav2mp3-*.partial"))


@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGINT])
def test_an_interrupted_run_is_continued(
    command: Command, stack: Stack, user: User, sent: signal.Signals
) -> None:
    command.wav("a.wav", 12345)
    # A shell makes its background jobs ignore SIGINT, and the command would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with frozen_workers(stack), command.start("convert", "a.wav", "--keep") as process:
        eventually(lambda: bool(partials(command)))
        process.send_signal(sent)
        _, errors = process.communicate(timeout=TIMEOUT_S)
    if sent == signal.SIGINT:
        assert process.returncode == 130
        assert errors.endswith("Stopped. Run the same command again to continue.\n")
        assert "Traceback" not in errors
    assert command.run("convert", "a.wav", "--keep").status == 0
    assert command.files() == {"a.mp3"}
    assert command.frames("a.mp3") == 12345
    listed = user.client.get("/records", params=user.credentials).json()["records"]
    assert [record["filename"] for record in listed] == ["a.wav"]


def test_other_options_start_again(command: Command, stack: Stack, user: User) -> None:
    command.wav("a.wav")
    with frozen_workers(stack), command.start("convert", "a.wav") as process:
        eventually(lambda: bool(partials(command)))
        process.kill()
        old = user.client.get("/records", params=user.credentials).json()["records"]
    assert command.run("convert", "a.wav", "--quality", "0").status == 0
    assert command.files() == {"a.mp3"}
    assert [user.client.get(f"/records/{one['id']}").status_code for one in old] == [410]


def test_a_record_that_is_gone_is_uploaded_again(
    command: Command, stack: Stack, user: User
) -> None:
    command.wav("a.wav", 12345)
    with frozen_workers(stack), command.start("convert", "a.wav") as process:
        eventually(lambda: bool(partials(command)))
        process.kill()
    (partial,) = partials(command)
    user.client.delete(f"/records/{partial.stem[-36:]}", params=user.credentials)
    assert command.run("convert", "a.wav").status == 0
    assert command.files() == {"a.mp3"}


def test_a_cut_upload_is_repeated(command: Command, service_url: str) -> None:
    command.wav("a.wav", 3 * RATE_HZ)
    with proxy.running(service_url, CHECK, Fate(most_sent=100_000)) as cut:
        ended = command.run("convert", "a.wav", WAV2MP3_URL=cut.url)
    assert ended.status == 0, ended.errors
    assert "a.wav: waiting for the service\n" in ended.errors
    assert command.frames("a.mp3") == 3 * RATE_HZ


def test_a_cut_download_continues(command: Command, service_url: str) -> None:
    command.wav("a.wav", 20 * RATE_HZ)
    with proxy.running(service_url, CHECK, Fate(most_received=100_000)) as cut:
        ended = command.run("convert", "a.wav", "--bitrate-kbps", "320", WAV2MP3_URL=cut.url)
    assert ended.status == 0, ended.errors
    assert command.frames("a.mp3") == 20 * RATE_HZ
    (begin,) = re.findall(rb"Range: bytes=(\d+)-\r\n", cut.sent)
    assert 0 < int(begin) < 100_000


def test_a_conversion_keeps_the_record_of_a_cut_download(
    command: Command, service_url: str, user: User
) -> None:
    record_id = user.upload(command.wav("a.wav", 20 * RATE_HZ).read_bytes(), "a.wav").json()["id"]
    with (
        proxy.running(service_url, Fate(most_received=50_000)) as cut,
        closing(Client(cut.url, user.id, user.token, patience_s=0)) as client,
        pytest.raises(Wav2mp3Error, match="There is no answer"),
    ):
        client.download(record_id, command.folder / "a.mp3")
    assert len(partials(command)) == 1
    assert command.run("convert", "a.wav").status == 0
    assert user.client.get(f"/records/{record_id}").status_code == 200


def test_a_busy_service_is_asked_again(command: Command, service_url: str) -> None:
    command.wav("a.wav")
    with proxy.running(service_url, CHECK, Fate(answer=BUSY)) as busy:
        assert command.run("convert", "a.wav", WAV2MP3_URL=busy.url).status == 0


def test_patience_ends(command: Command, service_url: str) -> None:
    command.wav("a.wav")
    with proxy.running(service_url, CHECK, *[Fate(most_sent=0)] * 20) as dead:
        ended = command.run("convert", "a.wav", "--patience", "1", WAV2MP3_URL=dead.url)
    assert ended.status == 1
    assert f"There is no answer from {dead.url} (" in ended.errors
