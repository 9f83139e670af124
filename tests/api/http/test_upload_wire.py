"""POST /record on raw sockets: slow, broken, large and malformed requests."""

import http.client
import shutil
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from urllib.parse import urlsplit

import httpx
import pytest

from local.stack import Stack
from tests.api.wire import (
    CONTENT_TYPE,
    END,
    SHORT_WAV,
    eventually,
    form,
    part,
    refused,
    wav_head,
    wire,
)
from tests.conftest import User
from tests.wavs import build, sine

LeftBehind = Callable[[], list[object]]
MIB = 2**20
DRAIN_IDLE_TIMEOUT_S = 5  # of api/http/request_body.py
IDLE_TIMEOUT_S = 3  # set by tests/conftest.py
LEAST_BYTES_PER_S = 4096  # the default of MIN_UPLOAD_BYTES_PER_S
RSS_GROWTH_KIB = 30 * 1024


def test_credentials_are_checked_before_the_body(service_url: str, user: User) -> None:
    stranger = User(user.client, user.id, "wrong")
    with wire(service_url) as connection:
        connection.begin(stranger, ("Content-Length", 10**9))
        refused(connection.answer(), 401, "bad_credentials")


def test_a_chunked_body_is_accepted(service_url: str, user: User) -> None:
    body = form(SHORT_WAV)
    with wire(service_url) as connection:
        connection.begin(user, ("Transfer-Encoding", "chunked"))
        connection.send_chunks(body[at : at + 1000] for at in range(0, len(body), 1000))
        connection.end_chunks()
        assert connection.answer().status_code == 202


def test_a_body_arrives_byte_by_byte(service_url: str, user: User) -> None:
    body = form(SHORT_WAV[:1044])
    with wire(service_url) as connection:
        connection.begin(user, ("Content-Length", len(body)))
        for at in range(len(body)):
            connection.send(body[at : at + 1])
        accepted = connection.answer()
    assert accepted.status_code == 202, accepted.text
    assert user.wait(accepted.json()["id"])["status"] == "done"


@pytest.mark.exhaustive
def test_a_slow_upload_keeps_its_lease(service_url: str, user: User) -> None:
    body = form(build(sine(30_000)))
    piece_bytes = LEAST_BYTES_PER_S * IDLE_TIMEOUT_S // 3
    with wire(service_url) as connection:
        connection.begin(user, ("Content-Length", len(body)))
        for at in range(0, len(body), piece_bytes):
            time.sleep(IDLE_TIMEOUT_S / 4)
            connection.send(body[at : at + piece_bytes])
        assert connection.answer().status_code == 202


