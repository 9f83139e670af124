"""Chunk sizes and places: pad bytes, streaming sizes, truncation, more than 4 GiB, floods of chunks."""

import io
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from shared.errors import BadWav
from shared.wav import Chunk, DataRange, WavInfo, check_start, read_wav
from shared.wav.container import MAGIC_BYTES
from tests import wavs
from tests.growth import grows_linearly

GIB = 2**30


def read(wav: bytes) -> WavInfo:
    return read_wav(io.BytesIO(wav), len(wav))


@pytest.mark.parametrize("low_byte", [0x00, 0x20, 0x41, 0xFF])
@pytest.mark.parametrize("fmt_last", [False, True])
def test_forgotten_pad_bytes_are_noticed(low_byte: int, *, fmt_last: bool) -> None:
    samples = wavs.sine(0x100 + low_byte)
    wav = wavs.build(
        samples,
        bits=8,
        before=[(b"LIST", bytes(5))],
        after=[(b"id3 ", b"x")],
        pad=False,
        fmt_last=fmt_last,
    )
    info = read(wav)
    assert wav[info.data_offset : info.data_offset + info.data_bytes] == wavs.encode(
        samples, bits=8
    )
    assert [chunk.id for chunk in info.chunks] == [b"LIST", b"id3 "]


def test_any_pad_byte_is_accepted() -> None:
    odd = wavs.chunk(b"LIST", b"INFOx", pad=False) + b"0"
    data = wavs.chunk(b"data", b"abcdef")
    info = read(wavs.wrap([wavs.chunk(b"fmt ", wavs.fmt_payload()), odd, data]))
    assert (info.samples, len(info.chunks)) == (3, 1)


@pytest.mark.parametrize("payload", [b"\0" + bytes(64), b"0" * 65, bytes(range(65)), b"abc"])
@pytest.mark.parametrize("size", [0x21, 0x41, 0x0141])
def test_unknown_chunks_survive_forgotten_pads(payload: bytes, size: int) -> None:
    """One byte later, the rest of its id and the first byte of its size may look like an id too."""
    odd = (b"LIST", bytes(size)), (b"abcd", payload.ljust(size, b"x")), (b"qlty", payload)
    info = read(wavs.build(wavs.sine(20), before=odd, pad=False))
    assert (info.samples, [chunk.id for chunk in info.chunks]) == (20, [b"LIST", b"abcd", b"qlty"])


@pytest.mark.parametrize("excess_bytes", range(1, 17))
@pytest.mark.parametrize("item", [b"INAM\x04\0\0\0Rain", b"ISFT\x05\0\0\0data\0\0"])
def test_an_overlong_list_hides_nothing(excess_bytes: int, item: bytes) -> None:
    payload = b"INFO" + item
    chunks = [
        wavs.chunk(b"fmt ", wavs.fmt_payload()),
        wavs.chunk(b"LIST", payload, declared=len(payload) + excess_bytes),
        wavs.chunk(b"data", wavs.encode(wavs.sine(50))),
    ]
    assert read(wavs.wrap(chunks)).samples == 50


@pytest.mark.parametrize("words", [b"ISFT\x04\0\0\0data", b"ISFT\x08\0\0\0data\0\0\0\0"])
def test_chunk_ids_in_text_are_ignored(words: bytes) -> None:
    info = read(wavs.build(wavs.sine(50), before=[(b"LIST", b"INFO" + words), (b"\1\2\3\4", b"")]))
    assert (info.samples, info.warnings) == (50, ())


@pytest.mark.parametrize("container", wavs.CONTAINERS)
@pytest.mark.parametrize("declared", [0, 0x7FFFF000, 0x80000000, 0xFFFFFF9B, 0xFFFFFFFF])
def test_a_streaming_size_reaches_the_end(container: str, declared: int) -> None:
    wav = bytearray(wavs.build(wavs.sine(100), container=container, declared=declared))
    if container in ("RF64", "BW64"):
        struct.pack_into("<Q", wav, 28, 0)
    info = read(bytes(wav))
    assert (info.samples, info.warnings) == (100, ())


