import subprocess
import time
import tracemalloc
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import imageio_ffmpeg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mutagen.id3 import APIC, COMM, ID3, TALB, TIT2

from shared.wav import Chunk
from tests.worker.tags.tag_material import (
    SAMPLES,
    RiffChunk,
    bext,
    cue,
    id3,
    info,
    labels,
    made_tag,
    parsed,
    raw_id3,
    read,
    riff_list,
    tag_bytes,
)
from worker.tags.tag import MAX_METADATA_BYTES, Audio, build_tag

SHARED_WAVS = Path(__file__).parents[4] / "shared" / "wavs"


def test_info_fields_become_id3_frames() -> None:
    tag = read(
        info(
            INAM=b"Title\0",
            IART=b"Artist\0",
            IPRD=b"Album\0",
            ICRD=b"2021-03-04\0",
            IGNR=b"Jazz\0",
            ICMT=b"Comment\0",
            ITRK=b"7\0",
            ISFT=b"Recorder 1.0\0",
            ICOP=b"(c) me\0",
            ITCH=b"Technician\0",
            IMUS=b"Composer\0",
            ILNG=b"deu\0",
            ISRC=b"DEAB12100001\0",
        )
    )
    found = {frame.FrameID: str(frame) for frame in tag.values()}
    assert found == {
        "TIT2": "Title",
        "TPE1": "Artist",
        "TALB": "Album",
        "TDRC": "2021-03-04",
        "TCON": "Jazz",
        "COMM": "Comment",
        "TRCK": "7",
        "TSSE": "Recorder 1.0",
        "TCOP": "(c) me",
        "TENC": "Technician",
        "TCOM": "Composer",
        "TLAN": "deu",
        "TSRC": "DEAB12100001",
    }


@pytest.mark.parametrize("name", [b"ITRK", b"IPRT", b"TRCK"])
def test_three_names_of_the_track_are_read(name: bytes) -> None:
    assert str(read(riff_list(b"INFO", [(name, b"3/12")]))["TRCK"]) == "3/12"


def test_other_info_fields_keep_their_names() -> None:
    tag = read(info(IENG=b"Eve", IKEY=b"rain; street", IZZZ=b"whatever", ISRC=b"Some Archive"))
    assert {frame.desc: str(frame) for frame in tag.getall("TXXX")} == {
        "engineer": "Eve",
        "keywords": "rain; street",
        "IZZZ": "whatever",
        "source": "Some Archive",
    }


@pytest.mark.parametrize("padding", [b"", b"\0", b"\0\0", b"\0\0\0", b"\x07"])
def test_any_padding_of_info_items_is_read(padding: bytes) -> None:
    payload = b"INFOINAM\x03\0\0\0abc" + padding + b"IART\x04\0\0\0Nina"
    tag = read((b"LIST", payload))
    assert (str(tag["TIT2"]), str(tag["TPE1"])) == ("abc", "Nina")


def test_rifx_is_read_as_big_endian() -> None:
    tag = read(
        info(order=">", INAM=b"Big"),
        bext(time_reference=5 * 2**32 + 7, version=2, loudness=(-2310, 0, 0, 0, 0), order=">"),
        cue((1, 44_100), order=">"),
        labels({1: b"Verse"}, order=">"),
        big_endian=True,
    )
    assert str(tag["TIT2"]) == "Big"
    assert str(tag["TXXX:time_reference"]) == str(5 * 2**32 + 7)
    assert str(tag["TXXX:loudness_value"]) == "-23.10"
    assert [frame.start_time for frame in tag.getall("CHAP")] == [1000]


def test_all_bext_fields_are_kept() -> None:
    history = b"A=PCM,F=48000,W=24,M=stereo,T=Zoom\r\nA=PCM,F=44100\r\n\0\0"
    tag = read(
        bext(
            b"Rain",
            b"ZOOM H5",
            b"2014-01-01",
            b"02:32:16",
            time_reference=403_113_378,
            history=history,
        )
    )
    assert str(tag["TDRC"]) == "2014-01-01 02:32:16"
    assert str(tag["COMM::eng"]) == "Rain"
    assert str(tag["TENC"]) == "ZOOM H5"
    assert {frame.desc: str(frame) for frame in tag.getall("TXXX")} == {
        "description": "Rain",
        "originator_reference": "REF-1",
        "origination_date": "2014-01-01",
        "origination_time": "02:32:16",
        "time_reference": "403113378",
        "coding_history": "A=PCM,F=48000,W=24,M=stereo,T=Zoom\nA=PCM,F=44100",
    }


