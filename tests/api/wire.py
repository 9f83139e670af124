"""HTTP by hand, for requests that HTTP libraries do not send, and a check of refusals."""

import http.client
import re
import select
import socket
import struct
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from urllib.parse import urlencode, urlsplit

import httpx

from tests.conftest import TIMEOUT_S, User
from tests.waiting import until
from tests.wavs import build, sine

eventually = until
BOUNDARY = b"a-boundary-of-our-own"
CONTENT_TYPE = f"multipart/form-data; boundary={BOUNDARY.decode()}"
INTERNALS = re.compile(r"/(tmp|home|media|var|usr)/|Traceback|psycopg|ffmpeg|\.py\b")
SHORT_WAV = build(sine(4410), sample_rate_hz=44100)


def part(content: bytes, filename: bytes | None = b"wire.wav", name: bytes = b"wav_file") -> bytes:
    named = b"" if filename is None else b'; filename="%s"' % filename
    head = b'--%s\r\nContent-Disposition: form-data; name="%s"%s\r\n\r\n' % (BOUNDARY, name, named)
    return head + content + b"\r\n"


END = b"--" + BOUNDARY + b"--\r\n"


def form(content: bytes, filename: bytes | None = b"wire.wav", name: bytes = b"wav_file") -> bytes:
    return part(content, filename, name) + END


def wav_head(data_bytes: int) -> bytes:
    """Return the header of a WAV with `data_bytes` of 16-bit stereo at 44,100 Hz."""
    fmt = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 2, 44100, 4 * 44100, 4, 16)
    return (
        struct.pack("<4sI4s", b"RIFF", 36 + data_bytes, b"WAVE")
        + fmt
        + struct.pack("<4sI", b"data", data_bytes)
    )


class Wire:
    """One connection."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection

    def send(self, *pieces: bytes) -> None:
        for piece in pieces:
            self._socket.sendall(piece)

    def begin(
        self, user: User, *headers: tuple[str, str | int], version: str = "1.1", **options: str
    ) -> None:
        """Send the head of an upload."""
        query = urlencode(user.credentials | options)
        lines = [f"POST /record?{query} HTTP/{version}", "Host: wire.example"]
        lines += [f"{name}: {value}" for name, value in headers]
        if not any(name == "Content-Type" for name, _ in headers):
            lines.append(f"Content-Type: {CONTENT_TYPE}")
        self.send("\r\n".join([*lines, "", ""]).encode("latin-1"))

    def send_chunks(self, pieces: Iterable[bytes]) -> None:
        for piece in pieces:
            self.send(b"%x\r\n" % len(piece), piece, b"\r\n")

    def end_chunks(self) -> None:
        self.send(b"0\r\n\r\n")

    def answer(self) -> httpx.Response:
        got = http.client.HTTPResponse(self._socket)
        got.begin()
        return httpx.Response(got.status, headers=got.getheaders(), content=got.read())

    def line(self) -> bytes:
        """Read the next line byte by byte, so that the following bytes stay unread."""
        line = b""
        while not line.endswith(b"\r\n"):
            byte = self._socket.recv(1)
            if not byte:
                break
            line += byte
        return line

    def has_answer(self, within_s: float = 0) -> bool:
        return bool(select.select([self._socket], [], [], within_s)[0])

    def is_closed(self) -> bool:
        try:
            return self._socket.recv(1) == b""
        except ConnectionResetError:  # The service had not read everything.
            return True


@contextmanager
def wire(service_url: str) -> Iterator[Wire]:
    address = urlsplit(service_url)
    assert address.hostname
    assert address.port
    with socket.create_connection((address.hostname, address.port), TIMEOUT_S) as connection:
        yield Wire(connection)


def refused(answer: httpx.Response, status: int, code: str) -> str:
    """Check that the answer is this problem. Return its detail."""
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    problem = answer.json()
    assert problem["type"] == "about:blank"
    assert problem["title"]
    assert problem["status"] == status
    assert problem["code"] == code
    detail: str = problem["detail"]
    assert detail.endswith(".")
    assert not INTERNALS.search(answer.text)
    return detail
