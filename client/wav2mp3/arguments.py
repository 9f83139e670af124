"""The arguments of the command."""

import argparse
import sys
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

RECORD_EXAMPLES = """\
examples:
  wav2mp3 get song.wav --out mp3                   save it as mp3/song.mp3
  wav2mp3 rm song.wav talk.wav
  wav2mp3 list --json | jq -r .id | xargs wav2mp3 rm"""


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    purpose = "Convert WAV files to MP3 with a wav2mp3 service."
    parser = argparse.ArgumentParser("wav2mp3", description=purpose)
    parser.add_argument("--version", action="version", version=wav2mp3.__version__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name: str, purpose: str, examples: str | None = None) -> argparse.ArgumentParser:
        return commands.add_parser(
            name,
            help=purpose,
            description=f"{purpose[0].upper()}{purpose[1:]}.",
            epilog=examples,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )

    _login(command("login", "create a user, or store an existing one", LOGIN_EXAMPLES))
    _convert(command("convert", "convert files or folders", CONVERT_EXAMPLES))
    newest_first = "list your records on the service, newest first"
    listing = command("list", newest_first, RECORD_EXAMPLES)
    listing.add_argument("--json", action="store_true", help="print a JSON object for each record")
    get = command("get", "download the MP3 of a record", RECORD_EXAMPLES)
    get.add_argument("record", metavar="ID|FILENAME", help="see: wav2mp3 list")
    where = "folder, or name of the MP3 (default: this folder)"
    get.add_argument("--out", type=Path, default=Path(), metavar="PATH", help=where)
    remove = command("rm", "cancel or delete records", RECORD_EXAMPLES)
    remove.add_argument("records", nargs="+", metavar="ID|FILENAME", help="see: wav2mp3 list")
    return parser.parse_args(_join_token(sys.argv[1:] if arguments is None else arguments))


def _join_token(arguments: Sequence[str]) -> list[str]:
    """Join `--token` and its value with `=`, because argparse takes a token that begins with a hyphen for an option."""
    joined: list[str] = []
    for argument in arguments:
        if joined and joined[-1] == "--token":
            joined[-1] += f"={argument}"
        else:
            joined.append(argument)
    return joined


def _login(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("url", nargs="?", help="address of the service (default: as in the stored login)")
    user = parser.add_mutually_exclusive_group()
    user.add_argument("--name", help="name of a new user (default: your name on this computer)")
    user.add_argument("--user-id", metavar="ID", help="id of an existing user")
    add("--token", help="token of the existing user (default: asks for it)")


def _convert(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("files", nargs="+", type=Path, metavar="FILE|FOLDER", help="WAVs, or folders of WAVs")
    add("--out", type=Path, metavar="FOLDER", help="where to save (default: beside each WAV)")
    add("--recursive", action="store_true", help="include the subfolders of a folder")
    add("--force", action="store_true", help="convert even if the MP3 is newer than its WAV")
    add("--keep", action="store_true", help="keep the records on the service")
    add("--parallel", type=_positive, default=4, metavar="N", help="files at a time (default: 4)")
    patience = "how long to retry without an answer of the service (default: 300)"
    add("--patience", type=float, default=300, metavar="SECONDS", help=patience)
    output = parser.add_mutually_exclusive_group()
    output.add_argument("--json", action="store_true", help="print a JSON object for each file")
    output.add_argument("--quiet", action="store_true", help="print warnings and errors only")
    _options(parser.add_argument_group("the MP3"))


def _options(group: argparse._ArgumentGroup) -> None:
    rate = group.add_mutually_exclusive_group()
    best = "VBR quality, 0 is the best (default: 2)"
    rate.add_argument("--quality", type=int, choices=range(10), metavar="0..9", help=best)
    fixed = "CBR instead, such as 128, 192 or 320"
    rate.add_argument("--bitrate-kbps", type=int, metavar="N", help=fixed)
    add = group.add_argument
    add("--channels", type=int, choices=(1, 2), help="default: as the WAV, at most 2")
    add("--sample-rate-hz", type=int, metavar="N", help="default: the best for the WAV")
    add("--gain-db", type=float, metavar="DB", help="such as -6.0, if the WAV's warning names it")
    add(
        "--tag-charset", metavar="NAME", help="of the WAV's tags, such as cp1251 (default: guessed)"
    )
    add("--id3-version", choices=("2.3", "2.4"), help="2.3 for old players (default: 2.4)")
    for tag in TAGS:
        add(f"--{tag}", metavar="TEXT", help=f"{tag}, instead of the WAV's own")


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is less than 1")
    return number
