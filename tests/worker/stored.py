"""Records whose WAV is on the volume, for tasks that run in this process, and the ffmpegs that those tasks start."""

from io import BytesIO
from pathlib import Path
from typing import Any
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
from tests.waiting import until
from worker.audio import ffmpeg

__all__ = ["until"]
WAIT_S = 60


def store(
    wav: bytes,
    *,
    segment_s: float = 5,
    filename: str = "a.wav",
    user_id: UUID | None = None,
    in_flight: int = 32,
    reserved_bytes: int = 0,
    **asked: Any,
) -> tuple[RecordFiles, list[int]]:
    """Store a queued record with its source. Return its files and the ids of its ready encode jobs."""
    user_id = user_id or rows.add_user()
    options = Options(**asked)
    info = read_wav(BytesIO(wav), len(wav))
    with db.transaction() as session:
        record_id = db.uploads.reserve(session, user_id, filename, options, {}, get_settings())
        files = media.record_files(get_settings().media_dir, user_id, record_id)
        files.folder.mkdir(exist_ok=True)
        with media.completing_durably(files.source) as source:
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
    """Return the paths of the user's files, relative and without the record's id."""
    found = (path for path in files.folder.rglob("*") if path.is_file())
    return {
        str(path.relative_to(files.folder)).removeprefix(str(files.record_id)) for path in found
    }


def ffmpegs(process: psutil.Process | None = None) -> list[psutil.Process]:
    """Return the ffmpegs with which a process (default: this one) and its children are encoding."""
    running = (process or psutil.Process()).children(recursive=True)
    return [child for child in running if _encodes(child)]


def _encodes(process: psutil.Process) -> bool:
    """Leave out the ffmpeg that a starting worker only asks for its version."""
    try:
        is_ffmpeg = Path(process.exe()).samefile(ffmpeg.EXECUTABLE)
        return is_ffmpeg and process.cmdline()[-1:] == ["pipe:1"]
    except (psutil.Error, OSError):
        return False
