"""The measurements. Each round times the service and ffmpeg by hand on the same file."""

import json
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles
from threading import Event, Thread
from typing import Any, Self
from uuid import uuid4

import httpx
import imageio_ffmpeg
import psutil

from local.stack import Stack
from tests.bench.material import write_music

FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()
ROUNDS = 5
TIMEOUT_S = 1800
HEADING = "| figure | measured | limit | rounds |\n|---|---|---|---|"


@dataclass(frozen=True, slots=True)
class Figure:
    name: str
    measured: str
    limit: str
    rounds: str

    def row(self) -> str:
        return f"| {self.name} | {self.measured} | {self.limit} | {self.rounds} |"


class Bench:
    """A stack, a user of it, and the WAVs to measure with."""

    def __init__(self, stack: Stack, folder: Path) -> None:
        self.stack = stack
        self.folder = folder
        self._client = httpx.Client(base_url=stack.api_url, timeout=TIMEOUT_S, trust_env=False)

    def __enter__(self) -> Self:
        self.credentials = self.new_user()
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def new_user(self) -> dict[str, str]:
        """Return the credentials of a new user."""
        user = self._client.post("/users", json={"name": "bench"}).json()
        return {"user_id": user["id"], "token": user["token"]}

    def records(self, user: dict[str, str], limit: int = 100) -> Any:
        answer = self._client.get("/records", params=user | {"limit": str(limit)})
        return answer.raise_for_status().json()["records"]

    def uploading(self) -> bool:
        return any(each["status"] == "uploading" for each in self.records(self.credentials))

    def music(self, duration_s: float) -> Path:
        path = self.folder / f"music-{duration_s:g}.wav"
        return path if path.exists() else write_music(path, duration_s)

    def upload(self, wav: Path, **options: int) -> dict[str, Any]:
        with wav.open("rb") as file:
            answer = self._client.post(
                "/record",
                params=self.credentials | {name: str(value) for name, value in options.items()},
                files={"wav_file": (f"{uuid4()}.wav", file, "audio/wav")},
            )
        answer.raise_for_status()
        accepted: dict[str, Any] = answer.json()
        return accepted

    def status(self, record: dict[str, Any], wait_s: int = 0) -> dict[str, Any]:
        answer = self._client.get(record["status_link"], headers={"Prefer": f"wait={wait_s}"})
        seen: dict[str, Any] = answer.json()
        return seen

    def wait(self, record: dict[str, Any]) -> dict[str, Any]:
        while (seen := self.status(record, wait_s=30))["status"] != "done":
            assert seen["status"] != "failed", seen
        return seen

    def delete(self, record: dict[str, Any]) -> None:
        self._client.delete(f"/records/{record['id']}", params=self.credentials)

    def download(self, record: dict[str, Any]) -> bytes:
        return self._client.get(record["download_link"]).content

    def upload_by_curl(self, wavs: Sequence[Path]) -> list[dict[str, Any]]:
        target = f"{self.stack.api_url}/record?{httpx.QueryParams(self.credentials)}"
        calls = (
            f'url = "{target}"\nform = "wav_file=@{wav};filename={uuid4()}.wav"\nwrite-out = "\\n"\n'
            for wav in wavs
        )
        answers = subprocess.run(
            ["curl", "-sS", "-K", "-"],
            input="next\n".join(calls),
            capture_output=True,
            text=True,
            check=True,
        )
        return [json.loads(line) for line in answers.stdout.splitlines()]


def by_hand(wav: Path | str, mp3: Path | str, quality: int = 2) -> list[str]:
    codec = ["-c:a", "libmp3lame", "-q:a", str(quality)]
    return [FFMPEG, "-nostdin", "-v", "error", "-y", "-i", str(wav), *codec, str(mp3)]


def timed_s(action: Callable[[], object]) -> float:
    started_s = time.perf_counter()
    action()
    return time.perf_counter() - started_s


def ratios(ours_s: Callable[[], float], theirs_s: Callable[[], float], rounds: int) -> list[float]:
    """Return the time of ours divided by theirs, for each round. They take turns at starting."""
    ours_s(), theirs_s()
    found = []
    for turn in range(rounds):
        if turn % 2:
            theirs, ours = theirs_s(), ours_s()
        else:
            ours, theirs = ours_s(), theirs_s()
        found.append(ours / theirs)
    return found


def ratio_figure(name: str, found: list[float], limit: float) -> Figure:
    return Figure(name, f"{median(found):.2f}", f"≤ {limit:.2f}", rounds_text(found))


def rounds_text(found: list[float]) -> str:
    if len(found) > 10:
        return str(len(found))
    return ", ".join(f"{ratio:.2f}" for ratio in sorted(found))


def long_recordings(bench: Bench) -> list[Figure]:
    return [
        ratio_figure(
            f"a {minutes}-minute recording, from 202 to done, divided by one ffmpeg pass",
            _long(bench, minutes),
            0.6,
        )
        for minutes in (10, 60)
    ]


def _long(bench: Bench, minutes: int) -> list[float]:
    wav, mp3 = bench.music(60 * minutes), bench.folder / "by-hand.mp3"

    def ours_s() -> float:
        record = bench.upload(wav)
        took_s = timed_s(lambda: bench.wait(record))
        bench.delete(record)
        return took_s

    def theirs_s() -> float:
        return timed_s(lambda: subprocess.run(by_hand(wav, mp3), check=True))

    return ratios(ours_s, theirs_s, ROUNDS)


