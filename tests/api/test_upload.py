"""POST /record by HTTP libraries."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from io import BytesIO

import httpx
import pytest
from mutagen.id3 import ID3

from tests.api.wire import CONTENT_TYPE, END, SHORT_WAV, form, part, refused
from tests.conftest import User, new_user
from tests.wavs import build, sine

LeftBehind = Callable[[], list[object]]


def send(user: User, body: bytes, content_type: str = CONTENT_TYPE) -> httpx.Response:
    headers = {"Content-Type": content_type}
    return user.client.post("/record", params=user.credentials, content=body, headers=headers)


def test_an_accepted_upload_returns_links(user: User) -> None:
    answer = user.upload(SHORT_WAV)
    assert answer.status_code == 202
    accepted = answer.json()
    base = str(user.client.base_url).rstrip("/")
    assert set(accepted) == {"id", "filename", "status", "status_link", "download_link"}
    assert accepted["filename"] == "some_audio.wav"
    assert accepted["status"] == "queued"
    assert accepted["status_link"] == f"{base}/records/{accepted['id']}"
    assert accepted["download_link"] == f"{base}/record?id={accepted['id']}&user_id={user.id}"
    assert answer.headers["Location"] == accepted["status_link"]
    assert int(answer.headers["Retry-After"]) >= 1


@pytest.mark.parametrize("name", ["Authorization", "token"])
def test_a_header_can_carry_the_token(user: User, name: str) -> None:
    token = f"Bearer {user.token}" if name == "Authorization" else user.token
    files = {"wav_file": ("header.wav", SHORT_WAV)}
    answer = user.client.post("/record", headers={name: token}, files=files)
    assert answer.status_code == 202


def test_each_wrong_credential_has_its_own_sentence(user: User, client: httpx.Client) -> None:
    other = client.post("/users", json={"name": "eve"}).json()["id"]
    bearer = {"Authorization": f"Bearer {user.token}"}

    def detail(headers: dict[str, str] | None = None, **query: str) -> str:
        return refused(
            client.get("/records", params=query, headers=headers), 401, "bad_credentials"
        )

    assert "has no token" in detail(user_id=user.id)
    assert "token is unknown" in detail(user_id=user.id, token="wrong")
    assert "do not belong together" in detail(user_id=other, token=user.token)
    assert "different tokens" in detail(bearer, token="wrong")
    assert "must be `Bearer`" in detail({"Authorization": "Basic eDp5"})


@pytest.mark.parametrize(
    "wrong",
    [
        {"token": "wrong"},
        {"token": ""},
        {"user_id": "3f0e6f2c-0000-4000-8000-000000000000"},
        {"user_id": "nobody"},
        {"user_id": ""},
        {"token": "\0"},
    ],
)
def test_mismatched_credentials_are_refused(user: User, wrong: dict[str, str]) -> None:
    files = {"wav_file": ("x.wav", SHORT_WAV)}
    answer = user.client.post("/record", params=user.credentials | wrong, files=files)
    refused(answer, 401, "bad_credentials")
    assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_another_users_token_is_refused(user: User, client: httpx.Client) -> None:
    other = client.post("/users", json={"name": "eve"}).json()
    credentials = {"user_id": user.id, "token": other["token"]}
    refused(client.post("/record", params=credentials), 401, "bad_credentials")


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        (b"../x.wav", "x.wav"),
        (b"..\\x.wav", "x.wav"),
        (b"C:\\dir\\x.wav", "x.wav"),
        (b"x.WAV", "x.WAV"),
        (b"y" * 296 + b".wav", "y" * 296 + ".wav"),
        (b"a%22b\\\"c'd.wav", 'a"b"c\'d.wav'),
        (b"a%0Ab.wav", "a b.wav"),
        (b"a\nb.wav", "a b.wav"),
        ("Привет, мир.wav".encode(), "Привет, мир.wav"),
        ("Grüße.wav".encode("latin-1"), "Grüße.wav"),
        ("👩‍🚀 🎵.wav".encode(), "👩‍🚀 🎵.wav"),
        (b"no suffix", "no suffix"),
    ],
)
def test_a_filename_is_kept_as_label(user: User, sent: bytes, kept: str) -> None:
    answer = send(user, form(SHORT_WAV, sent))
    assert answer.status_code == 202, answer.text
    assert user.wait(answer.json()["id"])["filename"] == kept


@pytest.mark.parametrize("sent", [b"", b".", b"..", b"a/", b"\x01", b"z" * 501, b"a\r\nb.wav"])
def test_an_unusable_filename_is_refused(user: User, left_behind: LeftBehind, sent: bytes) -> None:
    refused(send(user, form(SHORT_WAV, sent)), 422, "bad_upload")
    assert not left_behind()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"rubbish",
        END,
        form(SHORT_WAV, None),
        form(SHORT_WAV, name=b"file"),
        part(b"x", None, b"title") + END,
        part(SHORT_WAV, b"1.wav") + part(SHORT_WAV, b"2.wav") + END,
        part(SHORT_WAV) + part(SHORT_WAV, b"2.wav", b"other") + END,
        form(SHORT_WAV)[: len(SHORT_WAV) // 2],
        form(SHORT_WAV)[:-6],
        form(SHORT_WAV) + b"x" * 100_000,
        b"".join([part(b"", None, b"title")] * 2000) + form(SHORT_WAV),
        form(SHORT_WAV).replace(b"\r\n\r\n", b"\r\nX: " + b"y" * 100_000 + b"\r\n\r\n", 1),
    ],
    ids=["empty", "rubbish", "no parts", "a plain field", "another name", "no file", "two files", "another file",
         "truncated file", "truncated boundary", "a long end", "many fields", "a long header"],
)  # fmt: skip
def test_a_malformed_body_leaves_nothing(user: User, left_behind: LeftBehind, body: bytes) -> None:
    refused(send(user, body), 422, "bad_upload")
    assert not left_behind()


@pytest.mark.parametrize(
    ("body", "named"),
    [
        (form(SHORT_WAV, name=b"file"), "form field `file`. Send the WAV as `wav_file`"),
        (form(SHORT_WAV, None), "`wav_file` has no filename"),
    ],
)
def test_a_file_in_a_wrong_field_is_explained(user: User, body: bytes, named: str) -> None:
    assert named in refused(send(user, body), 422, "bad_upload")


@pytest.mark.parametrize(
    "body", [b"a preamble\r\n" + form(SHORT_WAV), form(SHORT_WAV) + b"an epilogue"]
)
def test_text_around_the_form_is_ignored(user: User, body: bytes) -> None:
    assert send(user, body).status_code == 202


@pytest.mark.parametrize(
    "content_type", ["", "audio/mpeg", "multipart/form-data", "application/json"]
)
def test_other_content_types_are_refused(user: User, content_type: str) -> None:
    detail = refused(send(user, SHORT_WAV, content_type), 415, "not_multipart")
    assert "curl -F" in detail
    assert ("has no boundary" in detail) == (content_type == "multipart/form-data")


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (b"fLaC" + bytes(1000), "FLAC"),
        (b"ID3\x04" + bytes(1000), "MP3"),
        (b"<!doctype html><title>404</title>", "HTML"),
        (b"#EXTM3U\nhttp://169.254.169.254/", "playlist"),
        (b"", "empty"),
        (b"R", "Upload a WAV"),
        (bytes(100_000), "Upload a WAV"),
    ],
)
def test_other_formats_are_refused_by_name(
    user: User, left_behind: LeftBehind, content: bytes, named: str
) -> None:
    assert named in refused(user.upload(content), 415, "not_a_wav")
    assert not left_behind()


@pytest.mark.parametrize(
    ("wav", "named"),
    [
        (SHORT_WAV[:44], "cut off before its samples"),
        (SHORT_WAV[:30], "fmt"),
        (
            build(sine(100), before=[(b"LIST", bytes(200_000))])[:100_000],
            "cut off before its samples",
        ),
    ],
)
def test_a_bad_wav_gets_the_reason(
    user: User, left_behind: LeftBehind, wav: bytes, named: str
) -> None:
    assert named in refused(user.upload(wav), 422, "bad_wav")
    assert not left_behind()


@pytest.mark.parametrize(
    ("options", "code", "listed"),
    [
        ({"quality": 2, "bitrate_kbps": 128}, "bad_options", "quality, 0 to 9 (VBR), or bitrate_kbps, 32, 40,"),
        ({"bitrate_kbps": 100}, "bad_options", "32, 40, 48"),
        ({"bitrate_kbps": 320, "sample_rate_hz": 8000}, "bad_options", "56 or 64"),
        ({"bitrate_kbps": 8}, "bad_options", "256 or 320"),
        ({"bitrate_kbps": 10**30}, "bad_options", "256 or 320"),
        ({"sample_rate_hz": 12345}, "bad_options", "44100 or 48000"),
        ({"quality": 10}, "bad_request", "quality"),
        ({"quality": "best"}, "bad_request", "quality"),
        ({"channels": 3}, "bad_request", "channels"),
        ({"title": "t" * 1001}, "bad_request", "title"),
    ],
)  # fmt: skip
def test_invalid_options_get_the_valid_values(
    user: User, left_behind: LeftBehind, options: dict[str, str | int], code: str, listed: str
) -> None:
    assert listed in refused(user.upload(SHORT_WAV, "x.wav", **options), 422, code)
    assert not left_behind()


@pytest.mark.parametrize(
    "options", [{"quality": 9, "channels": 2}, {"bitrate_kbps": 64, "sample_rate_hz": 8000}]
)
def test_valid_options_are_accepted(user: User, options: dict[str, str | int]) -> None:
    assert user.wait(user.upload(SHORT_WAV, "x.wav", **options).json()["id"])["status"] == "done"


def test_a_tag_loses_its_nul(user: User) -> None:
    mp3 = user.convert(SHORT_WAV, title="Ля\0ля")
    assert ID3(BytesIO(mp3)).getall("TIT2")[0].text == ["Ляля"]


def test_a_taken_filename_names_its_record(user: User) -> None:
    first = user.upload(SHORT_WAV, "same.wav").json()
    answer = user.upload(SHORT_WAV, "same.wav")
    assert "if_exists=rename" in refused(answer, 409, "filename_taken")
    assert answer.json()["record_id"] == first["id"]
    assert user.upload(SHORT_WAV, "other.wav").status_code == 202


def test_users_have_separate_filenames(user: User, client: httpx.Client) -> None:
    other = new_user(client)
    assert user.upload(SHORT_WAV, "x.wav").status_code == 202
    assert other.upload(SHORT_WAV, "x.wav").status_code == 202


def test_one_of_four_racing_uploads_wins(user: User) -> None:
    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(lambda _: user.upload(SHORT_WAV, "race.wav"), range(4)))
    assert sorted(answer.status_code for answer in answers) == [
        HTTPStatus.ACCEPTED,
        *[HTTPStatus.CONFLICT] * 3,
    ]
    (accepted,) = (answer.json()["id"] for answer in answers if answer.status_code == 202)
    assert user.wait(accepted)["status"] == "done"
