"""The command `wav2mp3`. Results go to stdout, everything else to stderr."""

import argparse
import getpass
import json
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import cast
from uuid import UUID

from wav2mp3 import batch, login
from wav2mp3.arguments import parse
from wav2mp3.batch import Conversion, Result
from wav2mp3.client import Client
from wav2mp3.errors import Wav2mp3Error
from wav2mp3.login import Login
from wav2mp3.record import Options, Record
from wav2mp3.service import Service, checked_url
from wav2mp3.show import Display

OK, FAILED, USAGE, INTERRUPTED = 0, 1, 2, 130
USAGE_CODES = ("usage", "no_login", "bad_url")
FIRST_PATIENCE_S = 10
"""The time for which a command tries to reach the service when it starts."""


def main(arguments: Sequence[str] | None = None) -> int:
    for stream in (sys.stdout, sys.stderr):
        # A name that the terminal cannot show must not end the command.
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    parsed = parse(arguments)
    try:
        status = COMMANDS[parsed.command](parsed)
        sys.stdout.flush()
    except Wav2mp3Error as error:
        _complain(f"{error}{_hint(error.code)}")
        return USAGE if error.code in USAGE_CODES else FAILED
    except BrokenPipeError:
        # The reader of the pipe, such as `head`, has ended. Python flushes stdout once more at its exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except OSError as error:
        _complain(f"{error.filename} cannot be used: {error.strerror}.")
        return FAILED
    except KeyboardInterrupt:
        _complain("Stopped. Run the same command again to continue.")
        os._exit(INTERRUPTED)  # without waiting for a thread that waits for the network
    return status


def _hint(code: str) -> str:
    if code == "bad_credentials" and os.environ.get("WAV2MP3_TOKEN"):
        return " Check WAV2MP3_USER_ID and WAV2MP3_TOKEN."
    return " Run: wav2mp3 login" if code == "bad_credentials" else ""


def _login(parsed: argparse.Namespace) -> int:
    kept = login.stored()
    default = os.environ.get("WAV2MP3_URL") or (kept.url if kept else login.DEFAULT_URL)
    url = checked_url(parsed.url or default)
    if parsed.token and not parsed.user_id:
        raise Wav2mp3Error("A token needs the id of its user. Add --user-id.", "usage")
    if parsed.user_id:
        token = parsed.token or os.environ.get("WAV2MP3_TOKEN") or getpass.getpass("Token: ")
        kept = Login(url, parsed.user_id, token)
    elif parsed.name or kept is None or kept.url != url:
        kept = _create(url, parsed.name or getpass.getuser())
    _check(kept, "Check both." if parsed.user_id else "For a new user: wav2mp3 login --name NAME")
    login.store(kept)
    print(f"Logged in at {url} as user {kept.user_id}. The token is in {login.path()}.")
    return OK


def _create(url: str, name: str) -> Login:
    try:
        user = Service(url, patience_s=0).call("POST", "/users", json={"name": name})
    except Wav2mp3Error as error:
        if error.code != "registration_closed":
            raise
        hint = f"Then run: wav2mp3 login {url} --user-id USER_ID"
        raise Wav2mp3Error(f"{error} {hint}", error.code) from None
    return Login(url, user["id"], user["token"])


def _check(kept: Login, next_step: str) -> None:
    try:
        Client(kept.url, kept.user_id, kept.token, patience_s=0).check()
    except Wav2mp3Error as error:
        if error.code != "bad_credentials":
            raise
        refused = f"{kept.url} refuses user {kept.user_id} with this token."
        raise Wav2mp3Error(f"{refused} {next_step}") from None


def _convert(parsed: argparse.Namespace) -> int:
    given = {name: getattr(parsed, name) for name in Options.__annotations__}
    options = cast("Options", {name: value for name, value in given.items() if value is not None})
    conversions = batch.plan(parsed.files, parsed.out, recursive=parsed.recursive)
    skipped = [conversion for conversion in conversions if conversion.is_done and not parsed.force]
    todo = [conversion for conversion in conversions if conversion not in skipped]
    if todo:
        _client().check()
    client = Client(patience_s=parsed.patience)
    display = Display(todo, quiet=parsed.quiet)
    report = _Report(is_json=parsed.json, is_quiet=parsed.quiet)

    def work(conversion: Conversion) -> Result:
        with display.watch(conversion) as watch:
            return batch.convert(client, conversion, options, keep=parsed.keep, watch=watch)

    def finish(result: Result) -> None:
        display.count_finished()
        report.add(result)

    for conversion in skipped:
        report.add(Result(conversion, "skipped"))
    with display.progress:
        batch.run(todo, work, finish, parallel=parsed.parallel, stop=client.service.stop)
    report.list_failures(len(conversions))
    return FAILED if report.failed else OK


