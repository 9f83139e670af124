"""Text that cannot be read whole is a sentence for the user: invalid, after a NUL, with control characters."""

import re

import pytest
from mutagen.id3 import COMM, Encoding

from tests.worker.tags.tag_material import (
    RiffChunk,
    bext,
    cue,
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

LONE_SURROGATE = "Утро".encode("utf-16-le") + b"\x00\xd8" + "a".encode("utf-16-le")


@pytest.mark.parametrize(
    ("chunk", "told"),
    [
        (raw_id3(raw_frame(b"TIT2", b"\1\xff\xfe" + LONE_SURROGATE)), "1 .* not valid in UTF-16"),
        (raw_id3(raw_frame(b"TIT2", b"\2" + b"\0A\xd8\0\0B")), "1 .* not valid in UTF-16"),
        (raw_id3(raw_frame(b"TIT2", b"\1\xff\xfeA\0B\0C")), "1 .* not valid in UTF-16"),
        (
            raw_id3(raw_frame(b"COMM", b"\1eng\xff\xfe\0\0\xff\xfe" + LONE_SURROGATE)),
            "1 .* not valid in UTF-16",
        ),
        (raw_id3(raw_frame(b"TIT2", b"\3caf\xe9")), "1 .* not valid in UTF-8"),
        (info(INAM="Утро".encode("utf-16-le") + b"x"), "1 .* not valid in UTF-16"),
        (info(INAM=b"Title\0Second"), "1 .* go on after a NUL"),
        (info(INAM="Title\0Second".encode("utf-16")), "1 .* go on after a NUL"),
        (bext(b"Scene\0buffer", b"Recorder\0old"), "2 .* go on after a NUL"),
        ((b"cart", b"0101" + b"Title\0rest".ljust(64, b"\0")), "1 .* go on after a NUL"),
        (raw_id3(raw_frame(b"WOAR", b"http://a.example\0more")), "1 .* go on after a NUL"),
        (info(INAM=b"\x1b$B%F%9%H\x1b(B"), "1 .* have control characters"),
        (raw_id3(raw_frame(b"TIT2", b"\3A\x07B")), "1 .* have control characters"),
        ((b"iXML", b"<NOTE>a\x02b</NOTE>"), "1 .* have control characters"),
        (
            (b"iXML", "<NOTE>\ud800</NOTE>".encode("utf-16", "surrogatepass")),
            "1 .* not valid in UTF-16",
        ),
        (
            raw_id3(raw_frame(b"WOAR", b"http://a.example/" + b"x" * 70_000), version=3),
            "cut.*: WOAR",
        ),
        (
            raw_id3(raw_frame(b"TXXX", b"\3" + b"d" * 70_000 + b"\0x"), version=3),
            "cut.*: TXXX",
        ),
    ],
)
def test_each_text_that_loses_something_is_counted(chunk: RiffChunk, told: str) -> None:
    assert [bool(re.search(told, warning)) for warning in warnings(chunk)] == [True]


def test_values_after_a_nul_are_kept() -> None:
    for version in (3, 4):
        chunk = raw_id3(raw_frame(b"TPE1", b"\3A\0B\0"), version=version)
        assert read(chunk)["TPE1"].text == ["A", "B"]
        assert warnings(chunk) == []


def test_padding_after_a_nul_is_not_a_loss() -> None:
    assert warnings(info(INAM=b"Title\0\0\0 \0")) == []
    assert warnings(raw_id3(raw_frame(b"TIT2", b"\1\xff\xfeA\0\0"))) == []


def test_losses_are_counted_once() -> None:
    """A guess of the charset makes the fields be read twice."""
    chunk = info(INAM="Утро туманное".encode("cp1251") + b"\0rest")
    assert [warning[:9] for warning in warnings(chunk) if "NUL" in warning] == ["1 text(s)"]


def test_text_invalid_in_the_code_page_is_reported() -> None:
    cset = (b"CSET", (932).to_bytes(2, "little") + bytes(6))
    assert "not valid in cp932" in warnings(cset, info(INAM=b"\x81\xff"))[0]


def test_ixml_in_a_code_page_is_guessed() -> None:
    xml = "<NOTE>Утро туманное</NOTE>".encode("cp1251")
    assert str(read((b"iXML", xml))["TXXX:note"]) == "Утро туманное"
    (warning,) = warnings((b"iXML", xml))
    assert "tag_charset" in warning


def test_ixml_in_utf_8_ignores_the_users_charset() -> None:
    made = made_tag((b"iXML", "<NOTE>Утро</NOTE>".encode()), charset="cp1251")
    assert str(parsed(made.data)["TXXX:note"]) == "Утро"


@pytest.mark.parametrize(
    "note", ['<NOTE lang="en">x</NOTE>', "<NOTE>a<b/>c</NOTE>", "<NOTE><![CDATA[a]b]]></NOTE>"]
)
def test_an_unreadable_slate_field_is_reported(note: str) -> None:
    (warning,) = warnings((b"iXML", f"<BWFXML>{note}</BWFXML>".encode()))
    assert "left out: NOTE" in warning


def test_a_link_keeps_its_bytes() -> None:
    link = "http://a.example/ß".encode()
    frame = read(raw_id3(raw_frame(b"WOAR", link))).getall("WOAR")[0]
    assert frame.url.encode("latin-1") == link


def test_people_without_a_role_keep_their_pairs() -> None:
    data = b"\3engineer\0\0producer\0Eve\0"
    assert read(raw_id3(raw_frame(b"TIPL", data)))["TIPL"].people == [
        ["engineer", ""],
        ["producer", "Eve"],
    ]


def test_a_comment_keeps_described_comments() -> None:
    comments = [
        COMM(encoding=Encoding.UTF8, lang=lang, desc=desc, text=[lang + desc])
        for lang, desc in (("eng", ""), ("deu", ""), ("eng", "mood"))
    ]
    made = made_tag(id3(*comments), overrides={"comment": "Mine"})
    assert sorted(map(str, parsed(made.data).getall("COMM"))) == ["Mine", "engmood"]
    (warning,) = made.warnings
    assert warning.startswith("The WAV has 2 comments without a description")
    assert made_tag(id3(comments[0]), overrides={"comment": "Mine"}).warnings == []


def test_labels_beyond_the_limit_are_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("worker.tags.chapters._MAX_LABELS", 2)
    chunks = cue(*((n, n) for n in range(5))), labels({n: b"%d" % n for n in range(5)})
    (warning,) = warnings(*chunks)
    assert warning == "The labels of 2 cue point(s) were left out: only 2 are read."
