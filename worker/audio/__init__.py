"""Encodes a range of a source's samples to MP3 frames, with ffmpeg. Other packages import only this door."""

from worker.audio.cores import own_core
from worker.audio.encode import Encoded, Segment, write_part
from worker.audio.ffmpeg import Limits
from worker.audio.filters import peak_warnings
from worker.audio.fingerprint import encoder_fingerprint, encoder_name

__all__ = [
    "Encoded",
    "Limits",
    "Segment",
    "encoder_fingerprint",
    "encoder_name",
    "own_core",
    "peak_warnings",
    "write_part",
]
