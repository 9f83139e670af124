"""Everything that a tag does not hold is a sentence for the user."""

import re
import struct

import pytest
from mutagen.id3 import TCON, TDOR, TDRC, TIT2, TPE1, Encoding, Frame

from tests.worker.tags.tag_material import (
    bext,
    id3,
    info,
    labels,
    made_tag,
    parsed,
    raw_frame,
    raw_id3,
    read,
    warnings,
)
from worker.tags.tag import MAX_METADATA_BYTES


@pytest.mark.parametrize(
    ("chunk", "told"),
    [
        ((b"smpl", bytes(36)), "left out: SMPL"),
        (labels({1: b"A"}), "left out: LISTADTL"),
        (info(IGNR=b"(255)"), r"'\(255\)' does not exist"),
        ((b"id3 ", bytes(MAX_METADATA_BYTES + 1)), "chunk of 16777217 bytes was left out"),
        (raw_id3(raw_frame(b"TIT2", b"\0A", 0x80), version=3), "cannot be read.*: TIT2"),
        (
            raw_id3(raw_frame(b"TIT2", b"\3" + b"x" * 5000), version=3),
            r"1 ID3 frame\(s\) were cut.*: TIT2",
        ),
        (
            raw_id3(raw_frame(b"TXXX", b"\3d\0" + b"\0".join([b"x"] * 101)), version=3),
            "a text may have 100 values.*: TXXX",
        ),
        (
            raw_id3(raw_frame(b"USLT", b"\3eng\0" + b"x" * 70_000), version=3),
            "a frame 65536 bytes.*: USLT",
        ),
        (
            raw_id3(raw_frame(b"TIT2", b"\3A"), raw_frame(b"TIT2", b"\3B")),
            "other values of the same kind come first: TIT2",
        ),
        (
            raw_id3(
                raw_frame(b"CHAP", b"a\0" + bytes(16) + 21 * raw_frame(b"TIT2", b"\3A")), version=3
            ),
            "a chapter 20 frames: CHAP",
        ),
        (raw_id3(raw_frame(b"TDRC", b"\3in May")), "without one: TDRC"),
        (
            raw_id3(raw_frame(b"TDRC", b"\3" + b"28.11.2026")),
            "shortened to the date in them.*: TDRC",
        ),
        ((b"iXML", b"<A>" + b"x" * 70_000), "iXML were left out: A, everything after 65536 bytes"),
        (
            (b"iXML", "\ufeff<A>x</A>".encode("utf-16-le")),
            "iXML were left out: A",
        ),
        ((b"iXML", b'<SYNC_POINT n="1"><![CDATA[x]]></SYNC_POINT>'), "left out: SYNC_POINT"),
        ((b"LIST", b"INFOINAM\x09\0\0\0Title"), r"4 byte\(s\) of LIST chunks are missing"),
        ((b"LIST", b"INFOINAM\x02\0\0\0Ti" + b"\xff" * 20), r"20 byte\(s\) of LIST chunks"),
        (raw_id3(raw_frame(b"MLLT", b"\0A")), "have no place in the new tag: MLLT"),
        ((b"id3 ", b"nonsense"), "the whole tag"),
        (raw_id3(raw_frame(b"TIT2", b"\3A"), b"\0\0tit2junk"), "8 bytes after TIT2"),
        (
            (b"iXML", b"<TAKE>1</TAKE><SPEED><NOTE>a</NOTE><TIMECODE_RATE>25/1</TIMECODE_RATE>"),
            "iXML were left out: TIMECODE_RATE",
        ),
        (info("<", **dict.fromkeys([f"I{n:03X}" for n in range(1001)], b"x")), r"1 text\(s\)"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_each_loss_is_reported(chunk: tuple[bytes, bytes], told: str) -> None:
    (warning,) = warnings(chunk)
    assert re.search(told, warning)


def test_a_second_value_is_reported() -> None:
    assert warnings(id3(TIT2(text=["A"])), info(INAM=b"A")) == []
    (warning,) = warnings(id3(TIT2(text=["A"])), info(INAM=b"B"))
    assert "several values of TIT2" in warning


def test_a_text_elsewhere_hides_no_loss() -> None:
    """A date may be kept as its day, but no other text as its first characters."""
    for kept in (TIT2(text=["Symphony 5"]), TPE1(text=["Symphony 5 in C"])):
        (warning,) = warnings(id3(kept, TIT2(text=["Symphony 5"])), info(INAM=b"Symphony 5 in C"))
        assert "several values of TIT2" in warning
    day = id3(TDRC(text=["2026-11-28T10:30:00"]))
    assert warnings(day, info(ICRD=b"2026-11-28")) == []


def test_a_longer_date_text_is_kept() -> None:
    tag = read(info(ICRD=b"28/11/2026"))
    assert (str(tag["TDRC"]), str(tag["TXXX:date"])) == ("2026", "28/11/2026")


def test_cdata_and_utf16_of_ixml_are_read() -> None:
    text = "<NOTE><![CDATA[a < b]]></NOTE><SCENE>Утро &amp; Abend</SCENE>"
    for charset in ("utf-8", "utf-16"):
        tag = read((b"iXML", text.encode(charset)))
        assert (str(tag["TXXX:note"]), str(tag["TXXX:scene"])) == ("a < b", "Утро & Abend")


def test_ixml_names_its_charset() -> None:
    xml = '<?xml version="1.0" encoding="windows-1251"?><BWFXML><NOTE>Утро</NOTE></BWFXML>'
    assert str(read((b"iXML", xml.encode("cp1251")))["TXXX:note"]) == "Утро"


def test_the_umid_is_kept() -> None:
    chunk_id, payload = bext(b"Scene", version=1)
    umid = bytes(range(1, 65))
    tag = read((chunk_id, payload[:348] + umid + payload[412:]))
    assert str(tag["TXXX:umid"]) == "0x" + umid.hex().upper()


def cart(order: str = "<") -> tuple[bytes, bytes]:
    texts = ["Title", "Artist", "CUT-7", "Client", "Category", "Class", "Out cue"]
    dates = [b"2026-11-28", b"08:00:00", b"2026-12-31", b"23:59:59"]
    head = b"0101" + b"".join(text.encode().ljust(64, b"\0") for text in texts) + b"".join(dates)
    head += b"".join(text.ljust(64, b"\0") for text in (b"App", b"1.0", b"User"))
    head += struct.pack(order + "i", 32768)
    head += struct.pack(order + "4sI", b"AUDs", 441) + bytes(56)
    return b"cart", head.ljust(1024, b"\0") + b"http://a.example".ljust(1024, b"\0") + b"Notes\0"


@pytest.mark.parametrize("order", ["<", ">"])
def test_every_field_of_a_cart_chunk_is_kept(order: str) -> None:
    made = made_tag(cart(order), big_endian=order == ">")
    tag = parsed(made.data)
    assert (str(tag["TIT2"]), str(tag["TPE1"])) == ("Title", "Artist")
    expected = {
        "cut_id": "CUT-7", "client_id": "Client", "category": "Category", "out_cue": "Out cue",
        "classification": "Class", "start_date": "2026-11-28", "start_time": "08:00:00",
        "end_date": "2026-12-31", "end_time": "23:59:59", "producer_app_id": "App",
        "producer_app_version": "1.0", "user_defined": "User", "level_reference": "32768",
        "timer_AUDs": "441", "url": "http://a.example", "tag_text": "Notes",
    }  # fmt: skip
    assert {name: str(tag[f"TXXX:{name}"]) for name in expected} == expected
    assert made.warnings == []


def test_version_2_3_has_utf16_and_old_dates() -> None:
    opaque = raw_frame(b"PRIV", b"owner\0" + b"x" * 200)
    chunks = raw_id3(opaque, version=3), info(INAM="Утро".encode(), ICRD=b"2026-11-28")
    data = made_tag(*chunks, version="2.3").data
    assert data[:5] == b"ID3\x03\0"
    assert "Утро".encode("utf-16") in data
    tag = parsed(data, translate=False)
    assert (str(tag["TYER"]), str(tag["TDAT"])) == ("2026", "2811")
    assert tag["TIT2"].encoding == Encoding.UTF16
    assert len(tag.getall("PRIV")[0].data) == 200


@pytest.mark.parametrize(
    ("stored", "kept", "told"),
    [
        ("2026-11-28T10:30:00", ("2026", "2811", "1030"), []),
        ("2026-11-28T00:00:00", ("2026", "2811", "0000"), []),
        ("2026-11-28T10:30:15", ("2026", "2811", "1030"), ["2026-11-28 10:30:15"]),
        ("2026-11", ("2026", "", ""), ["2026-11"]),
    ],
)
def test_version_2_3_warns_about_shortened_dates(
    stored: str, kept: tuple[str, ...], told: list[str]
) -> None:
    made = made_tag(id3(TDRC(text=[stored])), version="2.3")
    tag = parsed(made.data, translate=False)
    assert tuple(str(tag.get(name, "")) for name in ("TYER", "TDAT", "TIME")) == kept
    assert [warning.split(". ")[1].split(" was")[0] for warning in made.warnings] == told


def test_v23_reports_a_lost_original_day() -> None:
    (warning,) = made_tag(id3(TDOR(text=["1999-05-06"])), version="2.3").warnings
    assert "1999-05-06 was shortened" in warning


@pytest.mark.parametrize("frame", [TCON(text=["Jazz"]), TIT2(text=["A"])])
def test_version_2_3_warns_only_about_lost_frames(frame: Frame) -> None:
    assert made_tag(id3(frame), version="2.3").warnings == []
    lost = raw_id3(raw_frame(b"TMOO", b"\3Calm"))
    (warning,) = made_tag(lost, version="2.3").warnings
    assert "TMOO" in warning


def test_a_list_of_zeros_is_not_a_loss() -> None:
    """Multitrack recorders write one before the samples, so that these start at a whole cluster."""
    assert warnings((b"LIST", bytes(393_164))) == []


def test_a_list_without_a_name_is_warned_about() -> None:
    (warning,) = warnings((b"LIST", b"a\0\n\xffabcd"))
    assert warning.endswith("were left out: LIST.")
