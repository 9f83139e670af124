"""Clients that begin with HTTP/2 are told to use HTTP/1.1."""

import json
import shutil
import struct
import subprocess
from pathlib import Path

import pytest

from api.http.http2_refusal import PREFACE, Http2Refusal
from tests.api.wire import SHORT_WAV, wire
from tests.conftest import User

DATA, HEADERS, RST_STREAM, SETTINGS, WINDOW_UPDATE = 0, 1, 3, 4, 8
ACK, END_HEADERS = 1, 4
HTTP_1_1_REQUIRED = b"\0\0\0\x0d"


def frame(kind: int, flags: int = 0, stream: int = 0, payload: bytes = b"") -> bytes:
    head = len(payload).to_bytes(3) + bytes([kind, flags])
    return head + struct.pack(">I", stream) + payload


SENT = b"".join(
    [
        PREFACE,
        frame(SETTINGS, 0, 0, bytes(18)),
        frame(WINDOW_UPDATE, 0, 0, bytes(4)),
        frame(HEADERS, END_HEADERS, 1, b"x" * 300),
        frame(DATA, 0, 1, frame(HEADERS, END_HEADERS, 7) * 100),
        frame(SETTINGS, ACK),
        frame(HEADERS, END_HEADERS, 3, b"x"),
    ]
)
ANSWER = b"".join(
    [
        frame(SETTINGS),
        frame(SETTINGS, ACK),
        frame(RST_STREAM, 0, 1, HTTP_1_1_REQUIRED),
        frame(RST_STREAM, 0, 3, HTTP_1_1_REQUIRED),
    ]
)


@pytest.mark.parametrize("piece_bytes", [1, 2, 9, 24, 25, 1000, len(SENT)])
def test_each_stream_is_reset(piece_bytes: int) -> None:
    refusal = Http2Refusal()
    starts = range(0, len(SENT), piece_bytes)
    answers = [refusal.answer(SENT[start : start + piece_bytes]) for start in starts]
    assert b"".join(answers) == ANSWER
    assert answers[0].startswith(frame(SETTINGS))


def test_a_flood_of_frames_ends_the_connection(service_url: str) -> None:
    with wire(service_url) as connection:
        connection.send(PREFACE)
        with pytest.raises(ConnectionError):  # a broken pipe or a reset, but no timeout
            connection.send(*[frame(HEADERS, END_HEADERS, 1) * 1000] * 1000)


def test_a_preface_inside_a_connection_is_refused(service_url: str) -> None:
    with wire(service_url) as connection:
        connection.send(b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n")
        assert connection.answer().is_success
        connection.send(PREFACE)
        assert connection.answer().status_code == 400


@pytest.mark.parametrize("data_bytes", [0, 10**6])
def test_curl_with_prior_knowledge_uploads(user: User, tmp_path: Path, data_bytes: int) -> None:
    curl = shutil.which("curl")
    if curl is None or "HTTP2" not in subprocess.check_output([curl, "--version"], text=True):
        pytest.skip("curl with HTTP/2 is not installed")
    wav = tmp_path / "some.wav"
    wav.write_bytes(SHORT_WAV + bytes(data_bytes))
    base = str(user.client.base_url).rstrip("/")
    url = f"{base}/record?user_id={user.id}&token={user.token}"
    command = [
        curl,
        "-sS",
        "--noproxy",
        "*",
        "--http2-prior-knowledge",
        "-F",
        f"wav_file=@{wav}",
        url,
    ]
    printed = subprocess.run(command, check=True, capture_output=True).stdout
    assert user.wait(json.loads(printed)["id"])["status"] == "done"