def many_clips(bench: Bench) -> list[Figure]:
    """200 clips from 8 clients, each a curl that uploads 25 of them one after the other."""
    wav = bench.music(10)
    clips = [wav.with_name(f"clip-{number}.wav") for number in range(200)]
    for clip in clips:
        clip.hardlink_to(wav)

    def ours_s() -> float:
        started_s = time.perf_counter()
        with ThreadPoolExecutor(8) as clients:
            shares = clients.map(bench.upload_by_curl, (clips[client::8] for client in range(8)))
        records = [record for share in shares for record in share]
        for record in reversed(records):
            bench.wait(record)
        took_s = time.perf_counter() - started_s
        for record in records:
            bench.delete(record)
        return took_s

    def theirs_s() -> float:
        script = by_hand("{}", "{}.mp3")
        names = "\n".join(map(str, clips)).encode()
        return timed_s(
            lambda: subprocess.run(["xargs", "-P2", "-I{}", *script], input=names, check=True)
        )

    found = ratios(ours_s, theirs_s, ROUNDS)
    return [
        ratio_figure("200 clips of 10 s from 8 clients, divided by `xargs -P2 ffmpeg`", found, 1.15)
    ]


def one_short_clip(bench: Bench) -> list[Figure]:
    wav, mp3 = bench.music(1), bench.folder / "by-hand.mp3"

    def ours_s() -> float:
        started_s = time.perf_counter()
        record = bench.upload(wav)
        bench.download(record)
        took_s = time.perf_counter() - started_s
        bench.delete(record)
        return took_s

    def theirs_s() -> float:
        return timed_s(lambda: subprocess.run(by_hand(wav, mp3), check=True))

    return [
        ratio_figure(
            "a 1-second clip, from request to MP3, divided by one ffmpeg call",
            ratios(ours_s, theirs_s, 30),
            2.0,
        )
    ]


def wait_beside_a_long_recording(bench: Bench) -> list[Figure]:
    clip, recording = bench.music(10), bench.upload(bench.music(5 * 3600))
    waits_s: list[float] = []
    while len(waits_s) < 40:
        record = bench.upload(clip)
        waits_s.append(timed_s(lambda: bench.wait(record)))  # noqa: B023 -- called at once
        time.sleep(0.5)
    still = bench.status(recording)
    assert still["status"] == "converting", "the recording was done before the clips"
    bench.delete(recording)
    p95_s = quantiles(waits_s, n=20)[-1]
    name = "a 10-second clip while 5 hours convert, from 202 to done, p95"
    return [Figure(name, f"{p95_s:.1f} s", "≤ 3 s", f"{len(waits_s)} clips")]


def memory(bench: Bench) -> list[Figure]:
    return [
        Figure(
            f"peak memory of a worker process with its ffmpeg, {name}",
            f"{_peak_memory_mb(bench, duration_s):.0f} MB",
            "≤ 250 MB",
            "1",
        )
        for name, duration_s in (("10 s", 10), ("10 min", 600), ("5 h", 5 * 3600))
    ]


def _peak_memory_mb(bench: Bench, duration_s: float) -> float:
    workers = [psutil.Process(bench.stack.pid(program)) for program in ("worker", "clips")]
    with _watched_memory(workers) as peak_bytes:
        record = bench.upload(bench.music(duration_s))
        bench.wait(record)
    bench.delete(record)
    return peak_bytes[0] / 1e6


@contextmanager
def _watched_memory(workers: Sequence[psutil.Process]) -> Iterator[list[int]]:
    """Yield the peak memory in bytes of any pool process together with its ffmpeg."""
    peak_bytes, stopped = [0], Event()

    def watch() -> None:
        while not stopped.wait(0.02):
            for worker in workers:
                for child in worker.children():
                    peak_bytes[0] = max(peak_bytes[0], _held_bytes(child))

    thread = Thread(target=watch)
    thread.start()
    try:
        yield peak_bytes
    finally:
        stopped.set()
        thread.join()


def _held_bytes(process: psutil.Process) -> int:
    held_bytes = 0
    try:
        held_bytes += process.memory_info().rss
        for child in process.children(recursive=True):
            # Between fork and exec a child still has its parent's memory, which must not count twice.
            if child.name() != process.name():
                held_bytes += child.memory_info().rss
    except psutil.NoSuchProcess:
        pass
    return held_bytes


def size(bench: Bench) -> list[Figure]:
    return [
        Figure(
            f"size of 10 minutes at quality {quality}, divided by LAME's own VBR",
            f"{_size_ratio(bench, quality):.4f}",
            "≤ 1.00",
            "1",
        )
        for quality in (0, 2, 4, 6)
    ]


def _size_ratio(bench: Bench, quality: int) -> float:
    wav, mp3 = bench.music(600), bench.folder / "by-hand.mp3"
    subprocess.run(by_hand(wav, mp3, quality), check=True)
    record = bench.upload(wav, quality=quality)
    bench.wait(record)
    ours_bytes = len(bench.download(record))
    bench.delete(record)
    return ours_bytes / mp3.stat().st_size


def ffmpeg_version() -> str:
    version = subprocess.run([FFMPEG, "-version"], check=True, capture_output=True, text=True)
    return " ".join(version.stdout.split()[:3])