def test_loudness_of_bext_version_2_is_kept() -> None:
    chunk = bext(version=2, loudness=(-2300, 540, -105, 0x7FFF, -2011))
    tag = read(chunk)
    assert [str(tag[f"TXXX:{name}"]) for name in ("loudness_value", "loudness_range")] == [
        "-23.00",
        "5.40",
    ]
    assert str(tag["TXXX:max_true_peak_level"]) == "-1.05"
    assert "TXXX:max_momentary_loudness" not in tag
    assert str(tag["TXXX:max_short_term_loudness"]) == "-20.11"


def test_older_bext_has_no_loudness() -> None:
    assert "TXXX:loudness_value" not in read(bext(version=1, loudness=(1, 2, 3, 4, 5)))


def test_a_bext_of_zeros_is_ignored() -> None:
    assert list(read((b"bext", bytes(602)))) == ["TSSE"]


def test_a_truncated_bext_is_read() -> None:
    assert str(read((b"bext", b"Only a description"))["COMM::eng"]) == "Only a description"


@pytest.mark.parametrize(
    ("written", "date"),
    [
        (b"2018", "2018"),
        (b"2018-04", "2018-04"),
        (b"2018/04/26", "2018-04-26"),
        (b"20180426", "2018-04-26"),
        (b"2018-04-26T13:26:19-05:00", "2018-04-26 13:26:19"),
        (b"2003-01-30 03:28:46 UTC", "2003-01-30 03:28:46"),
        (b"Tue Mar 02 11:19:50 2015", "2015"),
        (b"26/04/2018", "2018"),
        (b"2018-13-40", "2018"),
    ],
)
def test_dates_of_all_usual_forms_are_read(written: bytes, date: str) -> None:
    assert str(read(info(ICRD=written))["TDRC"]) == date


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        *[("17", ["17"]), ("191", ["191"]), ("(191)", ["(191)"]), ("0017", ["0017"])],
        *[("192", []), ("255", []), ("(255)", []), ("9" * 5000, []), ("(255)Noise", ["Noise"])],
        *[("80s", ["80s"]), ("(17)Rock", ["(17)Rock"]), ("Rock (1999)", ["Rock (1999)"])],
    ],
)
def test_unknown_genre_numbers_are_dropped(written: str, kept: list[str]) -> None:
    for tag in (tag_bytes(info(IGNR=written.encode())), tag_bytes(overrides={"genre": written})):
        genres = ID3(BytesIO(tag), translate=False).getall("TCON")
        assert [text for genre in genres for text in genre.text] == kept


def test_an_unclear_date_is_kept_as_text() -> None:
    tag = read(info(ICRD=b"last spring"))
    assert "TDRC" not in tag
    assert str(tag["TXXX:date"]) == "last spring"


def test_the_slate_of_ixml_is_kept() -> None:
    xml = b"<BWFXML><SCENE>12A</SCENE><TAKE>3</TAKE><NOTE>wind &amp; rain</NOTE></BWFXML>"
    tag = read((b"iXML", xml))
    assert [str(tag[f"TXXX:{name}"]) for name in ("scene", "take", "note")] == [
        "12A",
        "3",
        "wind & rain",
    ]


def test_id3_overrides_info_and_info_bext() -> None:
    tag = read(
        bext(b"bext comment", b"bext", b"2001-01-01", b"01:01:01"),
        info(INAM=b"INFO title", IART=b"INFO artist", ICMT=b"INFO comment", ICRD=b"2002"),
        id3(TIT2(text="id3 title")),
    )
    assert str(tag["TIT2"]) == "id3 title"
    assert str(tag["TPE1"]) == "INFO artist"
    assert [str(frame) for frame in tag.getall("COMM")] == ["INFO comment"]
    assert str(tag["TDRC"]) == "2002"
    assert str(tag["TXXX:description"]) == "bext comment"
    assert str(tag["TXXX:origination_time"]) == "01:01:01"


def test_only_technical_comments_do_not_override() -> None:
    german = COMM(lang="deu", desc="", text="Regen")
    technical = COMM(lang="eng", desc="iTunNORM", text="0000")
    assert [str(frame) for frame in read(info(ICMT=b"x"), id3(german)).getall("COMM")] == ["Regen"]
    assert str(read(info(ICMT=b"rain"), id3(technical))["COMM::eng"]) == "rain"


