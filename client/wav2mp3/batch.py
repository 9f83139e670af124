"""Many files: the MP3 of each, several conversions at a time, and the result of each."""

import os
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed, wait
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Literal, NamedTuple

from wav2mp3.client import Client
from wav2mp3.errors import Wav2mp3Error
from wav2mp3.record import Options, Record
from wav2mp3.service import Watch

WAV_SUFFIXES = (".wav", ".wave", ".bwf", ".rf64", ".bw64", ".w64")
STOP_TIMEOUT_S = 5


class Conversion(NamedTuple):
    wav: Path
    mp3: Path

    @property
    def is_done(self) -> bool:
        with suppress(FileNotFoundError):
            return self.mp3.stat().st_mtime >= self.wav.stat().st_mtime
        return False


@dataclass(frozen=True, slots=True)
class Result:
    conversion: Conversion
    status: Literal["done", "skipped", "failed"]
    record: Record | None = None
    error: str | None = None
    code: str | None = None
    """The code of the error: the service's, or the client's own."""


def plan(inputs: Iterable[Path], out: Path | None, *, recursive: bool) -> list[Conversion]:
    """Choose a different MP3 for each WAV: beside it, in the folder `out`, or `out` itself if that is an MP3."""
    is_one = out is not None and out.suffix.lower() == ".mp3" and not out.is_dir()
    conversions: dict[Path, Conversion] = {}
    for given in inputs:
        for wav in _expand(given, recursive=recursive):
            folder = given if given.is_dir() else given.parent
            beside = wav.with_name(mp3_name(wav))
            mp3 = beside if out is None else out if is_one else out / beside.relative_to(folder)
            conversions.setdefault(wav.absolute(), Conversion(wav, mp3))
    if not conversions:
        raise Wav2mp3Error("There is no WAV. Use --recursive to include subfolders.", "usage")
    if is_one:
        if len(conversions) > 1:
            wavs = " and ".join(str(conversion.wav) for conversion in conversions.values())
            raise Wav2mp3Error(f"{wavs} would become {out}. Name a folder with --out.", "usage")
        return list(conversions.values())
    same_names = _by_mp3(conversions.values()).values()
    return _number(conversion for same in same_names for conversion in _separate(same))


def _expand(given: Path, *, recursive: bool) -> Iterator[Path]:
    """Yield the WAVs of a folder, or the file that was named."""
    if "*" in given.name and not given.exists():
        # The shell of Windows leaves patterns to the program.
        yield from sorted(given.parent.glob(given.name))
        return
    if not given.is_dir():
        yield given
        return
    for path in sorted(given.rglob("*") if recursive else given.iterdir()):
        # macOS puts hidden files such as ._song.wav beside the real ones.
        is_hidden = path.name.startswith(".")
        if path.suffix.lower() in WAV_SUFFIXES and not is_hidden and path.is_file():
            yield path


def mp3_name(wav: Path) -> str:
    return f"{wav.stem if wav.suffix.lower() in WAV_SUFFIXES else wav.name}.mp3"


def _by_mp3(conversions: Iterable[Conversion]) -> dict[str, list[Conversion]]:
    groups = defaultdict(list)
    for conversion in conversions:
        groups[_folded(conversion.mp3)].append(conversion)
    return groups


def _folded(path: Path) -> str:
    # Some file systems do not distinguish upper and lower case.
    return str(path).casefold()


def _separate(conversions: list[Conversion]) -> Iterator[Conversion]:
    """Put MP3s of one name into the same subfolders as their WAVs. In one folder, give them the WAVs' full names."""
    folders = [conversion.wav.absolute().parent for conversion in conversions]
    are_apart = len(set(folders)) == len(folders)
    for (wav, mp3), folder in zip(conversions, folders, strict=True):
        name = mp3.name if are_apart else f"{wav.name}.mp3"
        yield Conversion(wav, mp3.parent / folder.relative_to(os.path.commonpath(folders)) / name)


def _number(conversions: Iterable[Conversion]) -> list[Conversion]:
    """Add a number to each MP3 that another conversion has, such as those of song.wav and song.WAV in one folder."""
    groups = _by_mp3(conversions)
    taken = set(groups)
    numbered = []
    # Sorted, so that another order of the arguments gives the same names.
    for first, *others in map(sorted, groups.values()):
        numbered.append(first)
        for wav, mp3 in others:
            names = (mp3.with_name(f"{mp3.stem} ({number}).mp3") for number in count(2))
            free = next(name for name in names if _folded(name) not in taken)
            taken.add(_folded(free))
            numbered.append(Conversion(wav, free))
    return numbered


def convert(
    client: Client, conversion: Conversion, options: Options, *, keep: bool, watch: Watch
) -> Result:
    """Convert one file. A failure is a result. Raises Stopped."""
    try:
        record = client.convert(conversion.wav, conversion.mp3, keep=keep, watch=watch, **options)
    except Wav2mp3Error as error:
        return Result(conversion, "failed", error=str(error), code=error.code)
    except OSError as error:
        sentence = f"{error.filename or conversion.mp3} cannot be used: {error.strerror}."
        return Result(conversion, "failed", error=sentence, code="file_unusable")
    return Result(conversion, "done", record)


def run(
    conversions: Iterable[Conversion],
    work: Callable[[Conversion], Result],
    report: Callable[[Result], None],
    *,
    parallel: int,
    stop: threading.Event,
) -> None:
    """Report results as they come. After an interruption, running conversions stop at their next step."""
    executor = ThreadPoolExecutor(parallel)
    futures = [executor.submit(work, conversion) for conversion in conversions]
    try:
        for future in as_completed(futures):
            report(future.result())
    except BaseException:
        stop.set()
        executor.shutdown(wait=False, cancel_futures=True)
        wait((future for future in futures if not future.cancelled()), STOP_TIMEOUT_S)
        raise
    executor.shutdown()
