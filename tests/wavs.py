"""WAV files for tests, built from numpy arrays.

`build` writes every container, width and byte order that the reader knows, and on request the mistakes of real
writers. `decode` turns raw sample bytes back into numbers. `arrangements` draws files with any chunks in any order.
Nothing here uses the code under test. Sources: those named in `shared/wav/chunks.py` and `shared/wav/fmt.py`.
"""

import io
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import soundfile
from hypothesis import strategies as st

CONTAINERS = ("RIFF", "RIFX", "RF64", "BW64", "W64")
STREAMING = 0xFFFFFFFF
PCM_BITS = (8, 16, 24, 32, 64)
FLOAT_BITS = (32, 64)

_TAGS = {"pcm": 1, "float": 3, "alaw": 6, "mulaw": 7}
_KS_GUID_TAIL = bytes.fromhex("800000aa00389b71")
_W64_RIFF_TAIL = bytes.fromhex("2e91cf11a5d628db04c10000")
_W64_TAIL = bytes.fromhex("f3acd3118cd100c04f8edb8a")

Piece = tuple[bytes, bytes]
Samples = npt.NDArray[Any]


def sine(frames: int, channels: int = 1, *, sample_rate_hz: int = 44100) -> npt.NDArray[np.float64]:
    """Return sines at half of full scale, with another pitch on every channel; shape (frames, channels)."""
    pitches_hz = 220.0 * (1 + np.arange(channels))
    wave: npt.NDArray[np.float64] = np.sin(
        2 * np.pi * np.arange(frames)[:, None] * pitches_hz / sample_rate_hz
    )
    return 0.5 * wave


