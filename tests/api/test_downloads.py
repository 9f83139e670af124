import re
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from urllib.parse import unquote
from uuid import uuid4

import httpx
import pytest

from api import changes
from tests.api.conftest import StartApi
from tests.api.wire import SHORT_WAV, eventually, part, refused, wav_head, wire
from tests.conftest import User, new_user
from tests.wavs import build, sine

HELD_S = 3
TOO_LATE = "Mon, 01 Jan 99999999999 00:00:00 GMT"


@dataclass(frozen=True)
class Mp3:
    client: httpx.Client
    link: str
    content: bytes
    etag: str

    def get(self, **headers: str) -> httpx.Response:
        return self.client.get(
            self.link, headers={name.replace("_", "-"): value for name, value in headers.items()}
        )


@pytest.fixture(scope="module")
def mp3(client: httpx.Client) -> Mp3:
    user = new_user(client)
    link = user.upload(build(sine(44100)), "tone.wav").json()["download_link"]
    answer = client.get(link)
    return Mp3(client, link, answer.content, answer.headers["ETag"])


def test_a_download_waits_for_the_mp3(user: User) -> None:
    answer = user.client.get(user.upload(SHORT_WAV, "tone.wav").json()["download_link"])
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "audio/mpeg"
    assert answer.headers["Accept-Ranges"] == "bytes"
    assert int(answer.headers["Content-Length"]) == len(answer.content) > 500
    assert re.fullmatch(r'"[0-9a-f-]{36}"', answer.headers["ETag"])


def test_user_is_an_alias_of_user_id(mp3: Mp3) -> None:
    assert mp3.client.get(mp3.link.replace("user_id=", "user=")).content == mp3.content


def test_head_returns_headers_only(mp3: Mp3) -> None:
    for headers in ({}, {"Range": "bytes=0-1"}):
        answer = mp3.client.head(mp3.link, headers=headers)
        assert answer.status_code == 200
        assert answer.content == b""
        assert int(answer.headers["Content-Length"]) == len(mp3.content)
        assert answer.headers["ETag"] == mp3.etag


@pytest.mark.parametrize(
    ("requested", "start", "stop"),
    [
        ("0-0", 0, 1),
        ("0-99", 0, 100),
        ("100-", 100, None),
        ("-100", -100, None),
        ("5-99999999", 5, None),
    ],
)
def test_a_range_is_served(mp3: Mp3, requested: str, start: int, stop: int | None) -> None:
    answer = mp3.get(Range=f"bytes={requested}")
    expected = mp3.content[start:stop]
    assert answer.status_code == 206
    assert answer.content == expected
    first = mp3.content.index(expected) if start < 0 else start
    content_range = f"bytes {first}-{first + len(expected) - 1}/{len(mp3.content)}"
    assert answer.headers["Content-Range"] == content_range
    assert answer.headers["ETag"] == mp3.etag


def test_several_ranges_are_multipart(mp3: Mp3) -> None:
    answer = mp3.get(Range="bytes=0-9, 100-109, -10, 99999999-")
    assert answer.status_code == 206
    kind, _, boundary = answer.headers["Content-Type"].partition("; boundary=")
    assert kind == "multipart/byteranges"
    parts = answer.content.split(b"--" + boundary.encode())
    assert [each.partition(b"\r\n\r\n")[2].removesuffix(b"\r\n") for each in parts[1:-1]] == [
        mp3.content[:10],
        mp3.content[100:110],
        mp3.content[-10:],
    ]


@pytest.mark.parametrize("requested", ["99999999-", "-0", "1" * 3000 + "-"])
def test_an_unsatisfiable_range_gets_the_size(mp3: Mp3, requested: str) -> None:
    answer = mp3.get(Range=f"bytes={requested}")
    refused(answer, 416, "bad_range")
    assert answer.headers["Content-Range"] == f"bytes */{len(mp3.content)}"


@pytest.mark.parametrize(
    "header",
    ["bytes=5-2", "bytes=a-b", "bytes=0-1,x", "lines=1-2", "bytes", "=", "bytes=-", "bytes=" + "1" * 4500 + "-"],
)  # fmt: skip
def test_an_invalid_range_is_ignored(mp3: Mp3, header: str) -> None:
    answer = mp3.get(Range=header)
    assert answer.status_code == 200
    assert answer.content == mp3.content


def test_thousands_of_ranges_are_ignored(mp3: Mp3) -> None:
    answer = mp3.get(Range="bytes=" + ",".join(f"{at}-{at + 1}" for at in range(0, 12_000, 3)))
    assert answer.status_code == 200
    assert answer.content == mp3.content


def test_a_matching_etag_gets_304(mp3: Mp3) -> None:
    for known in (mp3.etag, f'"x", W/{mp3.etag}', "*"):
        answer = mp3.get(If_None_Match=known)
        assert answer.status_code == 304
        assert answer.content == b""
        assert answer.headers["ETag"] == mp3.etag
    assert mp3.get(If_None_Match='"another"').status_code == 200