class _Report:
    """Prints the result of each file, and at the end the failures."""

    def __init__(self, *, is_json: bool, is_quiet: bool) -> None:
        self._is_json = is_json
        self._is_quiet = is_quiet
        self.failed: list[Result] = []

    def add(self, result: Result) -> None:
        conversion, record = result.conversion, result.record
        if result.status == "failed":
            self.failed.append(result)
        if self._is_json:
            paths = {"wav": str(conversion.wav), "mp3": str(conversion.mp3)}
            outcome = {"status": result.status, "error": result.error}
            print(json.dumps(paths | outcome | {"record": record and asdict(record)}), flush=True)
        elif not self._is_quiet:
            print(_line(result), flush=True)
        for warning in record.warnings if record else ():
            _complain(f"{conversion.wav}: warning: {warning}")

    def list_failures(self, count: int) -> None:
        if not self.failed:
            return
        _complain(f"{len(self.failed)} of {count} files failed:")
        width = max(len(str(result.conversion.wav)) for result in self.failed)
        for result in self.failed:
            _complain(f"  {result.conversion.wav!s:{width}}  {result.error}")


def _line(result: Result) -> str:
    conversion, record = result.conversion, result.record
    if record:
        length, size = _length(record.duration_s), _size(record.mp3_bytes)
        return f"{conversion.wav} -> {conversion.mp3} ({length}, {size})"
    return (
        f"{conversion.wav}: {'failed' if result.error else f'skipped, {conversion.mp3} is newer'}"
    )


def _list(parsed: argparse.Namespace) -> int:
    for record in _client().records():
        if parsed.json:
            print(json.dumps(asdict(record)))
        else:
            length, size = _length(record.duration_s), _size(record.mp3_bytes)
            print(f"{record.id}  {record.status:10}  {length:>8}  {size:>8}  {record.filename}")
    return OK


def _get(parsed: argparse.Namespace) -> int:
    client = _client()
    # A name may belong to one record and to others that failed before.
    record = min(_find(client, parsed.record), key=lambda found: found.status == "failed")
    wav = Path(Path(record.filename).name)
    (conversion,) = batch.plan([wav], parsed.out, recursive=False)
    if conversion.mp3.exists():
        raise Wav2mp3Error(f"{conversion.mp3} exists. Choose another name with --out.", "usage")
    conversion.mp3.parent.mkdir(parents=True, exist_ok=True)
    display = Display([conversion], quiet=False)
    with display.progress, display.watch(conversion) as watch:
        record = client.download(record.id, conversion.mp3, watch=watch)
    _Report(is_json=False, is_quiet=False).add(Result(conversion, "done", record))
    return OK


def _rm(parsed: argparse.Namespace) -> int:
    client = _client()
    status = OK
    for given in parsed.records:
        try:
            for record in _find(client, given):
                client.delete(record.id)
                print(f"Deleted {record.filename} ({record.id})", flush=True)
        except Wav2mp3Error as error:
            _complain(f"{given}: {error}")
            status = FAILED
    return status


def _find(client: Client, given: str) -> list[Record]:
    try:
        return [client.record(str(UUID(given)))]
    except ValueError:
        found = list(client.records(given))
    if not found:
        raise Wav2mp3Error(
            f"You have no record of this name: {given}. To see your records, run: wav2mp3 list"
        )
    return found


def _client() -> Client:
    return Client(patience_s=FIRST_PATIENCE_S)


def _length(duration_s: float | None) -> str:
    if duration_s is None:
        return ""
    minutes, seconds = divmod(round(duration_s), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def _size(size_bytes: int | None) -> str:
    if size_bytes is None:
        return ""
    return f"{size_bytes / 1e6:.1f} MB" if size_bytes >= 1e6 else f"{size_bytes / 1e3:.1f} kB"


def _complain(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


COMMANDS: dict[str, Callable[[argparse.Namespace], int]] = {
    "login": _login,
    "convert": _convert,
    "list": _list,
    "get": _get,
    "rm": _rm,
}
