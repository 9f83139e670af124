"""The Xing/LAME header: the first frame of an MP3, which tells players its length and its padding.

It is a silent frame in the audio's format. After an empty side info it holds the number of frames (without itself) and
of bytes (with itself), a table of contents and LAME's fields. The table says where each percent of the time starts, in
256ths of the bytes. From the encoder delay and the padding, in samples, decoders restore exactly the source's samples.

In CBR the header frame must have the audio's bitrate, or players report a wrong one. If such a frame is too small, the
table is left out first (CBR does not need it), then the quality field.

`summarise` reads the parts once, in constant memory. Parts that are not frames of one format, or that do not hold the
expected number of samples, raise `EncodeFailed`.

Sources: LAME 3.100, `VbrTag.c`; "Mp3 Info Tag rev 1", gabriel.mp3-tech.org/mp3infotag.html.
"""

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from fastcrc import crc16

from shared import mpeg
from shared.errors import EncodeFailed
from shared.mpeg import FrameFormat, MpegHeader
from worker.mp3.frames import Slot, layer3_header, lead_in, slots, split_frames

_CHUNK_BYTES = 1 << 18
_MAX_MARKS = 2048
_LOWPASS_PEAK_AND_GAIN_BYTES = 9
_FRAMES_AND_BYTES, _TABLE, _QUALITY = 0x3, 0x4, 0x8
_ALL_FIELDS = _FRAMES_AND_BYTES | _TABLE | _QUALITY
_TAG_BYTES = {_ALL_FIELDS: 156, _FRAMES_AND_BYTES | _QUALITY: 56, _FRAMES_AND_BYTES: 52}
_CRC_AT_BYTES = 190
"""The offset of LAME's CRC in MPEG-1 stereo. eyeD3 reads it there in every format if LAME wrote the header."""
_SMALL_FRAMES_ENCODER = "Lavc"
"""The encoder's name in smaller frames: ffmpeg's library. Decoders trust delay and padding with this name too."""
_UINT12_MAX = (1 << 12) - 1
_UINT32_MAX = (1 << 32) - 1

# LAME's -q: 0 is the slowest and best, 9 the fastest. ffmpeg's default output equals these values.
_VBR_EFFORT, _CBR_EFFORT = 3, 4
_CBR_QUALITY = 4  # the quality field rates CBR as -V 4
_MONO, _JOINT_STEREO = 0, 3
_NSPSYTUNE_AND_ATH_TYPE = 0x15
_NOISE_SHAPING = 1


@dataclass
class Summary:
    """The totals of an MP3's parts, without the header frame."""

    first_header: bytes = b""
    frames: int = 0
    audio_bytes: int = 0
    audio_crc: int = 0
    marks: list[int] = field(default_factory=list)
    """The offsets in the audio of frames 0, `frames_per_mark`, 2 * `frames_per_mark`, ..."""
    frames_per_mark: int = 1

    def add_mark(self) -> None:
        self.marks.append(self.audio_bytes)
        if len(self.marks) == _MAX_MARKS:
            del self.marks[1::2]
            self.frames_per_mark *= 2


def summarise(parts: Iterable[Path]) -> Summary:
    """Read the parts of an MP3 in order."""
    summary = Summary()
    for frame in split_frames(_read_chunks(parts, summary)):
        if summary.frames % summary.frames_per_mark == 0:
            summary.first_header = summary.first_header or frame[:4]
            summary.add_mark()
        summary.frames += 1
        summary.audio_bytes += len(frame)
    return summary


def _read_chunks(parts: Iterable[Path], summary: Summary) -> Iterator[bytes]:
    for part in parts:
        with part.open("rb") as file:
            while chunk := file.read(_CHUNK_BYTES):
                summary.audio_crc = crc16.arc(chunk, summary.audio_crc)
                yield chunk


class _Mode(NamedTuple):
    """The values that differ between CBR and VBR."""

    name: bytes
    method: int
    quality: int
    """From 0 to 100 (best)."""
    preset: int
    min_slot: Slot


def _choose_mode(header: MpegHeader, vbr_quality: int | None) -> _Mode:
    if vbr_quality is None:
        slot = next(slot for slot in slots(header.format) if slot.frame_bytes == header.frame_bytes)
        return _Mode(b"Info", 1, 100 - 10 * _CBR_QUALITY - _CBR_EFFORT, slot.bitrate_kbps, slot)
    quality, preset = 100 - 10 * vbr_quality - _VBR_EFFORT, 500 - 10 * vbr_quality
    return _Mode(b"Xing", 4, quality, preset, slots(header.format)[0])


