"""The WAV reader. `reader.py` states the contract. Other packages import only what this file exports."""

from shared.wav.chunks import is_printable
from shared.wav.codecs import Codec
from shared.wav.fmt import FmtChunk
from shared.wav.info import Chunk, DataRange, WavInfo
from shared.wav.reader import MAX_CHUNKS, check_start, read_wav

__all__ = [
    "MAX_CHUNKS",
    "Chunk",
    "Codec",
    "DataRange",
    "FmtChunk",
    "WavInfo",
    "check_start",
    "is_printable",
    "read_wav",
]