@pytest.mark.parametrize("after", [b"LIST", b"id3 ", b"abcd", b"data"])
def test_an_empty_data_chunk_is_refused(after: bytes) -> None:
    wav = wavs.build(wavs.sine(0), after=[(after, bytes(20 if after != b"data" else 0))])
    with pytest.raises(BadWav, match="no samples"):
        read(wav)


@pytest.mark.parametrize(
    "missing", [wavs.build(wavs.sine(0)), wavs.build(wavs.sine(1), codec="float", bits=64)[:-1]]
)
def test_an_incomplete_sample_is_refused(missing: bytes) -> None:
    with pytest.raises(BadWav, match=r"no samples|cut off inside its first sample"):
        read(missing)


def test_a_truncated_file_is_reported() -> None:
    info = read(wavs.build(wavs.sine(1120), declared=100_000))
    assert info.samples == 1120
    assert info.warnings == (
        "The audio data is 97760 bytes shorter than its header says. "
        "The 2240 bytes that are present were converted.",
    )


@pytest.mark.parametrize("declared", [None, 203])
def test_a_stray_last_byte_is_ignored(declared: int | None) -> None:
    data = wavs.chunk(b"data", bytes(201 if declared is None else 200), pad=False, declared=201)
    fmt = wavs.chunk(b"fmt ", wavs.fmt_payload(channels=2))
    info = read(wavs.wrap([fmt, data]))
    assert (info.samples, info.data_bytes, info.warnings) == (50, 200, ())


def test_every_data_chunk_is_converted() -> None:
    first, second = wavs.chunk(b"data", bytes(20)), wavs.chunk(b"data", bytes(40))
    fmt, empty = wavs.chunk(b"fmt ", wavs.fmt_payload()), wavs.chunk(b"data", b"")
    both = read(wavs.wrap([fmt, first, second]))
    assert (both.samples, both.data) == (30, (DataRange(44, 20), DataRange(72, 40)))
    assert both.warnings == (
        "The WAV has 2 data chunks. All of them were converted, one after another.",
    )
    later = read(wavs.wrap([fmt, empty, second]))
    assert (later.samples, later.warnings) == (20, ())


@pytest.mark.parametrize("size32", [wavs.STREAMING, 0, 200])
def test_ds64_declares_the_data_size(size32: int) -> None:
    wav = wavs.build(wavs.sine(100), container="RF64", declared=size32, after=[(b"bext", bytes(9))])
    info = read(wav)
    assert (info.samples, [chunk.size for chunk in info.chunks]) == (100, [9])


def test_ds64_declares_other_chunk_sizes() -> None:
    bext = wavs.chunk(b"bext", bytes(1000), declared=wavs.STREAMING)
    fmt, data = (
        wavs.chunk(b"fmt ", wavs.fmt_payload()),
        wavs.chunk(b"data", bytes(20), declared=wavs.STREAMING),
    )
    sizes = wavs.ds64(20, table=[(b"bext", 1000), (b"iXML", 7)])
    info = read(wavs.wrap([sizes, bext, fmt, data], container="RF64"))
    assert info.samples == 10
    assert [(chunk.id, chunk.size) for chunk in info.chunks] == [(b"bext", 1000)]


