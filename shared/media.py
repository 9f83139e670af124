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
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO
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
def publishing(path: Path) -> Iterator[BinaryIO]:
    """Yield a file to write. When the block ends without an error, rename it to `path`, durably."""
    make_folder(path.parent)
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


def make_folder(folder: Path) -> None:
    """Create a folder and its parents durably, so that a crash cannot remove them with the files in them."""
    if not folder.is_dir():
        make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        sync_folder(folder.parent)


def sync(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def mark(media_dir: Path) -> None:
    """Mark the volume. An empty mount point has no mark, so it cannot be mistaken for the volume."""
    with (media_dir / MARKER).open("ab") as marker:
        sync(marker)
    sync_folder(media_dir)


def is_marked(media_dir: Path) -> bool:
    return (media_dir / MARKER).exists()


def probe(media_dir: Path) -> None:
    """Write, sync and remove a small file. Raise OSError if the volume is missing, full, read-only or stale."""
    if not is_marked(media_dir):
        raise FileNotFoundError(f"{media_dir} has no {MARKER}: the volume is not mounted")
    probe = media_dir / f"{MARKER}.{uuid4().hex}{UNFINISHED}"
    try:
        with probe.open("xb") as file:
            file.write(bytes(PROBE_BYTES))
            sync(file)
    finally:
        probe.unlink(missing_ok=True)


def free_bytes(media_dir: Path) -> int:
    return shutil.disk_usage(media_dir).free


def delete(path: Path) -> None:
    """Remove a file or a folder, if it exists."""
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
