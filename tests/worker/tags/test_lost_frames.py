"""Frames, dates and genres of ID3 that change or vanish are a sentence for the user."""

import pytest

from tests.worker.tags.tag_material import (
    RiffChunk,
    bext,
    cue,
    info,
    made_tag,
    parsed,
    raw_frame,
    raw_id3,
    read,
    warnings,
)


def old_date(*frames: tuple[bytes, bytes]) -> RiffChunk:
    return raw_id3(*(raw_frame(name, b"\0" + text) for name, text in frames), version=3)


@pytest.mark.parametrize(
    ("chunk", "date", "names"),
    [
        (old_date((b"TYER", b"1999"), (b"TDAT", b"May")), "1999", "TYER, TDAT"),
        (old_date((b"TYER", b"1999"), (b"TDAT", b"3113")), "1999", "TYER, TDAT"),
        (old_date((b"TDAT", b"0102")), "", "TDAT"),
        (old_date((b"TYER", b"99")), "", "TYER"),
        (
            old_date((b"TYER", b"1999"), (b"TDAT", b"0102"), (b"TIME", b"2561")),
            "1999-02-01",
            "TYER, TDAT, TIME",
        ),
        (old_date((b"TORY", b"long ago")), "", "TDOR"),
    ],
)
def test_an_invalid_old_date_is_reported(chunk: RiffChunk, date: str, names: str) -> None:
    assert str(read(chunk).get("TDRC", "")) == date
    (warning,) = warnings(chunk)
    assert warning.endswith(f"or left out without one: {names}.")


def test_conflicting_dates_are_reported() -> None:
    chunk = raw_id3(raw_frame(b"TDRC", b"\x002001"), raw_frame(b"TYER", b"\x001999"))
    (warning,) = warnings(chunk)
    assert "come first: TYER" in warning
    assert warnings(raw_id3(raw_frame(b"TDRC", b"\x001999"), raw_frame(b"TYER", b"\x001999"))) == []


@pytest.mark.parametrize(
    ("chunk", "kind", "fate"),
    [
        (info(ICRD=b"28/11/2026"), "TXXX:date", "only '2026' of it can be the MP3's date"),
        (info(ICRD=b"in May"), "TXXX:date", "it cannot be the MP3's date"),
        (
            bext(date=b"1/2/2024"),
            "TXXX:origination_date",
            "only '2024' of it can be the MP3's date",
        ),
    ],
)
def test_a_date_in_another_form_is_reported(chunk: RiffChunk, kind: str, fate: str) -> None:
    (warning,) = warnings(chunk)
    assert fate in warning
    assert warning.endswith(f"kept as {kind}.")


def test_a_dropped_date_is_not_reported_as_kept() -> None:
    told = warnings(info(ICRD=b"in May"), info(ICRD=b"in June"))
    assert ["kept as TXXX:date" in text for text in told] == [True, False]


@pytest.mark.parametrize("date", [b"2026-11-28", b"2026:11:28", b"0000-00-00", b""])
def test_a_date_of_a_recorder_is_not_a_loss(date: bytes) -> None:
    assert warnings(bext(b"Scene", date=date)) == []


@pytest.mark.parametrize("text", [b"255", b"(255)", b"(17)(255)"])
def test_an_unknown_genre_number_is_reported(text: bytes) -> None:
    chunk = raw_id3(raw_frame(b"TCON", b"\0" + text), version=3)
    assert str(read(chunk).get("TCON", "")) == ("Rock" if b"17" in text else "")
    (warning,) = warnings(chunk)
    assert "does not exist and was left out" in warning


def chapter(*frames: bytes) -> bytes:
    return raw_frame(b"CHAP", b"a\0" + bytes(16) + b"".join(frames))


@pytest.mark.parametrize(
    ("frames", "told"),
    [
        ((raw_frame(b"PRIV", b"me\0x"),), "have no place in the new tag: PRIV"),
        ((chapter(),), "have no place in the new tag: CHAP"),
        ((raw_frame(b"TIT2", b"\0A"), raw_frame(b"TIT2", b"\0B")), "come first: TIT2"),
    ],
)
def test_a_frame_that_a_chapter_loses_is_reported(frames: tuple[bytes, ...], told: str) -> None:
    (warning,) = warnings(raw_id3(chapter(*frames), version=3))
    assert told in warning


@pytest.mark.parametrize(("name", "text"), [(b"TSIZ", b"123"), (b"TRDA", b"May 4th")])
def test_a_frame_without_a_successor_is_reported(name: bytes, text: bytes) -> None:
    (warning,) = warnings(raw_id3(raw_frame(name, b"\0" + text), version=3))
    assert warning.endswith(f": {name.decode()}.")


def test_the_people_of_old_tags_are_kept() -> None:
    data = b"\0producer\0Eve"
    chunk = raw_id3(raw_frame(b"IPLS", data), version=3)
    assert read(chunk)["TIPL"].people == [["producer", "Eve"]]
    both = raw_id3(raw_frame(b"TIPL", b"\0mixer\0Ann"), raw_frame(b"IPLS", data))
    (warning,) = warnings(both)
    assert "come first: TIPL" in warning


def test_version_2_3_warns_about_joined_values() -> None:
    made = made_tag(raw_id3(raw_frame(b"TPE1", b"\3A\0B")), version="2.3")
    assert str(parsed(made.data, translate=False)["TPE1"]) == "A/B"
    (warning,) = made.warnings
    assert "slash between the values: TPE1" in warning


def test_v23_reports_frames_lost_in_chapters() -> None:
    chunk = raw_id3(chapter(raw_frame(b"TMOO", b"\3Calm")))
    (warning,) = made_tag(chunk, version="2.3").warnings
    assert "TMOO" in warning


def test_missing_cue_points_are_reported() -> None:
    chunk_id, payload = cue((1, 0), (2, 5))
    (warning,) = warnings((chunk_id, payload[:-20]))
    assert warning == "The cue chunk says that it has 2 cue point(s), but 1 are in it."


@pytest.mark.parametrize("chunk_id", [b"umid", b"regn", b"minf", b"slnt"])
def test_a_chunk_of_an_editor_is_reported(chunk_id: bytes) -> None:
    (warning,) = warnings((chunk_id, bytes(24)))
    assert warning.endswith(f"left out: {chunk_id.decode().upper()}.")


def test_peaks_of_the_samples_are_not_a_loss() -> None:
    assert warnings((b"PEAK", bytes(16)), (b"levl", bytes(64))) == []
