"""Parses a multipart/form-data body (RFC 7578) as it arrives."""

import re
from enum import Enum, auto
from typing import NamedTuple

from python_multipart.multipart import parse_options_header

from api.http.disposition import parse_disposition
from shared.errors import BadUpload, NotMultipart

MAX_BOUNDARY_BYTES = 256
MAX_HEAD_BYTES = 16 * 2**10
"""Maximum size of the headers of one form part."""
MAX_PADDING_BYTES = 256
"""Maximum number of spaces between a boundary and the end of its line."""
_PLAIN_ENCODINGS = ("binary", "8bit", "7bit")
_FOLD = re.compile(rb"\r\n[ \t]+")


class PartHead(NamedTuple):
    name: str
    filename: str | None
    """None for a plain field."""
    charset: str = ""
    """The charset that the part's Content-Type names."""


class _State(Enum):
    PREAMBLE = auto()
    HEAD = auto()
    CONTENT = auto()
    EPILOGUE = auto()


class Multipart:
    """`feed` it the chunks of a body. It returns the head of each form part, followed by slices of its content.

    Text before the first boundary and after the last one is ignored (RFC 2046, 5.1.1), and folded headers are read.
    """

    def __init__(self, content_type: str, *, may_escape_names: bool = True) -> None:
        self._delimiter = b"\r\n--" + _boundary(content_type)
        self._may_escape_names = may_escape_names
        # A boundary belongs to the line break before it. The first one may start the body.
        self._buffer = bytearray(b"\r\n")
        self._state = _State.PREAMBLE
        self._events: list[PartHead | bytes] = []
        self._is_empty = True

    @property
    def complete(self) -> bool:
        return self._state is _State.EPILOGUE

    def feed(self, chunk: bytes) -> list[PartHead | bytes]:
        """Parse a chunk. Raises BadUpload."""
        self._events = []
        self._is_empty = self._is_empty and not chunk
        if self._state is _State.CONTENT and not self._buffer and self._is_content(chunk):
            return [chunk]  # Most chunks need no copy.
        self._buffer += chunk
        while self._read_head() if self._state is _State.HEAD else self._read_content():
            pass
        return self._events

    def check_complete(self) -> None:
        """Check that the body is complete. Raises BadUpload if it ended before its last boundary."""
        if self._is_empty:
            raise BadUpload("The body is empty. Send the WAV in it: curl -F 'wav_file=@song.wav'.")
        if self._state is _State.PREAMBLE:
            raise BadUpload(
                "The body does not contain the boundary that its Content-Type announces. "
                "Let the client make the Content-Type and the body together, as curl -F does."
            )
        if not self.complete:
            raise BadUpload("The body ends before its last boundary. Upload the file again.")

    def _read_content(self) -> bool:
        """Read up to the next boundary. Return whether more of the buffer can be read."""
        if self._state is _State.EPILOGUE:
            self._buffer.clear()
            return False
        start = self._buffer.find(self._delimiter)
        if start < 0:
            self._take(self._incomplete_delimiter(self._buffer))
            return False
        self._take(start)
        return self._read_delimiter()

    def _is_content(self, chunk: bytes) -> bool:
        return self._delimiter not in chunk and self._incomplete_delimiter(chunk) == len(chunk)

    def _incomplete_delimiter(self, data: bytes | bytearray) -> int:
        """Return the position of a boundary's beginning at the end of `data`, or the length of `data`."""
        # A boundary has no other line break, so only the last CR can start an incomplete one.
        last = data.rfind(b"\r", -len(self._delimiter))
        is_start = last >= 0 and self._delimiter.startswith(data[last:])
        return last if is_start else len(data)

    def _read_delimiter(self) -> bool:
        """Read the boundary at the start of the buffer, or take it as content if other bytes follow on the line."""
        size = len(self._delimiter)
        line_end = bytes(self._buffer[size : size + MAX_PADDING_BYTES + 2]).lstrip(b" \t")
        if line_end.startswith(b"--"):
            self._state = _State.EPILOGUE
        elif line_end.startswith(b"\r\n"):
            # The head starts with this line break, so that a head without headers ends with two as well.
            del self._buffer[: self._buffer.index(b"\r\n", size)]
            self._state = _State.HEAD
        elif line_end in (b"", b"-", b"\r") and len(self._buffer) <= size + MAX_PADDING_BYTES:
            return False
        else:
            self._take(size)
        return True

    def _take(self, size: int) -> None:
        if size and self._state is _State.CONTENT:
            self._events.append(bytes(self._buffer[:size]))
        del self._buffer[:size]

    def _read_head(self) -> bool:
        end = self._buffer.find(b"\r\n\r\n")
        if max(end, len(self._buffer) if end < 0 else 0) > MAX_HEAD_BYTES:
            raise BadUpload(f"The headers of a form part are larger than {MAX_HEAD_BYTES} bytes.")
        if end < 0:
            return False
        headers = _parse_headers(bytes(self._buffer[2:end]))
        del self._buffer[: end + 4]
        parsed = parse_disposition(
            headers.get(b"content-disposition", b""),
            may_escape=self._may_escape_names,
            # aiohttp, which encodes spaces too, writes another header first.
            may_escape_ascii=next(iter(headers), b"") != b"content-disposition",
        )
        self._events.append(PartHead(*parsed, charset=_charset(headers)))
        self._state = _State.CONTENT
        return True


def _boundary(content_type: str) -> bytes:
    kind, parameters = parse_options_header(content_type)
    if kind != b"multipart/form-data":
        raise NotMultipart
    boundary = parameters.get(b"boundary", b"")
    if not boundary:
        raise NotMultipart(
            "The Content-Type has no boundary. Do not set this header yourself: the client makes it from the form, "
            "as in curl -F 'wav_file=@song.wav'."
        )
    if len(boundary) > MAX_BOUNDARY_BYTES:
        raise NotMultipart(
            f"The boundary in the Content-Type is longer than {MAX_BOUNDARY_BYTES} bytes. Send a shorter one."
        )
    return boundary


def _charset(headers: dict[bytes, bytes]) -> str:
    """Return the charset of a part's text. Raises BadUpload if its bytes are encoded."""
    encoding = headers.get(b"content-transfer-encoding", b"binary").decode("latin-1").lower()
    if encoding not in _PLAIN_ENCODINGS:
        raise BadUpload(
            f"A form part has the Content-Transfer-Encoding {encoding[:40]!r}, which forms no longer have (RFC 7578). "
            "Send its bytes as they are."
        )
    _, parameters = parse_options_header(headers.get(b"content-type"))
    return parameters.get(b"charset", b"").decode("latin-1")


def _parse_headers(head: bytes) -> dict[bytes, bytes]:
    headers = {}
    for line in filter(None, _FOLD.sub(b" ", head).split(b"\r\n")):
        name, colon, value = line.partition(b":")
        if not colon:
            raise BadUpload(
                "A header of a form part has no colon. Send the form as curl -F 'wav_file=@song.wav' does."
            )
        headers[name.strip().lower()] = value.strip()
    return headers