def test_an_old_enough_date_gets_304(mp3: Mp3) -> None:
    """curl -z and wget -N send such a date."""
    modified = mp3.get().headers["Last-Modified"]
    answer = mp3.get(If_Modified_Since=modified)
    assert (answer.status_code, answer.headers["ETag"]) == (304, mp3.etag)
    for since in ("Mon, 01 Jan 2024 00:00:00 GMT", "yesterday", "", TOO_LATE):
        assert mp3.get(If_Modified_Since=since).status_code == 200
    assert mp3.get(If_Modified_Since=modified, If_None_Match='"another"').status_code == 200


def test_a_download_names_the_applied_preference(mp3: Mp3) -> None:
    assert "Preference-Applied" not in mp3.get().headers
    assert mp3.get(Prefer="wait=3").headers["Preference-Applied"] == "wait=3"
    partial = mp3.get(Prefer="wait=3", Range="bytes=0-1")
    assert (partial.status_code, partial.headers["Preference-Applied"]) == (206, "wait=3")


def test_if_range_must_match_the_file(mp3: Mp3) -> None:
    for same in (mp3.etag, mp3.get().headers["Last-Modified"]):
        assert mp3.get(Range="bytes=0-1", If_Range=same).status_code == 206
    for other in ('"another"', f"W/{mp3.etag}", "Mon, 01 Jan 2024 00:00:00 GMT"):
        assert mp3.get(Range="bytes=0-1", If_Range=other).content == mp3.content
        assert mp3.get(Range="bytes=99999999-", If_Range=other).content == mp3.content


@pytest.mark.parametrize(
    ("filename", "plain", "extended"),
    [
        ("tone.wav", "tone.mp3", "tone.mp3"),
        ("TONE.WAV", "TONE.mp3", "TONE.mp3"),
        ("field.w64", "field.mp3", "field.mp3"),
        ("take 12.05", "take 12.05.mp3", "take 12.05.mp3"),
        ("Привет.wav", "Привет.mp3", "Привет.mp3"),
        ('a"b.wav', "a_b.mp3", 'a"b.mp3'),
        ("100%; x=y.wav", "100_; x=y.mp3", "100%; x=y.mp3"),
        ("🎵.wav", "🎵.mp3", "🎵.mp3"),
        ("y" * 300 + ".wav", "y" * 251 + ".mp3", "y" * 251 + ".mp3"),
        ("Ю" * 300 + ".wav", "Ю" * 125 + ".mp3", "Ю" * 125 + ".mp3"),
    ],
)
def test_the_mp3_is_named_after_the_wav(
    user: User, filename: str, plain: str, extended: str
) -> None:
    answer = user.client.get(user.upload(SHORT_WAV, filename).json()["download_link"])
    (sent,) = (
        value.decode() for name, value in answer.headers.raw if name == b"content-disposition"
    )
    first, _, second = sent.partition("; filename*=UTF-8''")
    assert first == f'attachment; filename="{plain}"'
    assert unquote(second) == extended


@pytest.mark.parametrize(
    "query", [{}, {"id": "x", "user_id": "x"}, {"id": str(uuid4())}, {"user_id": str(uuid4())}]
)
def test_an_incomplete_link_is_refused(client: httpx.Client, query: dict[str, str]) -> None:
    refused(client.get("/record", params=query), 422, "bad_request")


def test_unknown_ids_are_not_found(mp3: Mp3, client: httpx.Client) -> None:
    unknown = {"id": str(uuid4()), "user_id": str(uuid4())}
    refused(client.get("/record", params=unknown), 404, "record_not_found")
    another = re.sub("user_id=.*", f"user_id={uuid4()}", mp3.link)
    refused(client.get(another), 404, "record_not_found")


def test_caches_must_revalidate_an_mp3(mp3: Mp3) -> None:
    assert "no-cache" in mp3.get().headers["Cache-Control"]


def test_answers_are_held_for_30_s(start_api: StartApi) -> None:
    """The limit is lower here, so that the test takes 3 s."""
    assert changes.MAX_WAIT_S == 30
    modules = ("api.downloads", "api.preferences")
    api = start_api({}, {f"{module}.MAX_WAIT_S": HELD_S for module in modules})
    user = api.user()
    with wire(api.url) as uploading, ThreadPoolExecutor(2) as threads:
        uploading.begin(user, ("Transfer-Encoding", "chunked"))
        uploading.send_chunks([part(wav_head(10**6))])
        eventually(lambda: bool(_records(user)))
        record_id = _records(user)[0]["id"]
        link = f"/record?id={record_id}&user_id={user.id}"
        status = f"/records/{record_id}"
        before_s = time.monotonic()
        answers = [
            threads.submit(user.client.get, link),
            threads.submit(user.client.get, status, headers={"Prefer": "wait=600"}),
        ]
        while not all(answer.done() for answer in answers):
            uploading.send_chunks([bytes(5000)])
            time.sleep(0.5)
        assert HELD_S - 1 < time.monotonic() - before_s < HELD_S + 15
    download, held = (answer.result() for answer in answers)
    refused(download, 409, "record_not_ready")
    assert int(download.headers["Retry-After"]) > 0
    assert held.json()["status"] == "uploading"


def _records(user: User) -> list[dict[str, str]]:
    records: list[dict[str, str]]
    records = user.client.get("/records", params=user.credentials).json()["records"]
    return records