def test_overrides_replace_all_values() -> None:
    words = {
        "title": "My title",
        "artist": "My artist",
        "album": "My album",
        "track": "4/9",
        "year": "2026",
        "genre": "Hörspiel",
        "comment": "My comment",
    }
    sources = (
        id3(TIT2(text="x"), COMM(lang="deu", text="x"), COMM(lang="eng", text="x")),
        info(INAM=b"x", IART=b"x", IPRD=b"x", ITRK=b"1", ICRD=b"1999", IGNR=b"x", ICMT=b"x"),
    )
    tag = read(*sources, overrides=words)
    assert sorted((frame.FrameID, str(frame)) for frame in tag.values()) == [
        ("COMM", "My comment"),
        ("TALB", "My album"),
        ("TCON", "Hörspiel"),
        ("TDRC", "2026"),
        ("TIT2", "My title"),
        ("TPE1", "My artist"),
        ("TRCK", "4/9"),
        ("TSSE", "wav2mp3, LAME4.1a"),
    ]


def test_a_shortened_year_is_reported() -> None:
    assert made_tag(overrides={"year": "2026-11-28"}).warnings == []
    (warning,) = made_tag(overrides={"year": "Summer 2026"}).warnings
    assert "'Summer 2026' was shortened to the date in it, '2026'" in warning


def test_overrides_need_no_chunk() -> None:
    assert str(read(overrides={"title": "Solo\0\ud800"})["TIT2"]) == "Solo"


def test_an_empty_override_removes_the_value() -> None:
    assert list(read(info(INAM=b"Secret"), overrides={"title": ""})) == ["TSSE"]


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("Ä – ž 音".encode(), "Ä – ž 音"),
        (b"caf\xe9 \x96 no\xebl", "café – noël"),
        (b"caf\xe9", "café"),
        (b"7", "7"),
        (b"7\0\0", "7"),
        (b"undefined \x81 there", "undefined  there"),
        ("naïve".encode() + b"\xc3", "naïve"),
        (b"Title\0garbage\xff\xfe", "Title"),
        (b" \r\n padded \x07\x1b ", "padded"),
        ("Ünï".encode("utf-16"), "Ünï"),
        ("Uni".encode("utf-16-le"), "Uni"),
        ("Uni".encode("utf-16-be"), "Uni"),
        (b"\xff\xfe" + "Swapped".encode("utf-16-be"), "Swapped"),
    ],
)
def test_text_of_any_encoding_becomes_clean(written: bytes, text: str) -> None:
    tag = read(info(INAM=written))
    assert str(tag["TIT2"]) == text
    assert tag["TIT2"].encoding == 3


@pytest.mark.parametrize(
    ("code_page", "encoding", "text"),
    [
        *[(1251, "cp1251", "Дождь"), (932, "cp932", "あめ"), (37, "cp037", "Regen")],
        *[(10000, "mac_roman", "Flügel"), (10006, "mac_greek", "βροχή")],
        *[(10007, "mac_cyrillic", "Дождь"), (10081, "mac_turkish", "yağış")],
        *[(20866, "koi8_r", "Дождь"), (21866, "koi8_u", "дощ їде"), (28592, "iso8859_2", "židle")],
        *[(28605, "iso8859_15", "œuvre €"), (20273, "cp273", "Flügel"), (51949, "euc_kr", "비")],
        *[(51932, "euc_jp", "雨"), (20932, "euc_jp", "雨"), (51936, "gb2312", "雨")],
        (54936, "gb18030", "雨"),
    ],
)
def test_a_declared_code_page_is_used(code_page: int, encoding: str, text: str) -> None:
    cset = (b"CSET", code_page.to_bytes(2, "little") + bytes(6))
    assert str(read(info(INAM=text.encode(encoding)), cset)["TIT2"]) == text


@pytest.mark.parametrize("code_page", [1, 28602, 65535])
def test_an_unknown_code_page_means_windows_1252(code_page: int) -> None:
    cset = (b"CSET", code_page.to_bytes(2, "little") + bytes(6))
    assert str(read(info(INAM="Flügel".encode("cp1252")), cset)["TIT2"]) == "Flügel"


