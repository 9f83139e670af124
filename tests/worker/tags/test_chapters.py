from mutagen.id3 import CHAP, ID3, TIT2, CTOCFlags

from tests.worker.tags.tag_material import (
    RATE_HZ,
    SAMPLES,
    cue,
    id3,
    info,
    labels,
    parsed,
    read,
    regions,
    riff_list,
    tag_bytes,
    warnings,
)

SECOND = RATE_HZ


def chapters(tag: ID3) -> list[tuple[int, int, str]]:
    found = [(c.start_time, c.end_time, str(c.sub_frames["TIT2"])) for c in tag.getall("CHAP")]
    return sorted(found)


def test_labelled_cue_points_become_chapters() -> None:
    points = cue((7, 4 * SECOND), (3, 0), (5, SECOND + 441))
    tag = read(points, labels({3: b"Intro", 5: "Straße".encode(), 7: b"Outro"}))
    assert chapters(tag) == [
        (0, 1010, "Intro"),
        (1010, 4000, "Straße"),
        (4000, 10_000, "Outro"),
    ]
    (contents,) = tag.getall("CTOC")
    assert contents.flags == CTOCFlags.TOP_LEVEL | CTOCFlags.ORDERED
    starts = [tag[f"CHAP:{child}"].start_time for child in contents.child_element_ids]
    assert starts == [0, 1010, 4000]


def test_labels_may_precede_the_cue_points() -> None:
    assert chapters(read(labels({1: b"A"}), cue((1, 0)))) == [(0, 10_000, "A")]


def test_cue_points_without_label_get_numbers() -> None:
    points = cue((9, 3 * SECOND), (1, 0), (2, SECOND))
    assert chapters(read(points, labels({1: b"", 2: b"B"}))) == [
        (0, 1000, "Marker 1"),
        (1000, 3000, "B"),
        (3000, 10_000, "Marker 3"),
    ]
    assert chapters(read(cue((1, 0)))) == [(0, 10_000, "Marker 1")]
    assert warnings(points) == []


def test_cue_points_left_out_are_reported() -> None:
    many = cue(*((n, n) for n in range(300)))
    assert warnings(many) == ["45 cue point(s) were left out, because an MP3 holds 255 chapters."]
    late, twice = cue((1, 0), (2, SAMPLES)), cue((1, 5), (2, 5), (3, 6))
    assert ["after the end" in note for note in warnings(late)] == [True]
    assert ["share the position" in note for note in warnings(twice)] == [True]
    too_many = cue(*((1, n) for n in range(10_010)))
    assert any(note.startswith("10 cue point(s)") for note in warnings(too_many))
    chapter = CHAP(element_id="a", start_time=0, end_time=5, sub_frames=[TIT2(text=["A"])])
    assert ["has chapters" in note for note in warnings(id3(chapter), twice)] == [True]


def test_a_region_ends_before_the_next_chapter() -> None:
    points = cue((1, 0), (2, 4 * SECOND), (3, 6 * SECOND))
    lengths = regions({1: SECOND, 2: 5 * SECOND, 3: 100 * SECOND})
    tag = read(points, labels({1: b"A", 2: b"B", 3: b"C"}), lengths)
    assert chapters(tag) == [(0, 1000, "A"), (4000, 6000, "B"), (6000, 10_000, "C")]


def test_a_cut_region_is_reported() -> None:
    points = cue((1, 0), (2, 4 * SECOND))
    assert warnings(points, regions({1: 4 * SECOND, 2: 6 * SECOND})) == []
    (warning,) = warnings(points, regions({1: 4 * SECOND + 1}))
    assert warning.startswith("1 region(s) last beyond")


def test_notes_beside_a_label_describe_the_chapter() -> None:
    note = riff_list(b"adtl", [(b"note", b"\1\0\0\0Second take\0")])
    tag = read(cue((1, 0)), note, labels({1: b"A"}))
    (chapter,) = tag.getall("CHAP")
    assert str(chapter.sub_frames["TIT2"]) == "A"
    assert str(chapter.sub_frames["TIT3"]) == "Second take"


def test_lost_labels_are_reported() -> None:
    points = cue((1, 0))
    assert [
        "missing cue point" in note for note in warnings(points, labels({1: b"A", 2: b"B"}))
    ] == [True]
    (warning,) = warnings(points, labels({1: b"A"}), labels({1: b"B"}))
    assert warning.startswith("1 cue point(s) have several labels")
    assert warnings(points, labels({1: b"A"}), labels({1: b"A"})) == []
    (warning,) = warnings(points, riff_list(b"adtl", [(b"file", b"\1\0\0\0data")]))
    assert "adtl list were left out: file" in warning


def test_cue_points_after_the_audio_are_ignored() -> None:
    points = cue((1, SAMPLES), (2, SAMPLES + 1), (3, 2**32 - 1))
    assert list(read(points, labels({1: b"A", 2: b"B", 3: b"C"}))) == ["TSSE"]


def test_two_labels_in_one_place_are_one_chapter() -> None:
    assert chapters(read(cue((1, 5), (2, 5)), labels({1: b"A", 2: b"B"}))) == [(0, 10_000, "A")]


def test_at_most_255_chapters_are_kept() -> None:
    tag = read(cue(*((n, n) for n in range(1, 400))), labels(dict.fromkeys(range(1, 400), b"x")))
    assert len(tag.getall("CHAP")) == 255
    assert len(tag["CTOC:toc"].child_element_ids) == 255


def test_chapters_and_other_tags_are_kept() -> None:
    tag = read(cue((1, 0)), labels({1: b"A"}), info(INAM=b"Title"))
    assert str(tag["TIT2"]) == "Title"
    assert len(tag.getall("CHAP")) == 1


def test_times_stay_within_32_bits() -> None:
    longest = tag_bytes(cue((1, 0)), labels({1: b"A"}), samples=2**42)
    assert parsed(longest)["CHAP:chp0"].end_time == 2**32 - 1
