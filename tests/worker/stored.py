"""Records whose WAV lies on the volume, ready for tasks that run in this process, and the ffmpeg that they start."""

import time
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from uuid import UUID

import psutil

from shared import db, media
from shared.media import RecordFiles
from shared.mp3_options import Options, choose_target
from shared.queue import CLIPS, RETRY_QUEUE, SEGMENTS
from shared.segmentation import plan_segments
from shared.settings import get_settings
from shared.wav import read_wav
from tests.shared.db import rows
from worker.audio import ffmpeg

WAIT_S = 10


def store(
    wav: bytes,
    *,
    segment_s: float = 5,
    filename: str = "a.wav",
    user_id: UUID | None = None,
    in_flight: int = 32,
    reserved_bytes: int = 0,
    **asked: int,
) -> tuple[RecordFiles, list[int]]:
    """Store a queued record with its source. Return its files and the ids of its ready encode jobs."""
    user_id = user_id or rows.add_user()
    options = Options(**asked)
    info = read_wav(BytesIO(wav), len(wav))
    with db.transaction() as session:
        record_id = db.uploads.reserve(session, user_id, filename, options, {}, get_settings())
        files = media.record_files(get_settings().media_dir, user_id, record_id)
        with media.publishing(files.source) as source:
            source.write(wav)
        target = choose_target(info, options)
        db.records.accept(
            session,
            record_id,
            source_bytes=len(wav),
            duration_s=info.duration_s,
            target=target,
            reserved_bytes=reserved_bytes,
            warnings=[],
        )
        ready = db.jobs.create(
            session,
            record_id,
            user_id,
            plan_segments(info, target, segment_s),
            queue=SEGMENTS,
            assemble_queue=RETRY_QUEUE[CLIPS],
            in_flight=in_flight,
        )
    return files, ready


def names(files: RecordFiles) -> set[str]:
    """What is on the volume of the user, without the record's id."""
    found = (path for path in files.folder.rglob("*") if path.is_file())
    return {
        str(path.relative_to(files.folder)).removeprefix(str(files.record_id)) for path in found
    }


def ffmpegs(process: psutil.Process | None = None) -> list[psutil.Process]:
    """The ffmpeg processes that a process and its children run."""
    running = (process or psutil.Process()).children(recursive=True)
    return [child for child in running if _is_ffmpeg(child)]


def _is_ffmpeg(process: psutil.Process) -> bool:
    try:
        return (
            process.exe() == str(Path(ffmpeg.EXECUTABLE).resolve())
            and process.status() != psutil.STATUS_ZOMBIE
        )
    except psutil.Error:
        return False


def until(condition: Callable[[], object], within_s: float = WAIT_S) -> float:
    """Seconds until it holds; an AssertionError when it does not in time."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < within_s, f"not within {within_s} s"
        time.sleep(0.005)
    return time.monotonic() - began
