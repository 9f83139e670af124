"""The WAV reader. Other packages import only this door; `shared/wav/reader.py` states the contract."""

from shared.wav.fmt import Encoding, Format
from shared.wav.info import Chunk, WavInfo
from shared.wav.reader import MAX_CHUNKS, check_start, read_wav

__all__ = [
    "MAX_CHUNKS",
    "Chunk",
    "Encoding",
    "Format",
    "WavInfo",
    "check_start",
    "read_wav",
]
