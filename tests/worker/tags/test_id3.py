import zlib

import pytest
from mutagen.id3 import (
    APIC,
    CHAP,
    COMM,
    CTOC,
    GEOB,
    PRIV,
    TALB,
    TCON,
    TIPL,
    TIT2,
    TPE1,
    TXXX,
    USLT,
    WOAR,
    WXXX,
)

from tests.worker.tags.tag_material import cue, id3, info, labels, raw_frame, raw_id3, read

PICTURE = b"\xff\xd8\xff\xe0\0\x10JFIF\0" + bytes(range(256)) * 40 + b"\xff\0\xff\xd9"


@pytest.mark.parametrize("encoding", [0, 1, 2, 3])
def test_cover_art_keeps_its_bytes_and_type(encoding: int) -> None:
    art = APIC(encoding=encoding, mime="image/jpeg", type=4, desc="Rückseite", data=PICTURE)
    (kept,) = read(id3(art)).getall("APIC")
    assert (kept.mime, kept.type, kept.desc, kept.data) == ("image/jpeg", 4, "Rückseite", PICTURE)


def test_pictures_without_description_are_kept() -> None:
    frames = (b"\3image/png\0" + bytes([kind]) + b"\0data" for kind in (3, 4, 5))
    pictures = read(raw_id3(*(raw_frame(b"APIC", frame) for frame in frames))).getall("APIC")
    assert [(picture.type, picture.desc.strip()) for picture in pictures] == [
        (3, ""),
        (4, ""),
        (5, ""),
    ]


@pytest.mark.parametrize(("version", "encoding"), [(3, 0), (3, 1), (4, 0), (4, 1), (4, 2), (4, 3)])
def test_text_of_every_charset_becomes_utf_8(version: int, encoding: int) -> None:
    frames = (
        TIT2(encoding=encoding, text="Grüße"),
        TPE1(encoding=encoding, text=["Ané", "Bö"]),
        TXXX(encoding=encoding, desc="Schlüssel", text="Wört"),
        COMM(encoding=encoding, lang="deu", desc="Ü", text="Kömmentar"),
        USLT(encoding=encoding, lang="deu", desc="", text="Lïed"),
        WXXX(encoding=encoding, desc="Öffnen", url="https://example.org/"),
    )
    tag = read(id3(*frames, version=version))
    assert str(tag["TIT2"]) == "Grüße"
    assert tag["TPE1"].text == ["Ané", "Bö"]
    assert str(tag["TXXX:Schlüssel"]) == "Wört"
    assert str(tag["COMM:Ü:deu"]) == "Kömmentar"
    assert str(tag["USLT::deu"]) == "Lïed"
    assert tag["WXXX:Öffnen"].url == "https://example.org/"
    assert {frame.encoding for frame in tag.values()} == {3}


@pytest.mark.parametrize(
    "data",
    [
        b"\3caf\xe9",  # declared UTF-8, is Windows-1252
        b"\0caf\xc3\xa9",  # declared Latin-1, is UTF-8
        b"\1\xff\xfe" + "café".encode("utf-16-be"),  # the mark is of the other order
        b"\1" + "café".encode("utf-16-le"),  # no mark
        b"\0\xff\xfe" + "café".encode("utf-16-le"),  # declared Latin-1, is UTF-16
        b"\3caf\xe9\0\0\0",
    ],
)
def test_a_wrongly_declared_charset_is_repaired(data: bytes) -> None:
    assert str(read(raw_id3(raw_frame(b"TIT2", data)))["TIT2"]) == "café"


def test_an_id3v2_2_tag_is_read() -> None:
    def frame(name: bytes, data: bytes) -> bytes:
        return name + len(data).to_bytes(3) + data

    tag = read(
        raw_id3(
            frame(b"TT2", b"\0Old"),
            frame(b"TYE", b"\x001998"),
            frame(b"TCO", b"\0(17)"),
            frame(b"COM", b"\0eng\0hello"),
            frame(b"PIC", b"\0PNG\3\0" + PICTURE),
            version=2,
        )
    )
    assert (str(tag["TIT2"]), str(tag["TDRC"]), str(tag["TCON"])) == ("Old", "1998", "Rock")
    assert str(tag["COMM::eng"]) == "hello"
    assert (tag["APIC:"].mime, tag["APIC:"].data) == ("image/png", PICTURE)


def test_id3v2_3_dates_and_genres_are_upgraded() -> None:
    frames = (
        raw_frame(b"TYER", b"\x002003"),
        raw_frame(b"TDAT", b"\x003001"),
        raw_frame(b"TIME", b"\x000328"),
        raw_frame(b"TCON", b"\0(4)Eurodisco"),
    )
    tag = read(raw_id3(*frames, version=3))
    assert str(tag["TDRC"]) == "2003-01-30 03:28"
    assert tag["TCON"].text == ["Disco", "Eurodisco"]


