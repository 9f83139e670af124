"""The arguments of the command."""

import argparse
from collections.abc import Sequence
from pathlib import Path

import wav2mp3

TAGS = ("title", "artist", "album", "track", "year", "genre", "comment")
LOGIN_EXAMPLES = """\
examples:
  wav2mp3 login                                    create a user at http://localhost:8000
  wav2mp3 login https://audio.example.com --name anna
  wav2mp3 login --user-id ID                       log in as an existing user; asks for the token

WAV2MP3_URL, WAV2MP3_USER_ID and WAV2MP3_TOKEN override the stored login."""
CONVERT_EXAMPLES = """\
examples:
  wav2mp3 convert song.wav                         save song.mp3 beside it
  wav2mp3 convert *.wav --quality 0 --out mp3      the best VBR, into the folder mp3
  wav2mp3 convert album --recursive --out mp3      a folder with its subfolders
  wav2mp3 convert talk.wav --bitrate-kbps 64 --channels 1

An MP3 that is newer than its WAV is not made again. If the command is interrupted, run it again: it continues
with the files that are not finished. The exit code is 0 if every file was converted, 1 if one failed, and 2 if
the arguments are wrong."""


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        "wav2mp3", description="Convert WAV files to MP3 with a wav2mp3 service."
    )
    parser.add_argument("--version", action="version", version=wav2mp3.__version__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_login(
        _command(commands, "login", "create a user or store an existing one", LOGIN_EXAMPLES)
    )
    _add_convert(_command(commands, "convert", "convert files or folders", CONVERT_EXAMPLES))
    listing = _command(commands, "list", "list your records on the service, newest first")
    listing.add_argument("--json", action="store_true", help="print a JSON object for each record")
    get = _command(commands, "get", "download the MP3 of a record")
    get.add_argument("record", metavar="ID|FILENAME")
    get.add_argument(
        "--out", type=Path, default=Path(), metavar="PATH", help="folder, or name of the MP3"
    )
    remove = _command(commands, "rm", "cancel or delete records")
    remove.add_argument("records", nargs="+", metavar="ID|FILENAME")
    return parser.parse_args(arguments)


def _command(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]",
    name: str,
    purpose: str,
    examples: str | None = None,
) -> argparse.ArgumentParser:
    return commands.add_parser(
        name,
        help=purpose,
        description=f"{purpose[0].upper()}{purpose[1:]}.",
        epilog=examples,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def _add_login(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "url", nargs="?", help="address of the service (default: the newest login's)"
    )
    parser.add_argument("--name", help="name of the new user (default: your name on this computer)")
    parser.add_argument("--user-id", metavar="ID", help="id of an existing user")
    parser.add_argument(
        "--token", help="token of the existing user; without it, you are asked for it"
    )


def _add_convert(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE|FOLDER")
    parser.add_argument(
        "--out", type=Path, metavar="FOLDER", help="where to save (default: beside each WAV)"
    )
    parser.add_argument(
        "--recursive", action="store_true", help="include the subfolders of a folder"
    )
    parser.add_argument(
        "--force", action="store_true", help="convert even if the MP3 is newer than its WAV"
    )
    parser.add_argument("--keep", action="store_true", help="keep the records on the service")
    parser.add_argument(
        "--parallel", type=_positive, default=4, metavar="N", help="files at a time (default: 4)"
    )
    parser.add_argument(
        "--patience",
        type=float,
        default=300,
        metavar="SECONDS",
        help="how long to retry without an answer from the service (default: 300)",
    )
    output = parser.add_mutually_exclusive_group()
    output.add_argument("--json", action="store_true", help="print a JSON object for each file")
    output.add_argument("--quiet", action="store_true", help="print warnings and errors only")
    _add_options(parser.add_argument_group("the MP3"))


def _add_options(group: argparse._ArgumentGroup) -> None:
    rate = group.add_mutually_exclusive_group()
    rate.add_argument(
        "--quality",
        type=int,
        choices=range(10),
        metavar="0..9",
        help="VBR, 0 is the best (default: 2)",
    )
    rate.add_argument(
        "--bitrate-kbps", type=int, metavar="N", help="CBR instead, such as 128, 192 or 320"
    )
    group.add_argument(
        "--channels", type=int, choices=(1, 2), help="default: as the WAV, at most 2"
    )
    group.add_argument(
        "--sample-rate-hz", type=int, metavar="N", help="default: the best for the WAV"
    )
    for tag in TAGS:
        group.add_argument(f"--{tag}", metavar="TEXT", help=f"{tag}, instead of the WAV's own")


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is less than 1")
    return number
