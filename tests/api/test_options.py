"""The options of an upload: query parameters and form fields, shown by the record."""

from collections.abc import Callable
from dataclasses import fields

import httpx
import pytest

from api.options import RecordOptions, Tags
from shared.mp3_options import Options
from tests.api.wire import CONTENT_TYPE, END, SHORT_WAV, eventually, part, refused, wire
from tests.conftest import User

LeftBehind = Callable[[], list[object]]
UNSET = dict.fromkeys(RecordOptions.model_fields)


def send(user: User, *parts: bytes, **query: str) -> httpx.Response:
    return user.client.post(
        "/record",
        params=user.credentials | query,
        content=b"".join([*parts, END]),
        headers={"Content-Type": CONTENT_TYPE},
    )


def field(name: str, value: str) -> bytes:
    return part(value.encode(), None, name.encode())


def test_each_conversion_option_can_be_sent() -> None:
    assert {each.name for each in fields(Options)} | set(Tags.model_fields) == set(UNSET)


def test_form_fields_before_the_file_are_options(user: User) -> None:
    sent = [field("bitrate_kbps", "64"), field("title", "Ля ля"), field("channels", "1")]
    answer = send(user, *sent, part(SHORT_WAV), sample_rate_hz="22050")
    record = user.wait(answer.json()["id"])
    asked = {"bitrate_kbps": 64, "title": "Ля ля", "channels": 1, "sample_rate_hz": 22050}
    assert record["options"] == UNSET | asked
    assert record["target"] == {
        "mode": "cbr",
        "quality": None,
        "bitrate_kbps": 64,
        "sample_rate_hz": 22050,
        "channels": 1,
        "gain_db": 0.0,
    }


def test_a_field_is_decoded_by_its_charset(user: User) -> None:
    title = field("title", "").replace(
        b"\r\n\r\n", b"\r\nContent-Type: text/plain; charset=shift_jis\r\n\r\n"
    )
    title = title.removesuffix(b"\r\n") + "夏".encode("shift_jis") + b"\r\n"
    record = user.wait(send(user, title, part(SHORT_WAV)).json()["id"])
    assert record["options"] == UNSET | {"title": "夏"}


def test_a_compressed_body_is_refused(user: User) -> None:
    answer = user.client.post(
        "/record",
        params=user.credentials,
        content=b"x",
        headers={"Content-Type": CONTENT_TYPE, "Content-Encoding": "gzip"},
    )
    refused(answer, 415, "not_multipart")
    assert "Content-Encoding 'gzip'" in answer.json()["detail"]


def test_httpx_sends_fields_before_the_file(user: User) -> None:
    files = {"wav_file": ("x.wav", SHORT_WAV)}
    data = {"quality": "9", "album": "B"}
    answer = user.client.post("/record", params=user.credentials, data=data, files=files)
    record = user.wait(answer.json()["id"])
    assert record["options"] == UNSET | {"quality": 9, "album": "B"}
    assert record["target"] == {
        "mode": "vbr", "quality": 9, "bitrate_kbps": None, "sample_rate_hz": 44100, "channels": 1,
        "gain_db": 0.0,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("sent", "query", "code", "named"),
    [
        ([("quality", "9"), ("bitrate_kbps", "999")], {}, "bad_options", "exclude each other"),
        ([("bitrate_kbps", "100")], {}, "bad_options", "32, 40, 48"),
        ([("bitrate_kbps", "128")], {"quality": "2"}, "bad_options", "exclude each other"),
        ([("quality", "10")], {}, "bad_request", "`quality` must be"),
        ([("quality", "")], {}, "bad_request", "`quality` must be a whole number."),
        ([("title", "t" * 1001)], {}, "bad_request", "`title` must have at most 1000"),
        ([("quality", "9")], {"quality": "2"}, "bad_options", "different values of `quality`"),
        ([("title", "a"), ("title", "b")], {}, "bad_options", "different values of `title`"),
        ([("bitrate", "320")], {}, "unknown_parameter", "Did you mean `bitrate_kbps`?"),
        ([("Title", "x")], {}, "unknown_parameter", "Did you mean `title`?"),
        ([("token", "x")], {}, "unknown_parameter", "in the query"),
        ([("user_id", "x")], {}, "unknown_parameter", "in the query"),
    ],
)
def test_wrong_form_fields_are_refused(
    user: User,
    left_behind: LeftBehind,
    sent: list[tuple[str, str]],
    query: dict[str, str],
    code: str,
    named: str,
) -> None:
    parts = [field(name, value) for name, value in sent]
    assert named in refused(send(user, *parts, part(SHORT_WAV), **query), 422, code)
    assert not left_behind()


def test_the_same_value_twice_is_accepted(user: User) -> None:
    answer = send(user, field("quality", "9"), part(SHORT_WAV), quality="9")
    assert user.wait(answer.json()["id"])["options"] == UNSET | {"quality": 9}


def test_a_field_after_the_file_is_refused(user: User, left_behind: LeftBehind) -> None:
    answer = send(user, part(SHORT_WAV), field("quality", "9"))
    assert "before `wav_file`" in refused(answer, 422, "bad_upload")
    assert not left_behind()


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("bitrate", "Did you mean `bitrate_kbps`?"),
        ("samplerate", "Did you mean `sample_rate_hz`?"),
        ("Quality", "Did you mean `quality`?"),
        ("kbps", "Did you mean `bitrate_kbps`?"),
        ("xyzzy\u202e", "`xyzzy?` is not a query parameter of this call. It has these: `album`,"),
    ],
)
def test_an_unknown_parameter_names_the_closest(user: User, name: str, hint: str) -> None:
    answer = user.upload(SHORT_WAV, "x.wav", **{name: "1"})
    assert hint in refused(answer, 422, "unknown_parameter")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/users"),
        ("GET", "/records"),
        ("GET", "/record"),
        ("HEAD", "/record"),
        ("GET", "/records/00000000-0000-4000-8000-000000000000"),
        ("GET", "/records/00000000-0000-4000-8000-000000000000/events"),
        ("DELETE", "/records/00000000-0000-4000-8000-000000000000"),
        ("GET", "/health/live"),
        ("GET", "/metrics"),
    ],
)
def test_every_call_refuses_unknown_parameters(
    client: httpx.Client, method: str, path: str
) -> None:
    answer = client.request(method, path, params={"user_idd": "x"})
    assert answer.status_code == 422
    if method != "HEAD":
        refused(answer, 422, "unknown_parameter")


def test_two_values_of_a_parameter_are_refused(user: User) -> None:
    answer = user.client.post(
        "/record", params=[*user.credentials.items(), ("quality", "1"), ("quality", "2")]
    )
    assert "two different values of `quality`" in refused(answer, 422, "bad_request")


def test_an_uploading_record_has_no_target(service_url: str, user: User) -> None:
    with wire(service_url) as connection:
        connection.begin(user, ("Transfer-Encoding", "chunked"), quality="9")
        connection.send_chunks([part(SHORT_WAV)])
        eventually(lambda: bool(records(user)))
        (record,) = records(user)
    assert record["options"] == UNSET | {"quality": 9}
    assert record["target"] is None


def records(user: User) -> list[dict[str, object]]:
    found: list[dict[str, object]]
    found = user.client.get("/records", params=user.credentials).json()["records"]
    return found
