"""Text in code pages: short titles and names, as in the LIST/INFO of real programs."""

import struct

import pytest

from tests.worker.tags.tag_material import (
    cue,
    info,
    labels,
    made_tag,
    parsed,
    raw_frame,
    raw_id3,
    read,
    riff_list,
    warnings,
)

TEXTS = {
    "shift_jis": ("夏の思い出", "東京放送合唱団"),
    "euc_jp": ("夏の思い出", "東京放送合唱団"),
    "gb18030": ("春天的故事", "北京交响乐团"),
    "big5": ("望春風", "台北愛樂合唱團"),
    "euc_kr": ("아리랑", "서울시립교향악단"),
    "cp1251": ("Утро туманное", "Городской хор"),
    "koi8_r": ("Утро туманное", "Городской хор"),
    "cp1253": ("Το τραγούδι", "Ελληνική χορωδία"),
    "cp1255": ("שיר השירים", "מקהלת ירושלים"),
    "cp1256": ("أغنية الصباح", "فرقة بيروت"),
    "cp874": ("เพลงไทย", "วงดนตรีกรุงเทพ"),
    "cp1250": ("Žluťoučký kůň", "Česká filharmonie"),
    "cp1254": ("Şarkı söyle", "İstanbul Oda Orkestrası"),
    "cp1252": ("Château d’Été", "Ensemble À Sei Voci"),
}


@pytest.mark.parametrize("charset", TEXTS)
def test_text_of_each_code_page_is_guessed(charset: str) -> None:
    title, artist = TEXTS[charset]
    chunk = info(INAM=title.encode(charset), IART=artist.encode(charset))
    tag = read(chunk)
    assert (str(tag["TIT2"]), str(tag["TPE1"])) == (title, artist)
    (warning,) = warnings(chunk)
    assert "tag_charset" in warning


def test_all_fields_of_a_file_share_one_charset() -> None:
    """One word alone is too short for a guess."""
    names = [text for pair in (TEXTS["cp1251"], ("Мой",)) for text in pair]
    title, artist, album = (name.encode("cp1251") for name in names)
    assert str(read(info(INAM=title, IART=artist, IPRD=album))["TALB"]) == "Мой"


@pytest.mark.parametrize("charset", TEXTS)
def test_the_requested_charset_is_used(charset: str) -> None:
    title, artist = TEXTS[charset]
    chunk = info(INAM=title.encode(charset), IART=artist.encode(charset))
    made = made_tag(chunk, charset=charset)
    assert str(parsed(made.data)["TIT2"]) == title
    assert made.warnings == []


@pytest.mark.parametrize("text", ["Утро", "Утро туманное", "Το τραγούδι", "Žluťoučký kůň", "שיר"])
@pytest.mark.parametrize("charset", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("end", [b"", b"\0\0"])
def test_utf16_without_a_mark_is_recognised(text: str, charset: str, end: bytes) -> None:
    chunk = info(INAM=text.encode(charset) + end)
    assert str(read(chunk)["TIT2"]) == text
    assert warnings(chunk) == []


def test_utf8_is_not_a_guess() -> None:
    assert warnings(info(INAM="Утро туманное".encode(), IART=b"plain")) == []


def test_a_declared_code_page_is_not_a_guess() -> None:
    chunks = (b"CSET", (1251).to_bytes(2, "little") + bytes(6)), info(INAM="Утро".encode("cp1251"))
    assert str(read(*chunks)["TIT2"]) == "Утро"
    assert warnings(*chunks) == []


def test_the_labels_of_markers_are_guessed_too() -> None:
    text = "Утро туманное"
    tag = read(cue((1, 0)), labels({1: text.encode("cp1251")}))
    assert str(tag.getall("CHAP")[0].sub_frames["TIT2"]) == text


@pytest.mark.parametrize("charset", ["cp1251", "shift_jis", "euc_kr", "cp1253", "gb18030"])
def test_a_code_page_in_an_id3_tag_is_guessed(charset: str) -> None:
    title, artist = TEXTS[charset]
    frames = (b"TIT2", b"\0" + title.encode(charset)), (b"TPE1", b"\0" + artist.encode(charset))
    chunk = raw_id3(*(raw_frame(*frame) for frame in frames))
    tag = read(chunk)
    assert (str(tag["TIT2"]), str(tag["TPE1"])) == (title, artist)
    (warning,) = warnings(chunk)
    assert "tag_charset" in warning


def test_the_requested_charset_counts_for_an_id3_tag() -> None:
    chunk = raw_id3(raw_frame(b"TIT2", b"\0" + "Žižka".encode("cp1250")))
    made = made_tag(chunk, charset="cp1250")
    assert str(parsed(made.data)["TIT2"]) == "Žižka"
    assert made.warnings == []


@pytest.mark.parametrize("title", ["José Peña", "Für Elise", "Ñ", "Château d’Été"])
def test_latin_text_in_an_id3_tag_stays_as_declared(title: str) -> None:
    chunk = raw_id3(raw_frame(b"TIT2", b"\0" + title.encode("cp1252")))
    assert str(read(chunk)["TIT2"]) == title


def test_doubtful_latin1_in_id3_is_reported() -> None:
    doubt, loss = warnings(raw_id3(raw_frame(b"TIT2", b"\0" + "Žluťoučký kůň".encode("cp1250"))))
    assert "it may be cp1250" in doubt
    assert "control characters" in loss  # Latin-1 has one in place of a letter


def test_a_cut_text_is_reported() -> None:
    (warning,) = warnings(info(ICMT=b"x" * 70_000))
    assert "cut to the first 65536" in warning


def test_text_invalid_in_the_requested_charset_is_reported() -> None:
    made = made_tag(info(INAM=b"\x81\xff"), charset="shift_jis")
    assert ["not valid in shift_jis" in warning for warning in made.warnings] == [False, True]
    assert made_tag(info(INAM="Утро".encode()), charset="ascii").warnings == []


def test_invalid_utf16_is_reported() -> None:
    (warning,) = warnings(info(INAM="Утро".encode("utf-16") + b"\x00\xd8" + b"a\0"))
    assert "not valid in UTF-16" in warning


def test_an_unknown_code_page_is_guessed() -> None:
    text = TEXTS["cp1251"][0]
    chunks = (b"CSET", (9999).to_bytes(2, "little") + bytes(6)), info(INAM=text.encode("cp1251"))
    assert str(read(*chunks)["TIT2"]) == text


@pytest.mark.parametrize(("text", "code_page"), [("Größe", 1252), ("Łódź", 1250), ("Чай", 866)])
def test_the_code_page_of_a_region_is_used(text: str, code_page: int) -> None:
    head = struct.pack("<II4s4H", 1, 9, b"rgn ", 0, 0, 0, code_page)
    region = riff_list(b"adtl", [(b"ltxt", head + text.encode(f"cp{code_page}"))])
    made = made_tag(cue((1, 100)), region)
    assert str(parsed(made.data)["CHAP:chp0"].sub_frames["TIT2"]) == text
    assert made.warnings == []
