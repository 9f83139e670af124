"""Everything that a tag does not hold is a sentence for the user."""

import re
import struct

import pytest
from mutagen.id3 import TCON, TIT2, Encoding, Frame

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
        (raw_id3(raw_frame(b"MLLT", b"\0A")), "describe another file: MLLT"),
        ((b"id3 ", b"nonsense"), "the whole tag"),
        (
            (b"iXML", b"<TAKE>1</TAKE><SPEED><NOTE>a</NOTE><TIMECODE_RATE>25/1</TIMECODE_RATE>"),
            "iXML were left out: TIMECODE_RATE",
        ),
        (info("<", **dict.fromkeys([f"I{n:03}" for n in range(1001)], b"x")), r"1 text\(s\)"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_each_loss_is_warned_about(chunk: tuple[bytes, bytes], told: str) -> None:
    (warning,) = warnings(chunk)
    assert re.search(told, warning)


def test_a_second_value_is_warned_about() -> None:
    assert warnings(id3(TIT2(text=["A"])), info(INAM=b"A")) == []
    (warning,) = warnings(id3(TIT2(text=["A"])), info(INAM=b"B"))
    assert "several values of TIT2" in warning


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


@pytest.mark.parametrize("frame", [TCON(text=["Jazz"]), TIT2(text=["A"])])
def test_version_2_3_warns_only_about_lost_frames(frame: Frame) -> None:
    assert made_tag(id3(frame), version="2.3").warnings == []
    lost = raw_id3(raw_frame(b"TMOO", b"\3Calm"))
    (warning,) = made_tag(lost, version="2.3").warnings
    assert "TMOO" in warning
