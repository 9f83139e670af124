"""The files of a record on the media volume, and how to write them durably.

    <media_dir>/.wav2mp3                                        the marker of the volume
    <media_dir>/<user_id>/<record_id>.wav                       the source, until the record is done or gone
    <media_dir>/<user_id>/<record_id>.parts/<job_id>.<attempt>  the parts, until the record is done
    <media_dir>/<user_id>/<record_id>.parts/<job_id>.<attempt>.peaks  the waveform of each part
    <media_dir>/<user_id>/<record_id>.mp3                       the finished MP3
    <media_dir>/<user_id>/<record_id>.peaks                     its waveform

Names come from ids alone, never from user input. A part or an MP3 with its final name is complete and fsynced: it is
written under a temporary name first and renamed (POSIX rename is atomic). The name of an MP3 is durable too. A part
whose name a crash removed is encoded again. A source is complete once its record is queued. Errors are OSError.

The volume may go away and return at any moment. Before a file is created or counted as missing, the marker is checked
through the same descriptor of the folder.
"""

import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO, cast
from uuid import UUID, uuid4

UNFINISHED = ".tmp"
MARKER = ".wav2mp3"
PROBE_BYTES = 2**20


@dataclass(frozen=True, slots=True)
class RecordFiles:
    """The paths of one record."""

    folder: Path
    record_id: UUID

    @property
    def source(self) -> Path:
        return self.folder / f"{self.record_id}.wav"

    @property
    def mp3(self) -> Path:
        return self.folder / f"{self.record_id}.mp3"

    @property
    def peaks(self) -> Path:
        return self.folder / f"{self.record_id}.peaks"

    @property
    def parts(self) -> Path:
        return self.folder / f"{self.record_id}.parts"

    def part(self, job_id: int, attempt: int) -> Path:
        return self.parts / f"{job_id}.{attempt}"

    def part_peaks(self, job_id: int, attempt: int) -> Path:
        return self.parts / f"{job_id}.{attempt}.peaks"


def record_files(media_dir: Path, user_id: UUID, record_id: UUID) -> RecordFiles:
    return RecordFiles(media_dir / str(user_id), record_id)


@contextmanager
def completing_durably(path: Path) -> Iterator[BinaryIO]:
    """Yield a file to write. When the block ends without an error, rename it to `path`, durably.

    The folder must exist: while the volume is not mounted, a new folder would be created on another disk.
    """
    with completing(path) as file:
        yield file
    sync_folder(path.parent)


@contextmanager
def completing(path: Path) -> Iterator[BinaryIO]:
    """Yield a file to write. When the block ends without an error, sync it and rename it to `path`.

    A crash may remove the file or its name, but never leaves an incomplete file of that name.
    """
    unfinished = path.with_name(f"{path.name}.{uuid4().hex}{UNFINISHED}")
    try:
        with unfinished.open("xb") as file:
            yield file
            sync(file)
        unfinished.replace(path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise


def create_source(media_dir: Path, source: Path) -> BinaryIO:
    """Create a source and its folder. Raise OSError if the volume is not mounted."""
    name = source.relative_to(media_dir)
    with open_folder(media_dir) as volume:
        _require_marker(volume)
        with suppress(FileExistsError):
            os.mkdir(name.parent, dir_fd=volume)
            os.fsync(volume)  # a crash must not remove the folder with the files in it
        return _open(volume, name, "x+b")


def open_source(media_dir: Path, source: Path) -> BinaryIO | None:
    """Open a source to read it. Return None if the file is missing. Raise OSError if the volume is not mounted."""
    with open_folder(media_dir) as volume:
        try:
            return _open(volume, source.relative_to(media_dir), "rb")
        except FileNotFoundError:
            _require_marker(volume)
            return None


def missing(media_dir: Path, paths: Iterable[Path]) -> set[Path]:
    """Return the paths that do not exist. Raise OSError if their volume is not mounted."""
    found = set()
    with open_folder(media_dir) as volume:
        for path in paths:
            try:
                os.stat(path.relative_to(media_dir), dir_fd=volume)
            except FileNotFoundError:
                _require_marker(volume)
                found.add(path)
    return found


@contextmanager
def open_folder(path: Path) -> Iterator[int]:
    """Yield a descriptor of a folder, which stays the same folder even if another one takes its place."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _open(folder: int, name: Path, mode: str) -> BinaryIO:
    opener = partial(os.open, mode=0o666, dir_fd=folder)
    return cast("BinaryIO", open(name, mode, opener=opener))


def _require_marker(volume: int) -> None:
    os.stat(MARKER, dir_fd=volume)


def sync(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    with open_folder(folder) as descriptor:
        os.fsync(descriptor)


def mark(volume: int) -> None:
    """Write the marker. An empty mount point has none, so it cannot be mistaken for the volume."""
    with _open(volume, Path(MARKER), "ab") as marker:
        sync(marker)
    os.fsync(volume)


def is_marked(volume: int) -> bool:
    try:
        _require_marker(volume)
    except FileNotFoundError:
        return False
    return True


def probe(media_dir: Path) -> None:
    """Write, sync and remove a small file. Raise OSError if the volume is missing, full, read-only or stale."""
    with _temporary_file(media_dir) as file:
        file.write(bytes(PROBE_BYTES))
        sync(file)


def check_writable(media_dir: Path) -> None:
    """Create and remove an empty file. Raise OSError if the volume is missing or read-only.

    `os.access` does not see that the kernel refuses all changes after an error of the disk.
    """
    with _temporary_file(media_dir):
        pass


@contextmanager
def _temporary_file(media_dir: Path) -> Iterator[BinaryIO]:
    probe = Path(f"{MARKER}.{uuid4().hex}{UNFINISHED}")
    with open_folder(media_dir) as volume:
        _require_marker(volume)
        try:
            with _open(volume, probe, "xb") as file:
                yield file
        finally:
            with suppress(FileNotFoundError):
                os.unlink(probe, dir_fd=volume)


def free_bytes(media_dir: Path) -> int:
    return shutil.disk_usage(media_dir).free


def delete(path: Path) -> None:
    """Remove a file or a folder, if it exists. If files of a folder cannot be removed, the file sweep does it later."""
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def delete_work(files: RecordFiles) -> None:
    """Remove the files that a finished record no longer needs: its source and its parts."""
    delete(files.source)
    delete(files.parts)


def delete_all(files: RecordFiles) -> None:
    delete_work(files)
    delete(files.mp3)
    delete(files.peaks)
    for unfinished in files.folder.glob(f"{files.record_id}.*{UNFINISHED}"):
        delete(unfinished)
