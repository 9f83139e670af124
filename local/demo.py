"""A client of the service that answers on API_PORT: `python -m local.demo [song.wav]`.

Creates a user, uploads the WAV or a generated one, polls until it is converted, and saves the MP3
in the current folder.
"""

import sys
import tempfile
import time
from itertools import count
from pathlib import Path
from typing import Any, BinaryIO

import httpx

from local.__main__ import configured_stack
from local.arpeggio import write_arpeggio
from local.machine import StackError

BAR_WIDTH = 30
POLL_EVERY_S = 0.3
TIMEOUT = httpx.Timeout(10, read=60)


class DemoError(Exception):
    """Its message is a sentence that says why there is no MP3."""


def main() -> int:
    try:
        api_url = configured_stack().api_url
        # Without trust_env, because a proxy of the caller's shell cannot reach this machine.
        with httpx.Client(base_url=api_url, timeout=TIMEOUT, trust_env=False) as client:
            _convert(client, " ".join(sys.argv[1:]))
    except (DemoError, StackError) as error:
        print(error, file=sys.stderr)
        return 1
    except httpx.HTTPError as error:
        print(f"The service does not answer: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _convert(client: httpx.Client, wav_path: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        wav = Path(wav_path).expanduser() if wav_path else Path(folder, "demo.wav")
        if not wav_path:
            write_arpeggio(wav)
        record = _poll(client, _upload(client, wav))
    mp3 = _download(client, record["download_link"], wav.stem)
    print(f"Saved   {mp3.name} ({record['duration_s']:.1f} s, {_size(mp3)})")
    print(f"Link    {record['download_link']}")


def _upload(client: httpx.Client, wav: Path) -> str:
    try:
        with wav.open("rb") as file:
            print(f"Uploading {wav.name} ({_size(wav)})", flush=True)
            return _post(client, wav.name, file)
    except OSError as error:
        raise DemoError(f"{wav} cannot be read: {error.strerror}.") from error


def _post(client: httpx.Client, name: str, file: BinaryIO) -> str:
    user = _json(client.post("/users", json={"name": "demo"}))
    accepted = client.post(
        "/record",
        params={"user_id": user["id"], "token": user["token"]},
        files={"wav_file": (name, file, "audio/wav")},
    )
    return str(_json(accepted)["status_link"])


def _poll(client: httpx.Client, status_link: str) -> dict[str, Any]:
    status = _StatusLine()
    while True:
        record = _json(client.get(status_link))
        status.show(f"{_bar(record['progress'])} {record['status']}")
        if record["status"] not in ("uploading", "queued", "converting"):
            break
        time.sleep(POLL_EVERY_S)
    status.end()
    if record["status"] != "done":
        raise DemoError((record["error"] or {}).get("detail", f"The record is {record['status']}."))
    return record


def _bar(progress: float) -> str:
    done = int(progress * BAR_WIDTH)
    return f"[{'#' * done}{'.' * (BAR_WIDTH - done)}] {progress:4.0%}"


class _StatusLine:
    """One line that is overwritten on a terminal. Elsewhere each change is a new line."""

    def __init__(self) -> None:
        self._shown = ""
        self._in_place = sys.stdout.isatty()

    def show(self, text: str) -> None:
        if text != self._shown:
            padded = text.ljust(len(self._shown))
            print(
                f"\r{padded}" if self._in_place else text,
                end="" if self._in_place else "\n",
                flush=True,
            )
            self._shown = text

    def end(self) -> None:
        if self._in_place:
            print()


def _size(path: Path) -> str:
    size_bytes = path.stat().st_size
    return f"{size_bytes / 1e6:.1f} MB" if size_bytes >= 1e6 else f"{size_bytes / 1e3:.1f} kB"


def _download(client: httpx.Client, link: str, stem: str) -> Path:
    with client.stream("GET", link) as response, _new_file(stem) as file:
        try:
            if response.is_error:
                response.read()
                _json(response)
            for block in response.iter_bytes():
                file.write(block)
        except BaseException:
            Path(file.name).unlink()
            raise
        return Path(file.name)


def _new_file(stem: str) -> BinaryIO:
    for number in count(1):
        name = f"{stem}.mp3" if number == 1 else f"{stem}-{number}.mp3"
        try:
            return Path(name).open("xb")
        except FileExistsError:
            continue
    raise AssertionError


def _json(response: httpx.Response) -> dict[str, Any]:
    """Return the body of the response. Raises DemoError with the service's own sentence."""
    try:
        answer: dict[str, Any] = response.json()
    except ValueError:
        answer = {}
    if response.is_error:
        raise DemoError(answer.get("detail", f"The service answered {response.status_code}."))
    return answer


if __name__ == "__main__":
    sys.exit(main())
