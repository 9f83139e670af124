"""Encodes a range of a source's samples to MP3 frames, with ffmpeg. Other packages import only this door."""

from worker.audio.cores import own_core
from worker.audio.encode import Encoded, Segment, write_part
from worker.audio.ffmpeg import Limits
from worker.audio.filters import peak_warnings
from worker.audio.fingerprint import encoder_fingerprint, encoder_name
from worker.audio.flaws import flaw_warnings
from worker.audio.peaks import Peaks, join_peaks

__all__ = [
    "Encoded",
    "Limits",
    "Peaks",
    "Segment",
    "encoder_fingerprint",
    "encoder_name",
    "flaw_warnings",
    "join_peaks",
    "own_core",
    "peak_warnings",
    "write_part",
]
