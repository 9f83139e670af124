"""A TCP proxy between a client and the service that cuts connections, or answers in the service's place."""

import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit

BLOCK_BYTES = 2**14


@dataclass
class Fate:
    """The end of one connection: after a number of bytes in one direction, or with an answer of the proxy's own."""

    most_sent: float = float("inf")
    most_received: float = float("inf")
    answer: bytes = b""


@dataclass
class Proxy:
    service_url: str
    fates: list[Fate] = field(default_factory=list)
    """Those of the next connections; later ones are passed on whole."""
    sent: bytearray = field(default_factory=bytearray)
    """Everything that clients sent."""
    url: str = ""

    def handle(self, client: socket.socket) -> None:
        fate = self.fates.pop(0) if self.fates else Fate()
        if fate.answer:
            client.recv(BLOCK_BYTES)
            client.sendall(fate.answer)
            return
        address = urlsplit(self.service_url)
        with socket.create_connection((address.hostname, address.port)) as service:
            arguments = (service, client, fate.most_received)
            back = threading.Thread(target=self._pass_on, args=arguments, daemon=True)
            back.start()
            self._pass_on(client, service, fate.most_sent, self.sent)
            back.join()

    def _pass_on(
        self,
        source: socket.socket,
        target: socket.socket,
        most: float,
        seen: bytearray | None = None,
    ) -> None:
        count = 0
        with suppress(OSError):
            while count < most and (block := source.recv(BLOCK_BYTES)):
                block = block[: int(min(most - count, len(block)))]
                count += len(block)
                if seen is not None:
                    seen += block
                target.sendall(block)
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


@contextmanager
def running(service_url: str, *fates: Fate) -> Iterator[Proxy]:
    proxy = Proxy(service_url, list(fates))

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            proxy.handle(self.request)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        proxy.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield proxy
        finally:
            server.shutdown()
            thread.join()
