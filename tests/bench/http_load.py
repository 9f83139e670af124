"""Sends the same GET again and again on several connections: `python -m tests.bench.http_load PORT PATH N SECONDS`.

Prints the answers per second, and the 95th percentile of their times in milliseconds.
"""

import asyncio
import sys
import time
from statistics import quantiles

import uvloop


async def main(port: int, path: str, connections: int, duration_s: float) -> None:
    request = f"GET {path} HTTP/1.1\r\nHost: bench\r\n\r\n".encode()
    end_s = time.monotonic() + duration_s
    times_s: list[float] = []

    async def ask() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while (started_s := time.monotonic()) < end_s:
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200 "), head
            length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
            await reader.readexactly(int(length))
            times_s.append(time.monotonic() - started_s)
        writer.close()

    await asyncio.gather(*(ask() for _ in range(connections)))
    print(len(times_s) / duration_s, 1000 * quantiles(times_s, n=20)[-1])


if __name__ == "__main__":
    port, path, connections, duration_s = sys.argv[1:]
    uvloop.run(main(int(port), path, int(connections), float(duration_s)))
