"""Bodies that are the WAV itself: `POST /records` and `PUT /mp3/{filename}`."""

import gzip
from collections.abc import Callable
from urllib.parse import quote

import httpx
import pytest

from tests.api.wire import SHORT_WAV, refused, wav_head, wire
from tests.conftest import User

LeftBehind = Callable[[], list[object]]
TYPES = [
    "audio/wav",
    "Audio/X-WAV",
    "audio/wave",
    "audio/vnd.wave; codec=1",
    "application/octet-stream",
]


def post(
    user: User, content: bytes = SHORT_WAV, path: str = "/records", **headers: str
) -> httpx.Response:
    named = {"Content-Type": "audio/wav"} | {
        name.replace("_", "-"): value for name, value in headers.items()
    }
    return user.client.post(path, params=user.credentials, content=content, headers=named)


def put(
    user: User, content: bytes = SHORT_WAV, filename: str = "song.wav", **headers: str
) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    path = f"/mp3/{quote(filename, safe='')}"
    return user.client.put(path, params=user.credentials, content=content, headers=named)


@pytest.mark.parametrize("path", ["/record", "/records"])
@pytest.mark.parametrize("content_type", TYPES)
def test_a_raw_body_is_an_upload(user: User, path: str, content_type: str) -> None:
    headers = {"Content-Type": content_type}
    query = user.credentials | {"filename": "Привет.wav", "quality": "4"}
    answer = user.client.post(path, params=query, content=SHORT_WAV, headers=headers)
    assert answer.status_code == 202, answer.text
    assert answer.json()["filename"] == "Привет.wav"
    record = user.wait(answer.json()["id"])
    assert (record["status"], record["source_bytes"]) == ("done", len(SHORT_WAV))
    assert isinstance(record["options"], dict)
    assert record["options"]["quality"] == 4


@pytest.mark.parametrize(
    "disposition",
    [
        'attachment; filename="a.wav"',
        "attachment; filename=a.wav",
        "attachment; filename*=UTF-8''a.wav",
        'attachment; filename="folder/a.wav"',
    ],
)
def test_content_disposition_can_name_the_wav(user: User, disposition: str) -> None:
    answer = post(user, Content_Disposition=disposition)
    assert answer.json()["filename"] == "a.wav"


def test_the_query_names_a_file_of_a_form(user: User) -> None:
    query, files = (
        user.credentials | {"filename": "query.wav"},
        {"wav_file": ("form.wav", SHORT_WAV)},
    )
    answer = user.client.post("/records", params=query, files=files)
    assert answer.json()["filename"] == "query.wav"


@pytest.mark.parametrize("disposition", ["attachment", "attachment; filename=", "inline; name=a"])
def test_a_raw_body_needs_a_filename(user: User, left_behind: LeftBehind, disposition: str) -> None:
    refused(post(user, Content_Disposition=disposition), 422, "bad_upload")
    refused(post(user), 422, "bad_upload")
    assert not left_behind()


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [
        (b"", 422, "bad_upload"),
        (b"R", 415, "not_a_wav"),
        (b"fLaC" + bytes(1000), 415, "not_a_wav"),
        (SHORT_WAV[:44], 422, "bad_wav"),
    ],
)
def test_a_bad_raw_body_leaves_nothing(
    user: User, left_behind: LeftBehind, content: bytes, status: int, code: str
) -> None:
    refused(put(user, content), status, code)
    answer = post(user, content, Content_Disposition="attachment; filename=a.wav")
    refused(answer, status, code)
    assert not left_behind()


def test_a_part_of_a_wav_is_refused(user: User, left_behind: LeftBehind) -> None:
    """curl -C 100 -T sends such a part."""
    answer = put(user, SHORT_WAV[100:], Content_Range="bytes 100-8863/8864")
    refused(answer, 422, "bad_request")
    assert not left_behind()


def test_a_compressed_body_is_refused(user: User) -> None:
    gzipped = gzip.compress(SHORT_WAV)
    assert "gzip" in refused(put(user, gzipped, Content_Encoding="gzip"), 415, "not_multipart")
    assert put(user, Content_Encoding="identity").status_code == 200


@pytest.mark.parametrize("content_type", ["multipart/form-data; boundary=a", "text/plain"])
def test_put_refuses_other_content_types(user: User, content_type: str) -> None:
    detail = refused(put(user, Content_Type=content_type), 415, "not_multipart")
    assert "curl -T" in detail


@pytest.mark.parametrize("content_type", ["", "audio/wav", "application/x-www-form-urlencoded"])
def test_put_needs_no_content_type(user: User, content_type: str) -> None:
    headers = {"Content-Type": content_type} if content_type else {}
    answer = user.client.put(
        "/mp3/a.wav", params=user.credentials, content=SHORT_WAV, headers=headers
    )
    assert answer.status_code == 200, answer.text


def _put_head(user: User, *headers: tuple[str, str | int], filename: str = "a.wav") -> bytes:
    query = f"user_id={user.id}&token={user.token}"
    lines = [f"PUT /mp3/{filename}?{query} HTTP/1.1", "Host: wire.example"]
    return "\r\n".join([*lines, *(f"{name}: {value}" for name, value in headers), "", ""]).encode()


def test_a_taken_filename_needs_no_body(service_url: str, user: User) -> None:
    assert put(user, filename="a.wav").status_code == 200
    with wire(service_url) as connection:
        connection.send(_put_head(user, ("Content-Length", 10**9), ("Expect", "100-continue")))
        assert connection.line() == b"HTTP/1.1 409 Conflict\r\n"


def test_put_asks_for_the_body(service_url: str, user: User) -> None:
    size = ("Content-Length", len(SHORT_WAV))
    with wire(service_url) as connection:
        connection.send(_put_head(user, size, ("Expect", "100-continue")))
        assert connection.line() == b"HTTP/1.1 100 Continue\r\n"
        assert connection.line() == b"\r\n"
        connection.send(SHORT_WAV)
        assert connection.answer().headers["Content-Type"] == "audio/mpeg"


def test_put_takes_a_chunked_body(service_url: str, user: User) -> None:
    with wire(service_url) as connection:
        connection.send(_put_head(user, ("Transfer-Encoding", "chunked")))
        connection.send_chunks(SHORT_WAV[at : at + 1000] for at in range(0, len(SHORT_WAV), 1000))
        connection.end_chunks()
        assert connection.answer().headers["Content-Type"] == "audio/mpeg"


def test_a_silent_raw_body_is_aborted(
    service_url: str, user: User, left_behind: LeftBehind
) -> None:
    with wire(service_url) as connection:
        connection.send(_put_head(user, ("Content-Length", 10**6)), wav_head(10**6))
        refused(connection.answer(), 408, "upload_timeout")
        assert not left_behind()


def test_a_raw_non_wav_is_refused_early(service_url: str, user: User) -> None:
    with wire(service_url) as connection:
        connection.send(_put_head(user, ("Content-Length", 10**9)), b"fLaC", bytes(2**20))
        assert "FLAC" in refused(connection.answer(), 415, "not_a_wav")
