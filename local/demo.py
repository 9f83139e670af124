"""`python -m local.demo [song.wav]`: what a client does, against the stack that answers on API_PORT.

Makes a user, uploads the WAV (or one of its own), polls until it is converted, saves the MP3 here.
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
    """Why there is no MP3, as a sentence."""


def main() -> int:
    try:
        stack = configured_stack()
        # the proxies of the caller's shell do not lead to this machine
        with httpx.Client(base_url=stack.api_url, timeout=TIMEOUT, trust_env=False) as client:
            link = _convert(client, " ".join(sys.argv[1:]))
    except (DemoError, StackError) as error:
        print(error, file=sys.stderr)
        return 1
    except httpx.HTTPError as error:
        print(f"The service does not answer as it should: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    print(f"Link    {link}")
    print(f"Page    {stack.api_url}/\nAPI     {stack.api_url}/docs")
    user, _, password = stack.environment["FLOWER_BASIC_AUTH"].partition(":")
    print(f"Flower  {stack.flower_url}/ (user {user}, password {password})")
    return 0


def _convert(client: httpx.Client, chosen: str) -> str:
    with tempfile.TemporaryDirectory() as folder:
        wav = Path(chosen).expanduser() if chosen else Path(folder, "demo.wav")
        if not chosen:
            write_arpeggio(wav)
        record = _follow(client, _upload(client, wav))
    link = str(record["download_link"])
    mp3 = _download(client, link, wav.stem)
    print(f"Saved   {mp3.name} ({record['duration_s']:.1f} s, {_size(mp3)})")
    return link


def _upload(client: httpx.Client, wav: Path) -> str:
    try:
        with wav.open("rb") as file:
            print(f"Uploading {wav.name} ({_size(wav)})", flush=True)
            return _post(client, wav.name, file)
    except OSError as error:
        raise DemoError(f"{wav} cannot be read: {error.strerror}.") from error


def _post(client: httpx.Client, name: str, file: BinaryIO) -> str:
    user = _answer(client.post("/users", json={"name": "demo"}))
    accepted = client.post(
        "/record",
        params={"user_id": user["id"], "token": user["token"]},
        files={"wav_file": (name, file, "audio/wav")},
    )
    return str(_answer(accepted)["status_link"])


def _follow(client: httpx.Client, status_link: str) -> dict[str, Any]:
    show = _Line()
    while True:
        record = _answer(client.get(status_link))
        show(f"{_bar(record['progress'])} {record['status']}")
        if record["status"] not in ("uploading", "queued", "converting"):
            break
        time.sleep(POLL_EVERY_S)
    show.end()
    if record["status"] != "done":
        raise DemoError((record["error"] or {}).get("detail", f"The record is {record['status']}."))
    return record


def _bar(progress: float) -> str:
    done = int(progress * BAR_WIDTH)
    return f"[{'#' * done}{'.' * (BAR_WIDTH - done)}] {progress:4.0%}"


class _Line:
    """A line that changes in place on a terminal, and a line for each change elsewhere."""

    def __init__(self) -> None:
        self._shown = ""
        self._in_place = sys.stdout.isatty()

    def __call__(self, text: str) -> None:
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
                _answer(response)
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


def _answer(response: httpx.Response) -> dict[str, Any]:
    try:
        answer: dict[str, Any] = response.json()
    except ValueError:
        answer = {}
    if response.is_error:
        raise DemoError(answer.get("detail", f"The service answered {response.status_code}."))
    return answer


if __name__ == "__main__":
    sys.exit(main())
