"""The parser of httptools, extended to ignore the offer of another protocol.

`curl --http2` and Java's HttpClient send `Upgrade: h2c` with each request. A server may ignore it, and must then read
the request as HTTP/1.1 (RFC 9110, 7.8). httptools stops after the head instead, and the body is lost.
"""

from typing import Protocol

from httptools import HttpParserUpgrade, HttpRequestParser


class Callbacks(Protocol):
    """Attributes of uvicorn's HttpToolsProtocol: the request that is being read."""

    url: bytes
    headers: list[tuple[bytes, bytes]]


class Http1Parser:
    """Parses the head of a request with an offer a second time, without the offer."""

    def __init__(self, callbacks: Callbacks) -> None:
        self._callbacks = callbacks
        self._start()

    def _start(self) -> None:
        self._parser = HttpRequestParser(self._callbacks)
        # As in uvicorn: read a request even if the one before it announced the end of the connection.
        self._parser.set_dangerous_leniencies(lenient_data_after_close=True)

    def offers_upgrade(self) -> bool:
        """Return whether the current head offers another protocol. CONNECT is not an offer: it asks for a tunnel."""
        return bool(self._parser.should_upgrade()) and self.get_method() != b"CONNECT"

    def feed_data(self, data: bytes) -> None:
        # A loop, because each of many pipelined requests may have an offer.
        while data:
            try:
                self._parser.feed_data(data)
            except HttpParserUpgrade as upgrade:
                if not self.offers_upgrade():
                    raise
                data = self._head_without_offer() + data[upgrade.args[0] :]
                self._start()
            else:
                return

    def _head_without_offer(self) -> bytes:
        version = self.get_http_version().encode()
        lines = [b"%s %s HTTP/%s" % (self.get_method(), self._callbacks.url, version)]
        lines += [
            b"%s: %s" % (name, value)
            for name, value in self._callbacks.headers
            if name != b"upgrade"
        ]
        return b"\r\n".join([*lines, b"", b""])

    def get_method(self) -> bytes:
        return bytes(self._parser.get_method())

    def get_http_version(self) -> str:
        return str(self._parser.get_http_version())

    def should_keep_alive(self) -> bool:
        return bool(self._parser.should_keep_alive())

    def should_upgrade(self) -> bool:
        """Return False: uvicorn must not treat a body as another protocol."""
        return False