def test_the_smallest_tag_names_the_encoder() -> None:
    silent = info(INAM=b"\0\0"), (b"junk", b"x"), (b"LIST", b"INFO")
    for tag in (read(), read(*silent)):
        assert [(frame.FrameID, str(frame)) for frame in tag.values()] == [
            ("TSSE", "wav2mp3, LAME4.1a")
        ]


def test_equal_input_gives_equal_bytes() -> None:
    chunks = (
        bext(b"b", date=b"2001-01-01"),
        info(INAM=b"a", IENG=b"e", IKEY=b"k", ICMT=b"c"),
        id3(APIC(data=b"x", mime="image/png"), TALB(text="t")),
        cue((1, 5), (2, 900)),
        labels({1: b"a", 2: b"b"}),
    )
    tag = tag_bytes(*chunks)
    assert tag == tag_bytes(*chunks)
    out = BytesIO()
    parsed(tag).save(out, padding=lambda _info: 0)
    assert len(tag) == len(out.getvalue())


def test_ffmpeg_reads_the_tag_before_an_mp3(tmp_path: Path) -> None:
    mp3 = tmp_path / "tagged.mp3"
    silence = ["-f", "lavfi", "-i", "anullsrc=d=10", "-f", "mp3", "-id3v2_version", "0", "-"]
    tag = tag_bytes(
        info(INAM="Ärger".encode(), ISFT=b"Recorder 1.0"),
        bext(b"Rain", b"ZOOM", b"2014-01-01", b"02:32:16", time_reference=99),
        cue((1, 0), (2, 2 * 44_100)),
        labels({1: b"Intro", 2: b"Verse"}),
    )
    mp3.write_bytes(tag + _ffmpeg(*silence))
    metadata = _ffmpeg("-i", str(mp3), "-f", "ffmetadata", "-").decode().splitlines()
    assert {
        "title=Ärger",
        "encoded_by=ZOOM",
        "comment=Rain",
        "date=2014-01-01T02:32:16",
        "time_reference=99",
    } <= set(metadata)
    chapters = metadata[metadata.index("[CHAPTER]") :]
    assert [line for line in chapters if not line.startswith("TIMEBASE")] == [
        *("[CHAPTER]", "START=0", "END=2000", "title=Intro"),
        *("[CHAPTER]", "START=2000", "END=10000", "title=Verse"),
    ]


def _ffmpeg(*arguments: str) -> bytes:
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", *arguments]
    return subprocess.run(command, check=True, capture_output=True).stdout


def test_chunks_beyond_the_limit_are_skipped() -> None:
    tag = read(raw_id3(bytes(MAX_METADATA_BYTES)), info(INAM=b"Still here"), raw_id3(bytes(2**20)))
    assert str(tag["TIT2"]) == "Still here"


def test_the_largest_picture_takes_under_64_mb() -> None:
    picture = b"\xff\xd8" + bytes(MAX_METADATA_BYTES - 2**12)
    chunk_id, payload = id3(APIC(mime="image/jpeg", data=picture))
    file = BytesIO(payload)
    tracemalloc.start()
    tag = build_tag(
        file,
        [Chunk(chunk_id, 0, len(payload))],
        Audio(SAMPLES, 44_100, big_endian=False),
        {},
        "LAME4.1a",
    ).data
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert parsed(tag)["APIC:"].data == picture
    assert peak_bytes < 64e6