def test_unsynchronised_tags_are_read() -> None:
    picture = b"\0image/jpeg\0\3\0" + b"\xff\0\xd8\xff\0\0data"
    frame = raw_frame(b"APIC", picture, flags=0x0002)
    assert read(raw_id3(frame))["APIC:"].data == b"\xff\xd8\xff\0data"
    whole = raw_frame(b"APIC", b"\0image/jpeg\0\3\0\xff\xd8\xff\0data")
    chunk = raw_id3(whole.replace(b"\xff", b"\xff\0"), version=3, flags=0x80)
    assert read(chunk)["APIC:"].data == b"\xff\xd8\xff\0data"


def test_a_wrong_unsynchronisation_flag_is_ignored() -> None:
    frame = raw_frame(b"APIC", b"\0image/jpeg\0\3\0" + PICTURE)
    assert read(raw_id3(frame, version=3, flags=0x80))["APIC:"].data == PICTURE


def test_extended_headers_and_prefixes_are_skipped() -> None:
    title = raw_frame(b"TIT2", b"\x07\0\0\0\2\3x", flags=0x0041)
    assert str(read(raw_id3(b"\0\0\0\6\1\0", title, flags=0x40))["TIT2"]) == "x"
    title = raw_frame(b"TIT2", b"\0x")
    assert str(read(raw_id3(b"\0\0\0\6" + bytes(6), title, version=3, flags=0x40))["TIT2"]) == "x"
    assert str(read(raw_id3(title, version=3, flags=0x40))["TIT2"]) == "x"


def test_plain_sizes_of_itunes_are_read() -> None:
    frames = (raw_frame(b"TALB", b"\3" + b"a" * 299), raw_frame(b"TIT2", b"\3Title"))
    tag = read(raw_id3(*frames))
    assert (str(tag["TALB"]), str(tag["TIT2"])) == ("a" * 299, "Title")


def test_wrong_sizes_and_stray_bytes_lose_nothing() -> None:
    chunk_id, payload = raw_id3(raw_frame(b"TIT2", b"\3Title"))
    for broken in (b"\0" + payload, payload[:6] + b"\x7f" * 4 + payload[10:]):
        assert str(read((chunk_id, broken))["TIT2"]) == "Title"


def test_a_chunk_id_in_capitals_is_read() -> None:
    assert str(read((b"ID3 ", id3(TIT2(text="x"))[1]))["TIT2"]) == "x"


def test_frames_of_other_programs_are_copied() -> None:
    geob = GEOB(encoding=0, mime="x/y", filename="", desc="settings", data=PICTURE)
    tag = read(id3(geob, PRIV(owner="me", data=PICTURE), TIT2(text="x")))
    assert tag["GEOB:settings"].data == PICTURE
    assert tag.getall("PRIV")[0].data == PICTURE


def test_people_and_links_are_kept() -> None:
    tag = read(id3(TIPL(people=[["engineer", "Eve"]]), WOAR(url="https://example.org/")))
    assert tag["TIPL"].people == [["engineer", "Eve"]]
    assert tag.getall("WOAR")[0].url == "https://example.org/"


def test_a_broken_chunk_hides_no_other() -> None:
    broken = (b"id3 ", b"ID3\x04\0\0\0\0\x7f\x7fTIT2\x7f\x7f\x7f\x7f\0\0\3never")
    tag = read(broken, (b"id3 ", b"no tag"), info(INAM=b"INFO title"))
    assert {name: str(tag[name]) for name in tag if name != "TSSE"} == {"TIT2": "INFO title"}


def test_compressed_and_encrypted_frames_are_dropped() -> None:
    bomb = zlib.compress(bytes(2**24))
    frames = (
        b"TALB" + len(bomb).to_bytes(4) + b"\0\x80" + bomb,
        raw_frame(b"TPE1", b"\3secret", flags=0x40),
        raw_frame(b"TIT2", b"\0open"),
    )
    assert sorted(read(raw_id3(*frames, version=3))) == ["TIT2", "TSSE"]


def test_an_empty_frame_hides_no_info_value() -> None:
    tag = read(id3(TIT2(text="x")), raw_id3(raw_frame(b"TALB", b"\3 ")), info(IPRD=b"Album"))
    assert str(tag["TALB"]) == "Album"


def test_id3_chapters_override_cue_points() -> None:
    chapter = CHAP(
        element_id="c1",
        start_time=5,
        end_time=900,
        start_offset=1,
        end_offset=2,
        sub_frames=[TIT2(text="Kept"), TALB(text="x"), TCON(text="(17)")],
    )
    contents = CTOC(element_id="t", flags=3, child_element_ids=["c1"], sub_frames=[])
    tag = read(id3(chapter, contents), cue((1, 0)), labels({1: b"Cue"}))
    (kept,) = tag.getall("CHAP")
    assert (kept.element_id, kept.start_time, kept.end_time) == ("c1", 5, 900)
    assert kept.start_offset == 0xFFFFFFFF  # a byte position in another file
    assert str(kept.sub_frames["TIT2"]) == "Kept"
    assert [(frame.element_id, frame.child_element_ids) for frame in tag.getall("CTOC")] == [
        ("t", ["c1"])
    ]
