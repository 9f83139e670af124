"""Joins the waveforms of the parts to the waveform of the record."""

from collections.abc import Iterable
from pathlib import Path

from shared import db, media
from shared.media import RecordFiles
from shared.wav import WavInfo
from worker.audio import join_peaks


def write(
    media_dir: Path,
    files: RecordFiles,
    segments: Iterable[db.claims.EncodedSegment],
    info: WavInfo,
) -> None:
    """Store the waveform of a record, except if a worker of an older release encoded some of its parts.

    The file's name becomes durable with the name of the MP3, which is in the same folder.
    """
    paths = [files.part_peaks(segment.job_id, segment.attempt) for segment in segments]
    if not media.missing(media_dir, paths):
        waveform = join_peaks(info, (path.read_bytes() for path in paths))
        with media.completing(files.peaks) as file:
            file.write(waveform.to_dat())