@pytest.mark.parametrize("container", ["RIFF", "RF64", "BW64", "W64"])
def test_more_than_4_gib_are_read(container: str, tmp_path: Path) -> None:
    """In a plain RIFF, writers store the size modulo 2**32."""
    data_bytes = 5 * GIB
    head = bytearray(wavs.build(wavs.sine(1), container=container))[:-2]
    if container == "W64":
        del head[-6:]
        struct.pack_into("<Q", head, len(head) - 8, data_bytes + 24)
    elif container == "RIFF":
        struct.pack_into("<I", head, len(head) - 4, data_bytes - 4 * GIB)
    else:
        struct.pack_into("<Q", head, 28, data_bytes)
    path = tmp_path / "long.wav"
    tail = wavs.chunk(b"bext", b"1234", container=container)
    with path.open("w+b") as file:
        file.write(head)
        file.seek(len(head) + data_bytes)
        file.write(tail)
        info = read_wav(file, file.tell())
        assert check_start(file, len(head)) is None  # the data may be a WAV itself
        assert check_start(file, len(head) + MAGIC_BYTES)
    assert (info.data_bytes, info.samples) == (data_bytes, data_bytes // 2)
    assert [chunk.id for chunk in info.chunks] == [b"bext"]
    assert bool(info.warnings) is (container == "RIFF")


def test_an_id3_tag_is_kept() -> None:
    tag = b"ID3\4\0\0\0\0\1\1" + bytes(129)
    wav = tag + wavs.build(wavs.sine(100), bits=8, before=[(b"LIST", bytes(7))])
    info = read(wav)
    assert info.chunks[0] == Chunk(b"id3 ", 0, len(tag))
    raw = wav[info.data_offset : info.data_offset + info.data_bytes]
    np.testing.assert_array_equal(
        wavs.decode(raw, channels=1, bits=8),
        wavs.decode(wavs.encode(wavs.sine(100), bits=8), channels=1, bits=8),
    )


def test_truncated_metadata_is_kept() -> None:
    wav = wavs.build(wavs.sine(10), after=[(b"id3 ", bytes(100))])[:-60]
    assert [chunk.size for chunk in read(wav).chunks] == [40]


FLOOD = 8_000
"""Fewer chunks than the reader's bounds, so that it reads all of them and more of them take more time."""
FLOODS = [b"abcd", b"\0\0\0\0", b"data", b"fmt ", b"ds64"]


@pytest.mark.exhaustive
@pytest.mark.slow
@pytest.mark.parametrize("flood", FLOODS)
def test_a_flood_of_chunks_needs_little_memory(flood: bytes) -> None:
    crowd = wavs.chunk(flood, b"") * 300_000
    refused = [wavs.wrap([]), wavs.build(wavs.sine(0))] if any(flood) else [wavs.wrap([])]
    tracemalloc.start()
    try:
        assert read(wavs.build(wavs.sine(10)) + crowd).samples == 10
        for head in refused:
            with pytest.raises(BadWav):
                read(head + crowd)
        assert tracemalloc.get_traced_memory()[1] < 16 * 2**20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("flood", FLOODS)
def test_a_flood_of_chunks_is_read_once(flood: bytes) -> None:
    def read_all(wav: bytes) -> None:
        assert read(wav).samples == 10

    assert grows_linearly(read_all, wavs.build(wavs.sine(10)), wavs.chunk(flood, b""), FLOOD)


@pytest.mark.parametrize(
    ("head", "flood"),
    [
        *((wavs.wrap([]), flood) for flood in FLOODS),
        # zeros after an empty data chunk are its samples
        *((wavs.build(wavs.sine(0)), flood) for flood in FLOODS if any(flood)),
    ],
)
def test_a_flood_without_samples_is_refused(head: bytes, flood: bytes) -> None:
    def refuse(wav: bytes) -> None:
        with pytest.raises(BadWav):
            read(wav)

    assert grows_linearly(refuse, head, wavs.chunk(flood, b""), FLOOD)


def test_metadata_chunks_are_bounded_in_number() -> None:
    assert len(read(wavs.build(wavs.sine(10), after=[(b"abcd", b"12")] * 5000)).chunks) == 1000


@pytest.mark.parametrize("container", wavs.CONTAINERS)
def test_a_file_cut_off_early_says_so(container: str) -> None:
    wav = wavs.build(wavs.sine(1000), container=container)
    container_bytes = 40 if container == "W64" else 12
    end = wav.index(b"data") + 4
    for kept in range(container_bytes, end):
        with pytest.raises(BadWav, match=r"cut off .* its (fmt|samples).*Copy or upload it again"):
            read(wav[:kept])


def test_a_file_cut_off_before_its_samples_says_so() -> None:
    with pytest.raises(BadWav, match="cut off before its samples"):
        read(wavs.build(wavs.sine(1000))[:44])


@pytest.mark.parametrize(
    ("chunks", "reason"),
    [
        ([], "no fmt chunk"),
        ([wavs.chunk(b"data", bytes(20))], "no fmt chunk"),
        ([wavs.chunk(b"fmt ", wavs.fmt_payload())], "no data chunk"),
        ([wavs.chunk(b"fmt ", wavs.fmt_payload()), wavs.chunk(b"LIST", b"wavldata")], "wavl"),
        ([wavs.chunk(b"fmt ", wavs.fmt_payload(), declared=9999)], "declares 9999 bytes"),
        ([wavs.chunk(b"fmt ", bytes(13)), wavs.chunk(b"data", bytes(20))], "too short"),
    ],
)
def test_a_missing_chunk_is_named(chunks: list[bytes], reason: str) -> None:
    with pytest.raises(BadWav, match=reason):
        read(wavs.wrap(chunks))


LAST_CHUNKS = [
    [(b"LIST", b"INFOINAM\x05\0\0\0Rain\0\0")],
    [(b"LIST", b"INFOINAM\x05\0\0\0Rain\0\0"), (b"Xyz1", b"abc"), (b"id3 ", bytes(5000))],
]


@pytest.mark.parametrize("last", LAST_CHUNKS)
@pytest.mark.parametrize("declared", [0, wavs.STREAMING, 0x7FFFF000, 10**6])
def test_chunks_after_an_unknown_size_are_not_audio(last: list[wavs.Piece], declared: int) -> None:
    samples = wavs.sine(1000)
    wav = wavs.build(samples, after=last, declared=declared)
    info = read(wav)
    assert info.samples == 1000
    assert [chunk.id for chunk in info.chunks] == [chunk_id for chunk_id, _ in last]


@pytest.mark.parametrize("noise", [b"LIST", b"LIST\x05\0\0\0", b"LIST\xff\xff\0\0"])
def test_samples_that_resemble_chunks_stay_audio(noise: bytes) -> None:
    fmt = wavs.chunk(b"fmt ", wavs.fmt_payload())
    data = bytes(range(1, 251)) + noise + b"\xff" * 50
    wav = wavs.wrap([fmt, wavs.chunk(b"data", data, declared=wavs.STREAMING)])
    assert read(wav).data_bytes == len(data)


def test_a_flood_of_resembling_chunks_is_read_once() -> None:
    fmt = wavs.chunk(b"fmt ", wavs.fmt_payload())
    data = wavs.wrap([fmt, wavs.chunk(b"data", b"\1", declared=wavs.STREAMING)])

    def read_all(wav: bytes) -> None:
        assert read(wav + b"\xff" * 50).data_bytes > len(wav) - len(data)

    assert grows_linearly(read_all, data, wavs.chunk(b"LIST", b""), FLOOD)


@pytest.mark.parametrize("placeholder", [0x00FFFFFF, 2**31, 100])
def test_ds64_wins_over_an_odd_placeholder(placeholder: int) -> None:
    raw = wavs.encode(wavs.sine(1000))
    fmt = wavs.chunk(b"fmt ", wavs.fmt_payload())
    data = wavs.chunk(b"data", raw, declared=placeholder)
    title = wavs.chunk(b"LIST", b"INFOINAM\x05\0\0\0Rain\0\0")
    info = read(wavs.wrap([wavs.ds64(2000), fmt, data, title], container="RF64"))
    assert (info.samples, info.warnings) == (1000, ())
    assert [chunk.id for chunk in info.chunks] == [b"LIST"]


def test_a_true_size_wins_over_ds64() -> None:
    fmt = wavs.chunk(b"fmt ", wavs.fmt_payload())
    data = wavs.chunk(b"data", wavs.encode(wavs.sine(1000)))
    title = wavs.chunk(b"LIST", b"INFOINAM\x05\0\0\0Rain\0\0")
    info = read(wavs.wrap([wavs.ds64(2010), fmt, data, title], container="RF64"))
    assert (info.samples, len(info.chunks)) == (1000, 1)


def test_a_size_that_ends_the_file_wins_over_ds64() -> None:
    fmt = wavs.chunk(b"fmt ", wavs.fmt_payload())
    data = wavs.chunk(b"data", wavs.encode(wavs.sine(1000)))
    assert read(wavs.wrap([wavs.ds64(1990), fmt, data], container="RF64")).samples == 1000


def test_many_data_chunks_after_ds64_are_read_once() -> None:
    fmt, data = wavs.chunk(b"fmt ", wavs.fmt_payload()), wavs.chunk(b"data", b"ab")
    head = wavs.wrap([wavs.ds64(1), fmt], container="RF64")

    def read_all(wav: bytes) -> None:
        assert read(wav).samples == (len(wav) - len(head)) // len(data)

    assert grows_linearly(read_all, head, data, 5000)