def test_a_trickling_upload_is_aborted(
    service_url: str, user: User, left_behind: LeftBehind
) -> None:
    with wire(service_url) as connection:
        connection.begin(user, ("Content-Length", 10**6))
        connection.send(part(wav_head(10**6)))
        for _ in range(4 * IDLE_TIMEOUT_S):
            time.sleep(0.5)
            connection.send(bytes(LEAST_BYTES_PER_S // 10))
            if connection.has_answer():
                break
        refused(connection.answer(), 408, "upload_timeout")
    eventually(lambda: not left_behind())


def test_a_broken_upload_leaves_nothing(
    service_url: str, user: User, left_behind: LeftBehind
) -> None:
    with wire(service_url) as connection:
        connection.begin(user, ("Content-Length", 10**6))
        connection.send(part(SHORT_WAV + bytes(100_000)))
        eventually(lambda: len(left_behind()) == 2)  # a row and a file
    eventually(lambda: not left_behind())
    assert user.upload(SHORT_WAV, "wire.wav").status_code == 202


def test_a_silent_upload_is_aborted(service_url: str, user: User, left_behind: LeftBehind) -> None:
    body = form(SHORT_WAV)
    with wire(service_url) as connection:
        connection.begin(user, ("Content-Length", len(body) + 1))
        connection.send(body)
        refused(connection.answer(), 408, "upload_timeout")
        assert not left_behind()


@pytest.mark.parametrize("extra", [[], [("Connection", "close")]], ids=["keep-alive", "close"])
@pytest.mark.parametrize("version", ["1.1", "1.0"])
def test_a_sending_client_gets_the_refusal(
    service_url: str, user: User, extra: list[tuple[str, str]], version: str
) -> None:
    with wire(service_url) as connection:
        connection.begin(user, ("Content-Length", 30 * MIB), *extra, version=version)
        connection.send(part(b"fLaC"), *[bytes(MIB)] * 29, bytes(MIB - len(part(b"fLaC"))))
        assert "FLAC" in refused(connection.answer(), 415, "not_a_wav")
        assert connection.is_closed()


def test_a_waiting_client_is_refused_at_once(service_url: str, user: User) -> None:
    with wire(service_url) as connection:
        connection.begin(user, ("Content-Length", 10**9))
        connection.send(part(b"fLaC" + bytes(MIB)))
        before_s = time.monotonic()
        answer = connection.answer()
        assert time.monotonic() - before_s < DRAIN_IDLE_TIMEOUT_S - 1
        refused(answer, 415, "not_a_wav")
        assert answer.headers["Connection"] == "close"


def test_http_client_gets_the_refusal(service_url: str, user: User) -> None:
    connection = http.client.HTTPConnection(urlsplit(service_url).netloc)
    path = f"/record?user_id={user.id}&token={user.token}"
    connection.request(
        "POST", path, form(b"OggS" + bytes(20 * MIB)), {"Content-Type": CONTENT_TYPE}
    )
    got = connection.getresponse()
    answer = httpx.Response(got.status, headers=got.getheaders(), content=got.read())
    connection.close()
    assert "Ogg" in refused(answer, 415, "not_a_wav")


def test_expect_100_continue_is_answered(service_url: str, user: User) -> None:
    body = form(SHORT_WAV)
    with wire(service_url) as connection:
        connection.begin(user, ("Content-Length", len(body)), ("Expect", "100-continue"))
        assert connection.line() == b"HTTP/1.1 100 Continue\r\n"
        assert connection.line() == b"\r\n"
        connection.send(body)
        assert connection.answer().status_code == 202


def test_a_refusal_replaces_100_continue(service_url: str, user: User) -> None:
    with wire(service_url) as connection:
        stranger = User(user.client, user.id, "wrong")
        connection.begin(stranger, ("Content-Length", 10**9), ("Expect", "100-continue"))
        # Not `answer()`, which skips a 100.
        assert connection.line() == b"HTTP/1.1 401 Unauthorized\r\n"


def test_an_impossible_bitrate_is_refused_early(
    service_url: str, user: User, left_behind: LeftBehind
) -> None:
    with wire(service_url) as connection:
        connection.begin(user, ("Content-Length", 10**9), bitrate_kbps="8")
        connection.send(part(wav_head(10**8))[:-2], bytes(64 * 1024))
        assert "44100 Hz" in refused(connection.answer(), 422, "bad_options")
    assert not left_behind()


def test_curl_shows_the_refusal(service_url: str, user: User, tmp_path: Path) -> None:
    curl = shutil.which("curl")
    if curl is None:
        pytest.skip("curl is not installed")
    flac = tmp_path / "big.flac"
    flac.write_bytes(b"fLaC" + bytes(30 * MIB))
    url = f"{service_url}/record?user_id={user.id}&token={user.token}"
    command = [curl, "--silent", "--noproxy", "*", "-F", f"wav_file=@{flac}", url]
    assert b"This is FLAC" in subprocess.run(command, check=True, capture_output=True).stdout


def test_deleting_a_record_ends_its_upload(
    service_url: str, user: User, left_behind: LeftBehind
) -> None:
    with wire(service_url) as connection:
        connection.begin(user, ("Transfer-Encoding", "chunked"))
        connection.send_chunks([part(wav_head(10**8))])
        eventually(lambda: len(left_behind()) == 2)
        (record,) = user.client.get("/records", params=user.credentials).json()["records"]
        assert record["status"] == "uploading"
        deleted = user.client.delete(f"/records/{record['id']}", params=user.credentials)
        assert deleted.status_code == 204
        for _ in range(10):
            connection.send_chunks([bytes(1000)])
            time.sleep(IDLE_TIMEOUT_S / 10)
        refused(connection.answer(), 410, "record_gone")
    assert not left_behind()


def test_a_large_upload_needs_little_memory(stack: Stack, user: User) -> None:
    record = user.upload(SHORT_WAV).json()
    took_s: list[float] = []
    arrived = threading.Event()

    def poll() -> None:
        while not arrived.is_set():
            before_s = time.monotonic()
            assert user.client.get(f"/records/{record['id']}").is_success
            took_s.append(time.monotonic() - before_s)
            time.sleep(0.02)

    poller = threading.Thread(target=poll)
    with wire(stack.api_url) as connection:
        connection.begin(user, ("Transfer-Encoding", "chunked"))
        connection.send_chunks([part(wav_head(300 * MIB))[:-2], bytes(MIB)])
        before_kib = _rss_kib(stack)
        poller.start()
        connection.send_chunks([bytes(MIB)] * 299)
        after_kib = _rss_kib(stack)
        arrived.set()
        poller.join()
        connection.send_chunks([b"\r\n" + END])
        connection.end_chunks()
        accepted = connection.answer()
    user.client.delete(f"/records/{accepted.json()['id']}", params=user.credentials)
    assert accepted.status_code == 202, accepted.text
    assert after_kib - before_kib < RSS_GROWTH_KIB
    assert len(took_s) > 5
    assert median(took_s) < 1


def _rss_kib(stack: Stack) -> int:
    command = ["ps", "-o", "rss=", "-p", str(stack.pid("api"))]
    return int(subprocess.run(command, check=True, capture_output=True).stdout)
