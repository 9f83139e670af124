import pytest

from api.filenames import clean_filename
from api.http.disposition import parse_disposition
from shared.errors import BadUpload


def parsed(parameters: bytes, *, may_escape: bool = True) -> str:
    value = b'form-data; name="wav_file"; ' + parameters
    name, filename = parse_disposition(value, may_escape=may_escape)
    assert name == "wav_file"
    return clean_filename(filename or "")


@pytest.mark.parametrize(
    ("sent", "name"),
    [
        (b"../../x.wav", "x.wav"),
        (b"..\\x.wav", "x.wav"),
        (b"C:\\dir\\x.wav", "x.wav"),
        (b"C:\\\\dir\\\\x.wav", "x.wav"),
        (b"\\\\server\\dir\\x.wav", "x.wav"),
        (b"/etc/passwd", "passwd"),
        (b"a%22b\\c.wav", 'a"b\\c.wav'),
        (b'a\\"b\\\\c.wav', 'a"b\\c.wav'),
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
    assert parsed(b'filename="%s"' % sent) == name


@pytest.mark.parametrize("sent", ["", ".", "..", "dir/", "..\\..", "\n", " \x7f "])
def test_an_empty_filename_is_refused(sent: str) -> None:
    with pytest.raises(BadUpload, match="has no name"):
        clean_filename(sent)


@pytest.mark.parametrize(
    ("parameters", "name"),
    [
        (b"filename*=UTF-8''%D0%9F%20720.wav", "П 720.wav"),
        (b"filename=\"_ 720.wav\"; filename*=utf-8'ru'%D0%9F%20720.wav", "П 720.wav"),
        (b"filename*=utf-8''%D0%9F.wav; filename=\"=?utf-8?B?0J8ud2F2?=\"", "П.wav"),
        (b"filename*=iso-8859-1'en'%A3.wav", "£.wav"),
        ("filename*=utf-8''Привет мир.wav".encode(), "Привет мир.wav"),
        (b"filename=\"a.wav\"; filename*=utf-8''%FF", "a.wav"),
        (b"filename=\"a.wav\"; filename*=klingon''%41", "a.wav"),
        (b"filename=\"x; filename*=utf-8''y.wav\"", "x; filename*=utf-8''y.wav"),
        (b"filename*=\"utf-8''%D0%9F.wav\"", "П.wav"),
        (
            b"filename*0*=utf-8''%D0%9F%D1; filename*1*=%80%20; filename*2=\"72;0.wav\"",
            "Пр 72;0.wav",
        ),
        (b'filename*1=b.wav; filename*0="a\\""; filename=c.wav', 'a"b.wav'),
        (b"filename*0*=iso-8859-1'en'%A3; filename*1*=.wav", "£.wav"),
        (b"filename*1=b.wav; filename=c.wav", "c.wav"),
        (b"filename*0*=utf-8''%FF; filename=c.wav", "c.wav"),
    ],
)
def test_an_extended_filename_wins(parameters: bytes, name: str) -> None:
    assert parsed(parameters) == name


@pytest.mark.parametrize(
    ("sent", "name"),
    [
        (b"=?utf-8?B?0J/RgNC40LLQtdGCLndhdg==?=", "Привет.wav"),  # its base64 contains a slash
        (b"=?UTF-8?Q?Gr=C3=BC=C3=9Fe_1.wav?=", "Grüße 1.wav"),
        (b"=?utf-8?B?0J8=?= =?utf-8?B?0YAud2F2?=", "Пр.wav"),
        (b"=?iso-8859-1?q?=A3?=.wav", "£.wav"),
        (b"=?utf-8?B?Li4vLi4veC53YXY=?=", "x.wav"),
        (b"=?utf-7?Q?x+2AA-.wav?=", "x .wav"),
        (b"=?klingon?B?eA==?=", "=?klingon?B?eA==?="),
        (b"=?utf-8?B?!?=", "=?utf-8?B?!?="),
    ],
)
def test_an_encoded_word_is_decoded(sent: bytes, name: str) -> None:
    assert parsed(b'filename="%s"' % sent) == name


@pytest.mark.parametrize(
    ("sent", "name"),
    [
        (b"%D0%9F%D1%80%20720.wav", "Пр 720.wav"),
        (b"dir%2Fx.wav", "x.wav"),
        (b"100%.wav", "100%.wav"),
        (b"50%25 off.wav", "50%25 off.wav"),  # the space is not encoded
        (b"%d0%9f.wav", "%d0%9f.wav"),
        (b"%FF.wav", "%FF.wav"),
    ],
)
def test_a_percent_encoded_name_is_decoded(sent: bytes, name: str) -> None:
    assert parsed(b'filename="%s"' % sent) == name


@pytest.mark.parametrize(
    ("sent", "name"), [(b"a%20b.wav", "a%20b.wav"), (b"%D0%9F%20b.wav", "П b.wav")]
)
def test_ascii_names_are_decoded_for_few_clients(sent: bytes, name: str) -> None:
    _, filename = parse_disposition(
        b'form-data; name="f"; filename="%s"' % sent, may_escape=True, may_escape_ascii=False
    )
    assert filename == name


def test_clients_that_never_escape_keep_percent_signs() -> None:
    assert parsed(b'filename="a%20b.wav"', may_escape=False) == "a%20b.wav"
