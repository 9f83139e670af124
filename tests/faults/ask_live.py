"""Asks for `/health/live` every 50 ms, each time on a new connection. Prints how many seconds each answer took."""

import socket
import sys
import time
from urllib.parse import urlsplit

REQUEST = b"GET /health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


def main(url: str) -> None:
    address = urlsplit(url)
    while True:
        started_s = time.monotonic()
        with socket.create_connection((address.hostname, address.port)) as connection:
            connection.sendall(REQUEST)
            assert connection.recv(1000).startswith(b"HTTP/1.1 200 ")
        print(time.monotonic() - started_s, flush=True)
        time.sleep(0.05)


if __name__ == "__main__":
    main(sys.argv[1])
