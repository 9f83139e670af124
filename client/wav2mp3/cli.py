"""The command `wav2mp3`. Results go to stdout, everything else to stderr."""

import argparse
import getpass
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
from wav2mp3.report import Report
from wav2mp3.service import Service, checked_url
from wav2mp3.show import Display
from wav2mp3.text import complain, length, say, say_json, size

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
        complain(f"{error}{_hint(error.code)}")
        return USAGE if error.code in USAGE_CODES else FAILED
    except BrokenPipeError:
        # The reader of the pipe, such as `head`, has ended. Python flushes stdout once more at its exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except OSError as error:
        complain(f"{error.filename} cannot be used: {error.strerror}.")
        return FAILED
    except KeyboardInterrupt:
        complain("Stopped. Run the same command again to continue.")
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
    say(f"Logged in at {url} as user {kept.user_id}. The token is in {login.path()}.")
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
    report = Report(is_json=parsed.json, is_quiet=parsed.quiet)

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
    report.finish()
    return FAILED if report.failed else OK


def _list(parsed: argparse.Namespace) -> int:
    for record in _client().records():
        if parsed.json:
            say_json(asdict(record))
        else:
            figures = f"{length(record.duration_s):>8}  {size(record.mp3_bytes):>8}"
            say(f"{record.id}  {record.status:10}  {figures}  {record.filename}")
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
    Report(is_json=False, is_quiet=False).add(Result(conversion, "done", record))
    return OK


def _rm(parsed: argparse.Namespace) -> int:
    client = _client()
    status = OK
    for given in parsed.records:
        try:
            for record in _find(client, given):
                client.delete(record.id)
                say(f"Deleted {record.filename} ({record.id})")
        except Wav2mp3Error as error:
            complain(f"{given}: {error}")
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


COMMANDS: dict[str, Callable[[argparse.Namespace], int]] = {
    "login": _login,
    "convert": _convert,
    "list": _list,
    "get": _get,
    "rm": _rm,
}
