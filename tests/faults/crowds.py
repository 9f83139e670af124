"""Crowds of clients that leave, stall or never finish a request. Each function returns the connections it holds."""

import socket
import time
from collections.abc import Callable
from typing import NamedTuple
from urllib.parse import urlencode

from api.http import raise_descriptor_limit
from tests.api.wire import CONTENT_TYPE, part, wav_head

ABANDONED_WAITS = 2000
HALF_SENT_HEADS = 1500
STALLED_UPLOADS = 500
TIMEOUT_S = 60


class Target(NamedTuple):
    port: int
    credentials: dict[str, str]
    waiting_record: str


Crowd = Callable[[Target], list[socket.socket]]


def connect(port: int, sent: bytes) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port), TIMEOUT_S)
    connection.sendall(sent)
    return connection


def abandoned_waits(target: Target) -> list[socket.socket]:
    path = f"/records/{target.waiting_record}"
    request = f"GET {path} HTTP/1.1\r\nHost: x\r\nPrefer: wait=30\r\n\r\n".encode()
    for _ in range(ABANDONED_WAITS):
        connect(target.port, request).close()
    return []


def half_sent_heads(target: Target) -> list[socket.socket]:
    raise_descriptor_limit(2 * HALF_SENT_HEADS + STALLED_UPLOADS)  # an ordinary user has 1,024
    sent = b"GET /health/live HTTP/1.1\r\nHo"
    return [connect(target.port, sent) for _ in range(HALF_SENT_HEADS)]


def stalled_uploads(target: Target) -> list[socket.socket]:
    head = (
        f"POST /record?{urlencode(target.credentials)} HTTP/1.1\r\nHost: x\r\n"
        f"Content-Type: {CONTENT_TYPE}\r\nContent-Length: 1000000\r\n\r\n"
    ).encode()
    content = wav_head(10**6) + bytes(1000)
    names = (f"{time.monotonic()}-{number}.wav" for number in range(STALLED_UPLOADS))
    return [connect(target.port, head + part(content, name.encode())) for name in names]


def all_at_once(target: Target) -> list[socket.socket]:
    return [*half_sent_heads(target), *stalled_uploads(target), *abandoned_waits(target)]


CROWDS: dict[str, Crowd] = {
    f"{ABANDONED_WAITS:,} abandoned waits": abandoned_waits,
    f"{HALF_SENT_HEADS:,} half-sent heads": half_sent_heads,
    f"{STALLED_UPLOADS:,} stalled uploads": stalled_uploads,
    "all three crowds at once": all_at_once,
}
