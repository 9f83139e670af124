"""Measures an upload of 1 GB by curl, beside the same body sent to an application that only drains it."""

import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from threading import Event, Thread
from urllib.parse import urlencode
from uuid import uuid4

import psutil

from tests.api.wire import wav_head
from tests.bench.measures import ROUNDS, Bench, Figure, rounds_text, timed_s
from tests.bench.servers import empty_app
from tests.worker.processes import suspended

UPLOAD_BYTES = 10**9
BLOCK_BYTES = 10**6


def big_upload(bench: Bench) -> list[Figure]:
    wav = _write_wav(bench.folder / "big.wav")
    target = f"{bench.stack.api_url}/record?{urlencode(bench.credentials)}"
    found, grown_mb = [], []
    with empty_app() as port, suspended(bench.stack.pid("worker"), bench.stack.pid("clips")):
        for _ in range(ROUNDS):
            sink_s = timed_s(lambda: _send(wav, f"http://127.0.0.1:{port}/"))
            with _peak_mb(bench.stack.pid("api")) as peak:
                started_s = time.perf_counter()
                record = json.loads(_send(wav, target))
                found.append(sink_s / (time.perf_counter() - started_s))
            grown_mb.append(peak[-1] - peak[0])
            bench.delete(record)
    wav.unlink()
    name = "an upload of 1 GB by curl, speed divided by that of an empty sink"
    return [
        Figure(name, f"{median(found):.2f}", "≥ 0.80", rounds_text(found)),
        Figure("memory that it adds to the API", f"{max(grown_mb):.0f} MB", "≤ 20 MB", "5"),
    ]


def _write_wav(path: Path) -> Path:
    block = bytes(range(250)) * (BLOCK_BYTES // 250)
    with path.open("wb") as file:
        file.write(wav_head(UPLOAD_BYTES))
        for _ in range(UPLOAD_BYTES // BLOCK_BYTES):
            file.write(block)
    return path


def _send(wav: Path, url: str) -> str:
    form = f"wav_file=@{wav};filename={uuid4()}.wav"
    command = ["curl", "-sS", "--fail", "-F", form, url]
    return subprocess.run(command, capture_output=True, check=True, text=True).stdout


@contextmanager
def _peak_mb(pid: int) -> Iterator[list[float]]:
    """Yield a list with the memory at the start, then the peak so far."""
    process, ended = psutil.Process(pid), Event()
    seen_mb = [process.memory_info().rss / 1e6]
    seen_mb.append(seen_mb[0])

    def watch() -> None:
        while not ended.wait(0.02):
            seen_mb[1] = max(seen_mb[1], process.memory_info().rss / 1e6)

    thread = Thread(target=watch)
    thread.start()
    try:
        yield seen_mb
    finally:
        ended.set()
        thread.join()