def encode(
    samples: Samples,
    *,
    codec: str = "pcm",
    bits: int = 16,
    valid_bits: int | None = None,
    big_endian: bool = False,
) -> bytes:
    """Return sample bytes. Floats have a full scale of 1.0; integers have `valid_bits`, left-justified."""
    if codec in ("alaw", "mulaw"):
        return _through_libsndfile(samples, {"alaw": "ALAW", "mulaw": "ULAW"}[codec])
    order = ">" if big_endian else "<"
    if codec == "float":
        return samples.astype(f"{order}f{bits // 8}").tobytes()
    valid_bits = valid_bits or bits
    whole = samples if samples.dtype.kind == "i" else _quantise(samples, valid_bits)
    if bits == valid_bits and bits in (8, 16, 32, 64):  # faster than octet by octet
        low = whole.astype(f"{order}i{bits // 8}")
        return (low ^ -128 if bits == 8 else low).tobytes()
    whole = whole.astype(np.int64) << (bits - valid_bits)
    if bits == 8:
        whole = whole + 128
    octets = whole.astype("<i8").reshape(-1, 1).view(np.uint8)[:, : bits // 8]
    return (octets[:, ::-1] if big_endian else octets).tobytes()


def decode(
    raw: bytes, *, channels: int, codec: str = "pcm", bits: int = 16, big_endian: bool = False
) -> npt.NDArray[np.float64]:
    """Decode the bytes of `encode` to a full scale of 1.0; shape (frames, channels)."""
    if codec in ("alaw", "mulaw"):
        subtype = {"alaw": "ALAW", "mulaw": "ULAW"}[codec]
        values, _ = soundfile.read(
            io.BytesIO(raw), format="RAW", subtype=subtype, channels=1, samplerate=8000
        )
    elif codec == "float":
        values = np.frombuffer(raw, f"{'>' if big_endian else '<'}f{bits // 8}").astype(np.float64)
    else:
        octets = np.frombuffer(raw, np.uint8).reshape(-1, bits // 8)
        octets = octets[:, ::-1] if big_endian else octets
        wide = np.zeros((len(octets), 8), np.uint8)
        wide[:, 8 - bits // 8 :] = octets ^ np.uint8(128) if bits == 8 else octets
        values = wide.view("<i8")[:, 0] / 2.0**63
    return np.asarray(values, np.float64).reshape(-1, channels)


def fmt_payload(
    *,
    channels: int = 1,
    sample_rate_hz: int = 44100,
    codec: str = "pcm",
    bits: int = 16,
    valid_bits: int | None = None,
    channel_mask: int | None = None,
    block_align: int | None = None,
    fmt_bytes: int | None = None,
    tag: int | None = None,
    big_endian: bool = False,
) -> bytes:
    """Return the payload of `fmt `, extensible if it has valid bits or a mask. `fmt_bytes` cuts it or adds zeros."""
    order = ">" if big_endian else "<"
    tag = _TAGS[codec] if tag is None else tag
    extensible = valid_bits is not None or channel_mask is not None
    block_align = channels * bits // 8 if block_align is None else block_align
    byte_rate = sample_rate_hz * block_align % 2**32
    head = (0xFFFE if extensible else tag, channels, sample_rate_hz, byte_rate, block_align, bits)
    payload = struct.pack(order + "HHIIHH", *head)
    if extensible:
        payload += struct.pack(order + "HHI", 22, valid_bits or bits, channel_mask or 0)
        payload += struct.pack(order + "IHH", tag, 0, 16) + _KS_GUID_TAIL
    return payload if fmt_bytes is None else payload[:fmt_bytes].ljust(fmt_bytes, b"\0")


def chunk(
    chunk_id: bytes,
    payload: bytes,
    *,
    container: str = "RIFF",
    declared: int | None = None,
    pad: bool = True,
) -> bytes:
    """Return a chunk with its header; `declared` replaces the true size."""
    size = len(payload) if declared is None else declared
    if container == "W64":
        tail = _W64_RIFF_TAIL if chunk_id in (b"riff", b"list") else _W64_TAIL
        header, alignment = (
            chunk_id + tail + struct.pack("<Q", size + 24 if declared is None else size),
            8,
        )
    else:
        header, alignment = (
            struct.pack(">4sI" if container == "RIFX" else "<4sI", chunk_id, size),
            2,
        )
    return header + payload + bytes(-len(payload) % alignment if pad else 0)


def wrap(chunks: Iterable[bytes], *, container: str = "RIFF") -> bytes:
    """Return the file made of these chunks."""
    body = b"".join(chunks)
    if container == "W64":
        return (
            b"riff"
            + _W64_RIFF_TAIL
            + struct.pack("<Q", len(body) + 40)
            + b"wave"
            + _W64_TAIL
            + body
        )
    size = STREAMING if container in ("RF64", "BW64") else len(body) + 4
    return (
        struct.pack(
            ">4sI4s" if container == "RIFX" else "<4sI4s", container.encode(), size, b"WAVE"
        )
        + body
    )


def ds64(data_bytes: int, *, table: Iterable[tuple[bytes, int]] = ()) -> bytes:
    entries = [struct.pack("<4sQ", *entry) for entry in table]
    return chunk(b"ds64", struct.pack("<QQQI", 0, data_bytes, 0, len(entries)) + b"".join(entries))


def file_of(raw: bytes, *, container: str = "RIFF", **fmt: int | str) -> bytes:
    """Return a WAV whose data has these bytes, with a header that may contradict them."""
    payload = fmt_payload(big_endian=container == "RIFX", **fmt)  # type: ignore[arg-type]
    chunks = (
        chunk(b"fmt ", payload, container=container),
        chunk(b"data", raw, container=container),
    )
    return wrap(chunks, container=container)


def build(
    samples: Samples,
    *,
    container: str = "RIFF",
    sample_rate_hz: int = 44100,
    codec: str = "pcm",
    bits: int = 16,
    valid_bits: int | None = None,
    channel_mask: int | None = None,
    fmt_bytes: int | None = None,
    before: Iterable[Piece] = (),
    after: Iterable[Piece] = (),
    declared: int | None = None,
    pad: bool = True,
    fmt_last: bool = False,
) -> bytes:
    """Return a WAV of `samples`, shape (frames,) or (frames, channels).

    `before` and `after` are other chunks around the data, as (id, payload). `declared` replaces the true size of the
    data chunk. `pad=False` leaves out every pad byte.
    """
    samples = samples if samples.ndim == 2 else samples[:, None]
    big_endian = container == "RIFX"
    raw = encode(samples, codec=codec, bits=bits, valid_bits=valid_bits, big_endian=big_endian)
    fmt = fmt_payload(
        channels=samples.shape[1],
        sample_rate_hz=sample_rate_hz,
        codec=codec,
        bits=bits,
        valid_bits=valid_bits,
        channel_mask=channel_mask,
        fmt_bytes=fmt_bytes,
        big_endian=big_endian,
    )
    long = container in ("RF64", "BW64")
    fmt_chunk = chunk(b"fmt ", fmt, container=container, pad=pad)
    return wrap(
        [
            ds64(len(raw)) if long else b"",
            b"" if fmt_last else fmt_chunk,
            *(chunk(*piece, container=container, pad=pad) for piece in before),
            chunk(
                b"data",
                raw,
                container=container,
                pad=pad,
                declared=STREAMING if long and declared is None else declared,
            ),
            *(chunk(*piece, container=container, pad=pad) for piece in after),
            fmt_chunk if fmt_last else b"",
        ],
        container=container,
    )


def _quantise(samples: Samples, bits: int) -> npt.NDArray[np.int64]:
    """Round to `bits`; 64 bits have no more precision than a double."""
    precision = min(bits, 53)
    top = 2 ** (precision - 1)
    whole: npt.NDArray[np.int64] = np.clip(np.rint(samples * top), -top, top - 1).astype(np.int64)
    return whole << (bits - precision)


def _through_libsndfile(samples: Samples, subtype: str) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples.reshape(-1, 1), 8000, format="RAW", subtype=subtype)
    return file.getvalue()


@dataclass(frozen=True)
class Arrangement:
    """A WAV that hypothesis generated, and its properties."""

    wav: bytes
    container: str
    channels: int
    bits: int
    raw: bytes
    metadata: list[Piece]


_IDS = st.sampled_from(
    [b"LIST", b"bext", b"iXML", b"id3 ", b"cue ", b"JUNK", b"fact", b"abcd", b"Xy 1"]
)
_PIECES = st.lists(st.tuples(_IDS, st.binary(max_size=300)), max_size=6)


@st.composite
def arrangements(draw: st.DrawFn) -> Arrangement:
    """Draw valid files of every container, PCM width and channel count, with other chunks, `fmt ` first or last."""
    container, bits = draw(st.sampled_from(CONTAINERS)), draw(st.sampled_from(PCM_BITS))
    channels, frames = draw(st.integers(1, 8)), draw(st.integers(1, 50))
    before, after = draw(_PIECES), draw(_PIECES)
    samples = sine(frames, channels)
    extensible = draw(st.booleans())
    wav = build(
        samples,
        container=container,
        bits=bits,
        before=before,
        after=after,
        channel_mask=0 if extensible else None,
        fmt_last=draw(st.booleans()),
    )
    raw = encode(samples, bits=bits, big_endian=container == "RIFX")
    skipped = (b"JUNK", b"fact")
    metadata = [piece for piece in before + after if piece[1] and piece[0] not in skipped]
    return Arrangement(wav, container, channels, bits, raw, metadata)
