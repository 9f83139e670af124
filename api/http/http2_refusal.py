"""Refuses HTTP/2 with the error code that makes clients repeat the request with HTTP/1.1.

A client with prior knowledge (`curl --http2-prior-knowledge`) starts with HTTP/2's preface. A plain HTTP/1.1 answer is
not a frame, so such a client would see an empty reply. In: the client's bytes. Out: the bytes to send. Raises nothing.
Source: RFC 9113: 3.4 preface, 4.1 frames, 6.4 RST_STREAM, 7 HTTP_1_1_REQUIRED.
"""

import struct

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_HEADER_BYTES = 9
_HEADERS, _RST_STREAM, _SETTINGS = 0x1, 0x3, 0x4
_ACK = 0x1
_HTTP_1_1_REQUIRED = struct.pack(">I", 0xD)


class Http2Refusal:
    """Answers the frames of one connection: acknowledges settings, and resets each stream that begins."""

    def __init__(self) -> None:
        self._unread = bytearray()
        self._skip_bytes = len(PREFACE)
        self._greeting = _frame(_SETTINGS)

    def answer(self, data: bytes) -> bytes:
        """Return the bytes to send after the client has sent `data`."""
        # A bytearray, because bytes would be copied for each of many frames.
        answer = bytearray(self._greeting)
        self._greeting = b""
        self._unread += data
        while self._skip() and len(self._unread) >= _HEADER_BYTES:
            size, kind, flags, stream = _parse(bytes(self._unread[:_HEADER_BYTES]))
            self._skip_bytes = _HEADER_BYTES + size
            if kind == _HEADERS:
                answer += _frame(_RST_STREAM, stream=stream, payload=_HTTP_1_1_REQUIRED)
            elif kind == _SETTINGS and not flags & _ACK:
                answer += _frame(_SETTINGS, flags=_ACK)
        return bytes(answer)

    def _skip(self) -> bool:
        """Drop the preface or the last frame. Return whether the next byte starts a frame."""
        skipped = min(self._skip_bytes, len(self._unread))
        del self._unread[:skipped]
        self._skip_bytes -= skipped
        return not self._skip_bytes


def _frame(kind: int, *, flags: int = 0, stream: int = 0, payload: bytes = b"") -> bytes:
    return struct.pack(">IBI", len(payload) << 8 | kind, flags, stream) + payload


def _parse(header: bytes) -> tuple[int, int, int, int]:
    """Return the payload's size, the type, the flags and the stream."""
    size_and_kind, flags, stream = struct.unpack(">IBI", header)
    return size_and_kind >> 8, size_and_kind & 0xFF, flags, stream & 0x7FFFFFFF
