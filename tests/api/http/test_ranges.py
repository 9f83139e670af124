import pytest

from api.http.ranges import parse_ranges


@pytest.mark.parametrize(
    ("header", "spans"),
    [
        ("bytes=0-", [range(100)]),
        ("bytes=0-0", [range(1)]),
        ("bytes=10-19", [range(10, 20)]),
        ("bytes=90-1000", [range(90, 100)]),
        ("bytes=-1", [range(99, 100)]),
        ("bytes=-1000", [range(100)]),
        ("bytes= 0-1 , 5-6,", [range(2), range(5, 7)]),
        ("BYTES=0-1", [range(2)]),
        ("bytes=0-1,200-300", [range(2)]),
        ("bytes=0-" + "9" * 3000, [range(100)]),
    ],
)
def test_ranges_are_clipped_to_the_size(header: str, spans: list[range]) -> None:
    assert parse_ranges(header, 100) == spans


@pytest.mark.parametrize("header", ["bytes=100-", "bytes=-0", "bytes=200-300,-0"])
def test_unsatisfiable_ranges_are_left_out(header: str) -> None:
    assert parse_ranges(header, 100) == []


@pytest.mark.parametrize(
    "header",
    ["", "bytes", "bytes=", "bytes=-", "bytes=a-b", "bytes=5-2", "bytes=0-1,x", "lines=0-1", "bytes=0-1-2",
     "bytes=--1", "bytes=+1-2", "bytes=0-" + "9" * 5000, "bytes=\u0663-\u0664"],
)  # fmt: skip
def test_an_invalid_range_header_is_ignored(header: str) -> None:
    assert parse_ranges(header, 100) is None