ONE_MIB = 2**20
HOSTILE: dict[str, Callable[[], RiffChunk]] = {
    "tiny info items": lambda: riff_list(
        b"INFO", [(b"I%03d" % (n % 1000), b"x") for n in range(90_000)]
    ),
    "tiny frames": lambda: raw_id3(b"TIT2\0\0\0\2\0\0\3x" * (ONE_MIB // 12)),
    "many values": lambda: raw_id3(
        *(
            b"TXXX" + (60_000).to_bytes(4) + b"\0\0\0" + b"\0%05d\0" % n + b"a\0" * 29_996 + b"b"
            for n in range(17)
        ),
        version=3,
    ),
    "synchronisation": lambda: raw_id3(b"\xff\0" * (ONE_MIB // 2), flags=0x80, version=3),
    "nested chapters": lambda: raw_id3(
        b"".join(
            b"CHAP" + (27 * n + 17).to_bytes(4) + b"\0\0\0" + bytes(16) for n in range(9999, 0, -1)
        ),
        version=3,
    ),
    "cue points": lambda: cue(*((n, n) for n in range(40_000))),
    "unclosed notes": lambda: (b"iXML", b"<NOTE>" * (ONE_MIB // 6)),
    "long coding history": lambda: (b"bext", b"\xe9" * ONE_MIB),
}


MAX_COST_IN_CROWDS = 15
"""Linear work takes at most 4 times as long as the labels of 40,000 markers; quadratic work takes minutes."""


def timed_tag(*chunks: RiffChunk) -> tuple[float, bytes]:
    """Return the processor time that the tag takes, and the tag."""
    started_s = time.process_time()
    tag = tag_bytes(*chunks)
    return time.process_time() - started_s, tag


@pytest.fixture(scope="module")
def crowd() -> RiffChunk:
    return labels(dict.fromkeys(range(1, 40000), b"l"))


@pytest.fixture(scope="module")
def crowd_cpu_s(crowd: RiffChunk) -> float:
    return min(timed_tag(crowd)[0] for _ in range(3))


@pytest.mark.exhaustive
@pytest.mark.slow
@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_chunks_cost_little_time(kind: str, crowd: RiffChunk, crowd_cpu_s: float) -> None:
    """Processor time, in units of other work: the machine may be slow or busy."""
    cpu_s, tag = timed_tag(HOSTILE[kind](), crowd)
    assert cpu_s < MAX_COST_IN_CROWDS * crowd_cpu_s
    assert len(tag) < 4 * ONE_MIB
    parsed(tag)


CHUNK_IDS = st.sampled_from([b"LIST", b"bext", b"id3 ", b"ID3 ", b"cue ", b"iXML", b"CSET"])
STARTS = st.sampled_from(
    [
        b"",
        b"INFOINAM\x04\0\0\0",
        b"INFOICRD\x08\0\0\x002",
        b"adtllabl\x08\0\0\0\1\0\0\0",
        b"adtlltxt\x18\0\0\0\1\0\0\0",
        b"\1\0\0\0\1\0\0\0",
        *(
            b"ID3" + bytes([version, 0, flags, 0, 0, 2, 0]) + frame
            for version, names in (
                (2, b"TT2 TXX WXX COM PIC ULT TCO TYE WAF POP"),
                (3, b"TIT2 TXXX WXXX COMM APIC USLT TCON TDAT WOAF POPM CHAP CTOC IPLS SYLT"),
                (4, b"TIT2 TXXX WXXX COMM APIC USLT TCON TDRC WOAF POPM CHAP CTOC TIPL ETCO"),
            )
            for flags in (0, 0x80, 0x40)
            for frame in (
                name + (b"\0\0\x20" if version == 2 else b"\0\0\0\x20\0\0")
                for name in names.split()
            )
        ),
    ]
)
CHUNKS = st.lists(
    st.tuples(CHUNK_IDS, st.builds(lambda start, rest: start + rest, STARTS, st.binary())),
    max_size=4,
)


@pytest.mark.exhaustive
@pytest.mark.slow
@settings(max_examples=1000, deadline=None)
@given(chunks=CHUNKS, big_endian=st.booleans(), title=st.text())
def test_any_bytes_give_a_valid_tag(
    chunks: list[tuple[bytes, bytes]], big_endian: bool, title: str
) -> None:
    tag = tag_bytes(*chunks, big_endian=big_endian, overrides={"title": title})
    assert parsed(tag).size == len(tag)


@pytest.mark.skipif(not SHARED_WAVS.exists(), reason="the collection of real WAVs is not there")
def test_metadata_of_real_recorders_is_kept() -> None:
    def wild(name: str, chunk_id: bytes, offset: int, size: int) -> ID3:
        with (SHARED_WAVS / name).open("rb") as file:
            return parsed(
                build_tag(
                    file,
                    [Chunk(chunk_id, offset + 8, size)],
                    Audio(SAMPLES, 48_000, big_endian=False),
                    {},
                    "LAME4.1a",
                ).data
            )

    assert str(wild("pro_tools_bext.wav", b"bext", 112, 602)["TDRC"]) == "2020-12-21 20:22:14"
    assert str(wild("riff_extra_zero.wav", b"LIST", 36, 138)["TRCK"]) == "03"
    zoom = wild("wav-with-nul-byte.wav", b"bext", 401_372, 680)
    assert str(zoom["TENC"]) == "ZOOM Handy Recorder H5"
