import pytest

from api.http.multipart import Multipart, PartHead, clean_filename
from shared.errors import BadUpload, NotMultipart
from tests.api.wire import BOUNDARY, CONTENT_TYPE, END, form, part


def parse(body: bytes, chunk_bytes: int) -> tuple[list[PartHead], bytes, bool]:
    parser = Multipart(CONTENT_TYPE)
    heads, content = [], b""
    for start in range(0, len(body), chunk_bytes):
        for event in parser.feed(body[start : start + chunk_bytes]):
            if isinstance(event, PartHead):
                heads.append(event)
            else:
                content += event
    return heads, content, parser.complete


@pytest.mark.parametrize("chunk_bytes", [1, 2, 3, 7, 50, 10_000])
def test_chunk_borders_do_not_matter(chunk_bytes: int) -> None:
    tricky = b"\r\n--" + BOUNDARY[:-1] + b"\r\n\r\n--" + b"\r" * 50 + b"\n"
    body = part(b"", None, b"note") + part(tricky, "Ю.wav".encode()) + END
    assert parse(body, chunk_bytes) == (
        [PartHead("note", None), PartHead("wav_file", "Ю.wav")],
        tricky,
        True,
    )


def test_a_missing_last_boundary_is_noticed() -> None:
    assert not parse(form(b"abc")[:-5], 10)[2]


@pytest.mark.parametrize(
    ("sent", "name"),
    [
        (b"../../x.wav", "x.wav"),
        (b"..\\x.wav", "x.wav"),
        (b"C:\\dir\\x.wav", "x.wav"),
        (b"C:\\\\dir\\\\x.wav", "x.wav"),
        (b"/etc/passwd", "passwd"),
        ("Привет.wav".encode(), "Привет.wav"),
        ("Grüße.wav".encode("latin-1"), "Grüße.wav"),
        ("👨‍👩‍👧.wav".encode(), "👨‍👩‍👧.wav"),
        (b'a\\"b.wav', 'a"b.wav'),
        (b"a%22b.wav", 'a"b.wav'),
        (b"a%0Ab%0D.wav", "a b .wav"),
        (b"a\tb.wav", "a b.wav"),
        ("a\u202egnp.wav".encode(), "a gnp.wav"),
        (b"a;b=c.wav", "a;b=c.wav"),
    ],
)
def test_a_filename_is_cleaned(sent: bytes, name: str) -> None:
    heads, _, complete = parse(form(b"abc", sent), 10_000)
    assert complete
    assert clean_filename(heads[0].filename or "") == name


@pytest.mark.parametrize("sent", ["", ".", "..", "dir/", "..\\..", "\n", " \x7f "])
def test_an_empty_filename_is_refused(sent: str) -> None:
    with pytest.raises(BadUpload, match="has no name"):
        clean_filename(sent)


@pytest.mark.parametrize(
    "content_type",
    ["", "audio/wav", "multipart/form-data", "multipart/form-data; boundary=", "multipart/mixed; boundary=x",
     "multipart/form-data; boundary=" + "x" * 300, "multipart/form-data; \xff\xfe=\xff", ";;;=;"],
)  # fmt: skip
def test_other_content_types_are_refused(content_type: str) -> None:
    with pytest.raises(NotMultipart):
        Multipart(content_type)


@pytest.mark.parametrize(
    "content_type",
    [
        'multipart/form-data; boundary="a b"',
        "Multipart/Form-Data ;  charset=utf-8; boundary=" + "x" * 200,
    ],
)
def test_unusual_content_types_are_accepted(content_type: str) -> None:
    boundary = content_type.partition("boundary=")[2].strip('"').encode()
    parser = Multipart(content_type)
    assert parser.feed(form(b"abc").replace(BOUNDARY, boundary))
    assert parser.complete
