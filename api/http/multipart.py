"""Parses a multipart/form-data body (RFC 7578) as it arrives."""

import re
from typing import NamedTuple

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from shared.errors import BadUpload, NotMultipart

MAX_FILENAME_CHARS = 500
"""PostgreSQL's index on (user_id, filename) holds at most 2.7 kB, and a character may take four bytes."""
# C0, C1, line and paragraph separators, and bidirectional controls. Joiners are allowed: emoji, Persian and Hindi
# need them.
_CONTROLS = re.compile("[\\0-\\x1f\\x7f-\\x9f\\u2028-\\u202e\\u2066-\\u2069\\ufeff]")


class PartHead(NamedTuple):
    name: str
    filename: str | None
    """None for a plain field."""


class Multipart:
    """`feed` it the chunks of a body. It returns the head of each form part, followed by slices of its content."""

    def __init__(self, content_type: str) -> None:
        kind, parameters = parse_options_header(content_type)
        if kind != b"multipart/form-data" or not parameters.get(b"boundary"):
            raise NotMultipart
        self.complete = False
        self._events: list[PartHead | memoryview] = []
        self._field = self._value = b""
        self._disposition = ""
        try:
            self._parser = MultipartParser(
                parameters[b"boundary"],
                {
                    "on_header_field": self._on_header_field,
                    "on_header_value": self._on_header_value,
                    "on_header_end": self._on_header_end,
                    "on_headers_finished": self._on_headers_finished,
                    "on_part_data": self._on_part_data,
                    "on_end": self._on_end,
                },
            )
        except FormParserError as error:
            raise NotMultipart from error

    def feed(self, chunk: bytes) -> list[PartHead | memoryview]:
        self._events = []
        try:
            self._parser.write(chunk)
        except FormParserError as error:
            raise BadUpload from error
        return self._events

    def _on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._field += data[start:end]

    def _on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _on_header_end(self) -> None:
        if self._field.lower() == b"content-disposition":
            self._disposition = self._value.decode("latin-1")
        self._field = self._value = b""

    def _on_headers_finished(self) -> None:
        _, parameters = parse_options_header(self._disposition)
        name, filename = parameters.get(b"name"), parameters.get(b"filename")
        self._events.append(
            PartHead(
                "" if name is None else _decode(name),
                None if filename is None else _decode(filename),
            )
        )
        self._disposition = ""

    def _on_part_data(self, data: bytes, start: int, end: int) -> None:
        self._events.append(memoryview(data)[start:end])

    def _on_end(self) -> None:
        self.complete = True


def _decode(value: bytes) -> str:
    """Decode a name. Browsers and curl send UTF-8, old clients Latin-1."""
    try:
        text = value.decode()
    except UnicodeDecodeError:
        text = value.decode("latin-1")
    # Browsers escape exactly these three (WHATWG HTML, multipart/form-data encoding algorithm).
    return text.replace("%22", '"').replace("%0D", "\r").replace("%0A", "\n")


def clean_filename(sent: str) -> str:
    """Return the last component of a path, without control characters. It is a label, never a path on disk."""
    base = sent.replace("\\", "/").rpartition("/")[2]
    name = _CONTROLS.sub(" ", base).strip()
    if name in ("", ".", ".."):
        raise BadUpload("The file has no name. Send one: curl -F 'wav_file=@song.wav'.")
    if len(name) > MAX_FILENAME_CHARS:
        raise BadUpload(
            f"The filename is longer than {MAX_FILENAME_CHARS} characters. Rename the file."
        )
    return name
