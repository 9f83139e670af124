import pytest

from api.http.multipart import Multipart, PartHead
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


def with_headers(*headers: bytes) -> bytes:
    return b"--%s\r\n%s\r\n\r\nabc\r\n" % (BOUNDARY, b"\r\n".join(headers)) + END


def test_percent_signs_are_decoded_for_aiohttp_only() -> None:
    """aiohttp percent-encodes all names, and writes the Content-Type first."""
    kind = b"Content-Type: audio/wav"
    disposition = b'Content-Disposition: form-data; name="f"; filename="a%20b.wav"'
    names = [
        parse(with_headers(*headers), 1000)[0][0].filename
        for headers in ((kind, disposition), (disposition, kind))
    ]
    assert names == ["a b.wav", "a%20b.wav"]


def test_the_charset_of_a_field_is_read() -> None:
    body = with_headers(
        b"Content-Type: text/plain; charset=shift_jis", b'Content-Disposition: form-data; name="t"'
    )
    assert parse(body, 1000)[0] == [PartHead("t", None, "shift_jis")]


def test_a_part_that_is_encoded_is_refused() -> None:
    with pytest.raises(BadUpload, match="Content-Transfer-Encoding 'base64'"):
        parse(with_headers(b"Content-Transfer-Encoding: BASE64"), 1000)


def test_a_missing_last_boundary_is_noticed() -> None:
    assert not parse(form(b"abc")[:-5], 10)[2]


@pytest.mark.parametrize("chunk_bytes", [1, 5, 10_000])
def test_unusual_but_valid_forms_are_read(chunk_bytes: int) -> None:
    line = b"Content-Disposition: form-data; name=wav_file;"
    folded = b"--%s  \r\nX: 1\r\n%s\r\n\tfilename=a.wav\r\n\r\n" % (BOUNDARY, line)
    body = b"A preamble.\r\n--" + BOUNDARY[:-1] + b"\r\n" + folded + b"abc\r\n" + END + b"x" * 99
    assert parse(body, chunk_bytes) == ([PartHead("wav_file", "a.wav")], b"abc", True)


@pytest.mark.parametrize(
    "content", [b"", b"\r\n", b"--" + BOUNDARY, b"\r\n--" + BOUNDARY + b"x", b"\r\n--" + BOUNDARY + b" " * 300]
)  # fmt: skip
@pytest.mark.parametrize("chunk_bytes", [1, 10_000])
def test_content_resembling_a_boundary_is_kept(content: bytes, chunk_bytes: int) -> None:
    assert parse(form(content), chunk_bytes)[1:] == (content, True)


@pytest.mark.parametrize(
    ("body", "named"),
    [
        (b"", "is empty"),
        (form(b"abc").replace(BOUNDARY, b"another"), "boundary that its Content-Type announces"),
        (form(b"abc")[:-5], "ends before its last boundary"),
    ],
)
def test_an_incomplete_body_is_explained(body: bytes, named: str) -> None:
    parser = Multipart(CONTENT_TYPE)
    if body:
        parser.feed(body)
    with pytest.raises(BadUpload, match=named):
        parser.check_complete()


@pytest.mark.parametrize(
    ("head", "named"), [(b"no colon", "no colon"), (b"X: " + b"y" * 20_000, "larger than")]
)
def test_a_malformed_part_head_is_explained(head: bytes, named: str) -> None:
    with pytest.raises(BadUpload, match=named):
        Multipart(CONTENT_TYPE).feed(b"--%s\r\n%s\r\n\r\n" % (BOUNDARY, head))


def test_a_missing_boundary_is_explained() -> None:
    with pytest.raises(NotMultipart, match="has no boundary"):
        Multipart("multipart/form-data")


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
