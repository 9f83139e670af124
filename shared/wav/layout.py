"""The sizes that a `fmt ` chunk declares: block align and bits per sample.

In: the codec, the channels and both sizes. Out: the sizes to use. Raises `BadWav` if several are possible.

Channels and bits win over a wrong block align, because common recorders compute the align wrongly (mono 16-bit files
say 4 or 1) and every other reader ignores it.
"""

import struct

from shared.errors import BadWav
from shared.wav.codecs import Codec

_EXTENSIBLE = b"\xfe\xff"  # has valid bits in place of the samples per block
_GSM_BLOCK_BYTES = 65
_MIN_BLOCK_SAMPLES = 16
_COEFFICIENTS = slice(22, 50)
_STANDARD_COEFFICIENTS = struct.pack(
    "<14h", 256, 0, 512, -256, 0, 0, 192, 64, 240, 0, 460, -208, 392, -232
)
_G726_BITS = range(2, 6)
_ADPCM_HEADER_BYTES = {Codec.IMA_ADPCM: 4, Codec.XBOX_ADPCM: 4, Codec.MS_ADPCM: 7}


def repair_layout(
    codec: Codec, channels: int, block_align: int, bits: int, payload: bytes = b""
) -> tuple[int, int]:
    """Return block align and bits per sample, corrected if only one value is possible. Raises `BadWav`.

    The `payload` of the fmt chunk has the samples per block of ADPCM.
    """
    match codec:
        case Codec.ALAW | Codec.MULAW:
            return channels, 8
        case Codec.PCM | Codec.FLOAT:
            return _repair_raw_layout(codec, channels, block_align, bits)
        case Codec.GSM:
            if block_align not in (0, _GSM_BLOCK_BYTES):
                raise contradictory_layout(codec, channels, block_align, bits)
            return _GSM_BLOCK_BYTES, bits
        case Codec.IMA_ADPCM | Codec.MS_ADPCM | Codec.XBOX_ADPCM:
            return _repair_adpcm_layout(codec, channels, block_align, bits, payload)
    return block_align, bits


def _repair_raw_layout(codec: Codec, channels: int, block_align: int, bits: int) -> tuple[int, int]:
    """Return block align, computed if it is wrong, and 8 times the bytes of a sample. Raises `BadWav`."""
    widths = (4, 8) if codec is Codec.FLOAT else range(1, 9)
    bits_bytes = -(-bits // 8)
    sample_bytes, rest = divmod(block_align or channels * bits_bytes, channels)
    # Real files store 24 bits in 4 bytes.
    is_padded = codec is Codec.PCM and (bits, sample_bytes, rest) == (24, 4, 0)
    if bits % 8 == 0 and bits_bytes in widths and not is_padded:
        return channels * bits_bytes, bits
    fits = bits == 0 or (codec is Codec.PCM and bits < 8 * sample_bytes)
    if sample_bytes in (5, 6, 7):
        fits = sample_bytes == bits_bytes  # no known writer uses more bytes than the bits need
    if rest or sample_bytes not in widths or not fits:
        raise contradictory_layout(codec, channels, block_align, bits)
    return channels * sample_bytes, 8 * sample_bytes


def _repair_adpcm_layout(
    codec: Codec, channels: int, block_align: int, bits: int, payload: bytes
) -> tuple[int, int]:
    by_samples = adpcm_block_align(codec, channels, payload)
    is_too_small = block_align <= _ADPCM_HEADER_BYTES[codec] * channels
    if is_too_small and by_samples:
        return by_samples, 4
    if bits in (2, 5) and _has_bits(codec, channels, block_align, bits, payload):
        return block_align, bits  # as Cool Edit writes them
    if is_too_small or (bits not in (0, 3, 4) and block_align != by_samples):
        raise contradictory_layout(codec, channels, block_align, bits)
    return block_align, bits if bits == 3 else 4  # ffmpeg rejects 0 for IMA


def adpcm_block_align(codec: Codec, channels: int, payload: bytes) -> int | None:
    """Return the block align that belongs to the samples per block, with 4 bits a sample, or None."""
    unpacked = {Codec.IMA_ADPCM: 1, Codec.MS_ADPCM: 2}.get(codec)
    samples = int.from_bytes(payload[18:20], "little")
    if unpacked is None or payload[:2] == _EXTENSIBLE or samples < _MIN_BLOCK_SAMPLES:
        return None
    return _ADPCM_HEADER_BYTES[codec] * channels + (samples - unpacked) * channels // 2


def _has_bits(codec: Codec, channels: int, block_align: int, bits: int, payload: bytes) -> bool:
    """Return True if a block of IMA ADPCM with these bits holds as many samples as the header says."""
    samples = int.from_bytes(payload[18:20], "little")
    held = 8 * (block_align - _ADPCM_HEADER_BYTES[codec] * channels) // (channels * bits)
    return codec is Codec.IMA_ADPCM and samples > _MIN_BLOCK_SAMPLES and samples == 1 + held


def adpcm_warning(declared: int, block_align: int) -> str:
    return (
        f"The header says blocks of {declared} bytes, but its number of samples in a block needs {block_align} bytes. "
        f"The audio was read in blocks of {block_align} bytes."
    )


def coefficients_warning(payload: bytes) -> str | None:
    """Return a sentence about MS ADPCM that was not made with the seven standard pairs, or None.

    Decoders know no others. Zeros and missing ones are those of writers that leave them out.
    """
    pairs = payload[_COEFFICIENTS]
    if payload[:2] == _EXTENSIBLE or not any(pairs) or _STANDARD_COEFFICIENTS.startswith(pairs):
        return None
    return (
        "The header gives MS ADPCM coefficients of its own. The audio was decoded with the standard ones, so it may "
        "be distorted. If it is, export it as PCM."
    )


def repair_byte_rate(payload: bytes, rate_hz: int, bits: int) -> tuple[bytes, str | None]:
    """Return a G.726 payload whose byte rate gives the bits of a sample, as decoders read it, and a warning.

    The bits per sample win over a wrong byte rate. Raises `BadWav` if neither is possible.
    """
    (byte_rate,) = struct.unpack_from("<I", payload, 8)
    by_rate = 8 * byte_rate // rate_hz
    if by_rate in _G726_BITS and (by_rate == bits or bits not in _G726_BITS):
        return payload, None
    if bits not in _G726_BITS:
        raise BadWav(
            f"The WAV's header contradicts itself: it says G.726, but {bits} bits a sample and {byte_rate} bytes a "
            "second. Export it again."
        )
    right = rate_hz * bits // 8
    warning = (
        f"The header says {byte_rate} bytes a second, but {right} belong to G.726 with {bits} bits. "
        f"The audio was read with {bits} bits."
    )
    return payload[:8] + struct.pack("<I", right) + payload[12:], warning


def layout_warning(channels: int, declared: int, block_align: int) -> str | None:
    """Return a sentence about a wrong block align, or None."""
    if declared in (0, block_align):
        return None
    return (
        f"The header says blocks of {declared} bytes, but {block_align} bytes belong to {channels} channel(s) "
        f"of {8 * block_align // channels} bits. The audio was read in blocks of {block_align} bytes."
    )


def contradictory_layout(codec: Codec, channels: int, block_align: int, bits: int) -> BadWav:
    return BadWav(
        f"The WAV's header contradicts itself: it says {codec.label}, but blocks of {block_align} bytes for "
        f"{channels} channel(s) of {bits} bits. Export it again."
    )
