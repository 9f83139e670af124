"""MPEG audio in a WAV: its first frame, and the padding that a Xing/LAME header in that frame declares.

In: the first bytes of the data, about 16 KiB. Out: the first frame that another frame of the same kind follows, or
None. Sources: "Mp3 Info Tag rev 1" for the Xing/LAME header; the article "MPEG Audio Frame Header" by Konrad Windszus
for the VBRI header. Fraunhofer's encoders write VBRI headers. Their delay is not reliable.
"""

import re
from dataclasses import replace

from shared.mpeg import (
    CRC_BYTES,
    DECODER_DELAY_SAMPLES,
    ENCODER_DELAY_SAMPLES,
    HEADER_BYTES,
    MpegHeader,
    parse_header,
)
from shared.wav.codecs import Codec
from shared.wav.fmt import FmtChunk

# The name and the flags. Each flag stands for a field: number of frames, number of bytes, table, quality. The delay and
# the padding are 21 bytes after these fields; they are 0 if the encoder was not LAME.
_XING = re.compile(rb"(?:Xing|Info)\0\0\0(.)", re.DOTALL)
_XING_FIELD_BYTES = (4, 4, 100, 4)
_DELAY_AT_BYTES = 21
_VBRI_AT_BYTES = HEADER_BYTES + 32  # in every version, even if the side info is shorter
_LAME = b"LAME"  # fills the unused bytes of LAME's frames
_CODEC_DELAY = slice(28, 30)  # nCodecDelay of MPEGLAYER3WAVEFORMAT
_MAX_DELAY_SAMPLES = 4 * 1152
_VBRI = (
    "The MP3 inside this WAV has a VBRI header, which does not say exactly where its audio starts. {} were cut off at "
    "the start: its frame, and the header's nCodecDelay."
)
_UNSURE = (
    "The MP3 inside this WAV does not say where its audio starts. {} were cut off at the start, as the header's "
    "nCodecDelay says."
)


def follow_frames(start: bytes, fmt: FmtChunk) -> FmtChunk:
    """Take channels and rate from the frames, as decoders do: mixing and resampling must use the same values.

    `start` is the first bytes of the data. The delay comes from a Xing/LAME header, otherwise from LAME's mark in the
    frames, otherwise from `fmt`.
    """
    found = first_frame(start)
    if found is None:
        return fmt
    at, header = found
    corrected = fmt.with_stream(header.format.channels, header.format.sample_rate_hz)
    if (fmt.channels, fmt.sample_rate_hz) != (corrected.channels, corrected.sample_rate_hz):
        corrected = corrected.with_warning(
            f"The header says {fmt.channels} channel(s) and {fmt.sample_rate_hz} Hz, but the {fmt.codec.label} inside "
            f"has {corrected.channels} and {corrected.sample_rate_hz} Hz, which were used."
        )
    if xing := find_xing(start, at, header):
        has_frames = xing[1][0] & 1
        return replace(
            corrected,
            padding_samples=padding_samples(start, xing, header),
            stream_frames=int.from_bytes(start[xing.end() : xing.end() + 4]) if has_frames else 0,
        )
    return corrected if fmt.codec is Codec.MP2 else _cut_delay(corrected, start, at, header)


def _cut_delay(fmt: FmtChunk, start: bytes, at: int, header: MpegHeader) -> FmtChunk:
    frame_samples = header.format.samples_per_frame
    has_vbri = start.startswith(b"VBRI", at + _VBRI_AT_BYTES)
    if not has_vbri and _LAME in start:
        delay = ENCODER_DELAY_SAMPLES + DECODER_DELAY_SAMPLES
        return replace(fmt, padding_samples=(delay, 0), frame_samples=frame_samples)
    declared = int.from_bytes(fmt.payload[_CODEC_DELAY], "little")
    delay = declared if declared <= _MAX_DELAY_SAMPLES else 0
    delay += frame_samples if has_vbri else 0  # a frame without sound
    cut = f"{delay} samples" if delay else "No samples"
    warning = (_VBRI if has_vbri else _UNSURE).format(cut)
    return replace(fmt, padding_samples=(delay, 0), frame_samples=frame_samples).with_warning(
        warning
    )


def first_frame(start: bytes) -> tuple[int, MpegHeader] | None:
    """Return the offset and the header of the first frame. `start` may end directly after that frame."""
    at = start.find(0xFF)
    while at >= 0:
        header = _header_at(start, at)
        if header and _is_followed(start, at, header):
            return at, header
        at = start.find(0xFF, at + 1)
    return None


def find_xing(start: bytes, at: int, header: MpegHeader) -> re.Match[bytes] | None:
    """Return the Xing header in the frame at `at`, or None."""
    side_info_at = at + HEADER_BYTES + (CRC_BYTES if header.has_crc else 0)
    return _XING.match(start, side_info_at + header.format.side_info_bytes)


def padding_samples(start: bytes, xing: re.Match[bytes], header: MpegHeader) -> tuple[int, int]:
    """Return how many samples a decoder gives before and after the audio, as the Xing header declares.

    The samples before the audio include the frame itself, which decodes to silence.
    """
    flags = xing[1][0]
    lame_at = xing.end() + sum(
        size for bit, size in enumerate(_XING_FIELD_BYTES) if flags >> bit & 1
    )
    field = start[lame_at + _DELAY_AT_BYTES : lame_at + _DELAY_AT_BYTES + 3]
    delay, padding = divmod(int.from_bytes(field), 1 << 12)
    before = header.format.samples_per_frame + delay + DECODER_DELAY_SAMPLES
    return before, max(0, padding - DECODER_DELAY_SAMPLES)


def _is_followed(start: bytes, at: int, header: MpegHeader) -> bool:
    next_at = at + header.frame_bytes
    following = _header_at(start, next_at)
    if following is None:
        return next_at == len(start)
    ours, theirs = header.format, following.format
    return (ours.layer, ours.sample_rate_hz) == (theirs.layer, theirs.sample_rate_hz)


def _header_at(data: bytes, at: int) -> MpegHeader | None:
    return parse_header(data[at : at + HEADER_BYTES])