def header_frame(summary: Summary, samples: int, vbr_quality: int | None, encoder: str) -> bytes:
    """Return the frame to write before the parts, so that the MP3 decodes to exactly `samples` samples.

    `vbr_quality` is LAME's -V, 0 to 9, or None for CBR. `encoder` is LAME's name for itself, such as LAME4.1a.
    """
    header = layer3_header(summary.first_header)
    frame_format, mode = header.format, _choose_mode(header, vbr_quality)
    slot, fields = _choose_header_slot(frame_format, mode)
    total_bytes = min(slot.frame_bytes + summary.audio_bytes, _UINT32_MAX)
    frame = _silent_head(frame_format, summary.first_header, slot)
    frame_count = min(summary.frames, _UINT32_MAX)
    frame += struct.pack(">4sIII", mode.name, fields, frame_count, total_bytes)
    if fields & _TABLE:
        frame += _table_of_contents(summary, slot.frame_bytes)
    if fields & _QUALITY:
        frame += mode.quality.to_bytes(4)
    encoder = encoder if slot.frame_bytes >= _CRC_AT_BYTES + 2 else _SMALL_FRAMES_ENCODER
    frame += struct.pack(">9sB", encoder.encode(), mode.method)
    frame += bytes(_LOWPASS_PEAK_AND_GAIN_BYTES)
    frame += bytes((_NSPSYTUNE_AND_ATH_TYPE, min(mode.min_slot.bitrate_kbps, 255)))
    frame += _pack_delay_and_padding(summary.frames, samples, frame_format.samples_per_frame)
    frame += struct.pack(
        ">BBHIH", _misc_byte(frame_format), 0, mode.preset, total_bytes, summary.audio_crc
    )
    frame += crc16.arc(frame).to_bytes(2)
    if len(frame) <= _CRC_AT_BYTES <= slot.frame_bytes - 2:
        frame = frame.ljust(_CRC_AT_BYTES, b"\0")
        frame += crc16.arc(frame).to_bytes(2)
    return frame.ljust(slot.frame_bytes, b"\0")


def _choose_header_slot(frame_format: FrameFormat, mode: _Mode) -> tuple[Slot, int]:
    """Return the header's slot and fields. VBR has all fields, CBR those that fit into a frame of its bitrate."""
    if mode.name == b"Xing":
        main_bytes = _CRC_AT_BYTES + 2 - (mpeg.HEADER_BYTES + frame_format.side_info_bytes)
        return _smallest_slot(frame_format, mode, main_bytes), _ALL_FIELDS
    choices = [
        (_smallest_slot(frame_format, mode, size), fields) for fields, size in _TAG_BYTES.items()
    ]
    bitrate_kbps = mode.min_slot.bitrate_kbps
    same_bitrate = (choice for choice in choices if choice[0].bitrate_kbps == bitrate_kbps)
    return next(same_bitrate, choices[-1])


def _smallest_slot(frame_format: FrameFormat, mode: _Mode, main_bytes: int) -> Slot:
    return next(
        slot
        for slot in slots(frame_format)
        if slot >= mode.min_slot and slot.main_bytes >= main_bytes
    )


def _silent_head(frame_format: FrameFormat, first_header: bytes, slot: Slot) -> bytes:
    """Return header and side info of a silent frame in `slot`. The other bits are copied from the first frame."""
    bits = int.from_bytes(first_header) & ~mpeg.BITRATE_AND_PADDING_BITS
    header = (bits | slot.header_bits | mpeg.NO_CRC_BIT).to_bytes(mpeg.HEADER_BYTES)
    return header + bytes(frame_format.side_info_bytes)


def _table_of_contents(summary: Summary, header_bytes: int) -> bytes:
    """Return the offset of each percent of the time, counted from the header; the first is the header itself."""
    total_bytes = header_bytes + summary.audio_bytes
    entries = [0]
    for percent in range(1, 100):
        mark = summary.frames * percent // 100 // summary.frames_per_mark
        entries.append(256 * (header_bytes + summary.marks[mark]) // total_bytes)
    return bytes(entries)


def _pack_delay_and_padding(frames: int, samples: int, samples_per_frame: int) -> bytes:
    delay = mpeg.ENCODER_DELAY_SAMPLES + lead_in(samples, samples_per_frame)
    padding = frames * samples_per_frame - delay - samples
    if not mpeg.DECODER_DELAY_SAMPLES <= padding <= _UINT12_MAX:
        raise EncodeFailed
    return (delay << 12 | padding).to_bytes(3)


def _misc_byte(frame_format: FrameFormat) -> int:
    stereo_mode = _MONO if frame_format.channels == 1 else _JOINT_STEREO
    rate = (
        0
        if frame_format.sample_rate_hz <= 32000
        else 1
        if frame_format.sample_rate_hz == 44100
        else 2
    )
    return rate << 6 | stereo_mode << 2 | _NOISE_SHAPING
