"""Detects compressed streams (DTS, AC-3, E-AC-3, Dolby E) and DSD stored as PCM, as CD rips and S/PDIF recordings do.

In: samples from the first sound on, about 128 KiB. Out: the stream's name, or None. Played as samples, such a stream is
loud noise. The file may start inside a frame, so the search covers all of the samples: one sync at the first sound is
enough; elsewhere there must be several.

Sources: ETSI TS 102 114 (DTS in words of 16 and of 14 bits), ETSI TS 102 366 (AC-3 and E-AC-3 frames), IEC 61937-1 and
-2 (S/PDIF preamble and data types), SMPTE 337 and 338 (the same in words of 20 and 24 bits, and Dolby E), "DoP open
Standard" 1.1 (DSD with marker bytes in PCM of 24 bits).
"""

import re
from collections.abc import Iterable, Iterator

WINDOW_BYTES = 128 * 1024
# Each pattern is for the upper 16 bits of the samples, little-endian.
_DTS = re.compile(
    rb"\xfe\x7f\x01\x80.[\xfc-\xff]|\x7f\xfe\x80\x01[\xfc-\xff]"
    rb"|\xff\x1f\x00\xe8[\xf0-\xff]\x07|\x1f\xff\xe8\x00\x07[\xf0-\xff]",
    re.DOTALL,
)
_DTS_STARTS = (b"\xfe\x7f\x01\x80", b"\x7f\xfe\x80\x01", b"\xff\x1f\x00\xe8", b"\x1f\xff\xe8\x00")
_PREAMBLE = re.compile(rb"\x72\xf8\x1f\x4e|\x87\x6f\xe1\x54|\xf8\x96\x4e\xa5|(\xf8\x72\x4e\x1f)")
_PREAMBLE_STARTS = (
    b"\x72\xf8\x1f\x4e",
    b"\x87\x6f\xe1\x54",
    b"\xf8\x96\x4e\xa5",
    b"\xf8\x72\x4e\x1f",
)
_TYPES = {
    **dict.fromkeys((0x0B, 0x0C, 0x0D, 0x11), "DTS"),
    0x01: "Dolby AC-3",
    0x15: "Dolby E-AC-3",
    0x16: "Dolby TrueHD",
    0x1C: "Dolby E",
}
_EMPTY_TYPES = (0x00, 0x03)
_AC3_SYNC = b"\x0b\x77"
_AC3_KBPS = (
    *(32, 40, 48, 56, 64, 80, 96, 112, 128, 160),
    *(192, 224, 256, 320, 384, 448, 512, 576, 640),
)
_AC3_RATES_HZ = (48000, 44100, 32000)
_MIN_FRAMES = 3
_DOP_MARKERS = (0x05, 0xFA)
_MIN_MARKERS = 100


def detect_stream(
    samples: bytes, *, sample_bytes: int, channels: int, big_endian: bool
) -> str | None:
    """Return the name of the stream in these integers."""
    if sample_bytes > 2 and _is_dop(
        samples[0 if big_endian else sample_bytes - 1 :: sample_bytes], channels
    ):
        return "DSD audio (DoP)"
    words = _upper_words(samples, sample_bytes, big_endian=big_endian)
    if name := _detect_preambles(words, channels):
        return name
    syncs = [match.start() for match in _find_matches(_DTS, _DTS_STARTS, words)]
    if _is_certain(words, syncs, _MIN_FRAMES):
        return "DTS"
    name = _detect_ac3(words)
    if name is None and _AC3_SYNC[::-1] in words:
        name = _detect_ac3(_swapped(words))
    return name


def _is_dop(top_bytes: bytes, channels: int) -> bool:
    """Return True if the top bytes of each channel are the two markers of DoP in turn."""
    pair = {bytes([marker]) for marker in _DOP_MARKERS}
    turns = [top_bytes[start :: 2 * channels] for start in (0, channels)]
    if len(turns[1]) < _MIN_MARKERS:
        return False
    return {turn[:1] for turn in turns} == pair and all(
        turn == turn[:1] * len(turn) for turn in turns
    )


def _upper_words(samples: bytes, sample_bytes: int, *, big_endian: bool) -> bytes:
    count = len(samples) // sample_bytes
    if sample_bytes == 2 and not big_endian:
        return samples[: 2 * count]
    words = bytearray(2 * count)
    low, high = (1, 0) if big_endian else (sample_bytes - 2, sample_bytes - 1)
    words[0::2] = samples[low : count * sample_bytes : sample_bytes]
    words[1::2] = samples[high : count * sample_bytes : sample_bytes]
    return bytes(words)


def _swapped(words: bytes) -> bytes:
    swapped = bytearray(words)
    swapped[0::2], swapped[1::2] = words[1::2], words[0::2]
    return bytes(swapped)


def _find_matches(
    pattern: re.Pattern[bytes], starts: tuple[bytes, ...], words: bytes
) -> Iterable[re.Match[bytes]]:
    """Find a pattern whose matches begin with one of `starts`: looking for these first is several times as fast."""
    return pattern.finditer(words) if any(start in words for start in starts) else ()


def _is_certain(words: bytes, syncs: list[int], enough: int) -> bool:
    return bool(syncs) and (len(syncs) >= enough or not any(words[: syncs[0]]))


def _detect_preambles(words: bytes, channels: int) -> str | None:
    """Name the stream by the data type, which is in the next sample of the preamble's channel."""
    matches = _find_matches(_PREAMBLE, _PREAMBLE_STARTS, words)
    found = [match for match in matches if match.start() % 2 == 0]
    if not _is_certain(words, [match.start() for match in found], 2):
        return None
    type_at = 2 * max(2, channels)
    types = (
        words[at] & 0x1F
        for match in found
        if (at := match.start() + type_at + bool(match[1])) < len(words)
    )
    kind = next((each for each in types if each not in _EMPTY_TYPES), None)
    return _TYPES.get(kind or 0, "an S/PDIF stream")


def _detect_ac3(stream: bytes) -> str | None:
    """Look for frames without a preamble. Their sync has only 16 bits, so each must lead to the next."""
    for start in _find_all(stream, _AC3_SYNC):
        at, frames = start, 0
        while frames < _MIN_FRAMES and stream.startswith(_AC3_SYNC, at):
            size = _ac3_frame_bytes(stream[at : at + 6])
            if not size:
                break
            at, frames = at + size, frames + 1
        if frames == _MIN_FRAMES:
            return "Dolby AC-3" if stream[start + 5] >> 3 <= 10 else "Dolby E-AC-3"
    return None


def _find_all(stream: bytes, wanted: bytes) -> Iterator[int]:
    at = stream.find(wanted)
    while at >= 0:
        yield at
        at = stream.find(wanted, at + 1)


def _ac3_frame_bytes(head: bytes) -> int:
    """Return the size of the frame, or 0 if this is not the header of a frame."""
    if len(head) < 6:
        return 0
    if 11 <= head[5] >> 3 <= 16:
        return 2 * (((head[2] & 7) << 8 | head[3]) + 1)
    rate, size_code = head[4] >> 6, head[4] & 0x3F
    if head[5] >> 3 > 10 or rate == 3 or size_code >= 2 * len(_AC3_KBPS):
        return 0
    # A frame has 1536 samples. At 44.1 kHz the odd codes have one word more.
    words = _AC3_KBPS[size_code // 2] * 1000 * 1536 // (16 * _AC3_RATES_HZ[rate])
    return 2 * (words + (size_code & 1 if _AC3_RATES_HZ[rate] == 44100 else 0))
