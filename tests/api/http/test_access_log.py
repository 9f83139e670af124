import json
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

from local.stack import Stack
from tests.api.conftest import AnotherApi, StartApi
from tests.api.wire import SHORT_WAV, eventually
from tests.conftest import User


def test_logs_contain_no_token(stack: Stack, user: User) -> None:
    user.wait(user.upload(SHORT_WAV, "logged.wav").json()["id"])
    user.client.get("/records", headers={"Authorization": f"Bearer {user.token}"})
    user.client.post("/record", params=user.credentials | {"quality": "x"})
    user.client.get(f"/nothing/{user.id}", params=user.credentials)
    api_log = stack.data_dir / "logs" / "api.log"
    eventually(lambda: f"/nothing/{user.id}" in api_log.read_text())
    logs = {path.name: path.read_text(errors="replace") for path in stack.data_dir.glob("logs/*")}
    assert {name for name, text in logs.items() if user.token in text} == set()


def test_each_log_line_is_json(stack: Stack, user: User) -> None:
    user.client.get("/nothing")
    lines = (stack.data_dir / "logs" / "api.log").read_text().splitlines()
    # uvicorn writes its first line before our configuration.
    for line in lines[1:]:
        assert json.loads(line)["event"]


def test_a_refusal_is_logged_with_its_reason(start_api: StartApi) -> None:
    api = start_api({})
    user = api.user()
    assert user.upload(b"OggS" + bytes(100)).status_code == 415
    assert user.client.head("/records", params={"token": "wrong"}).status_code == 401
    assert user.client.get("/nothing", headers={"Accept": "text/html"}).status_code == 404
    found = {line["status"]: line for line in _requests(api, 415, 401, 404)}
    refused, unknown = found[415], found[401]
    assert (refused["code"], refused["user_id"]) == ("not_a_wav", user.id)
    assert (refused["client"], unknown["client"]) == ("127.0.0.1", "127.0.0.1")
    assert (unknown["code"], found[404]["code"]) == ("bad_credentials", "not_found")
    assert "user_id" not in unknown


def test_uploads_and_downloads_are_logged_with_their_record(start_api: StartApi) -> None:
    api = start_api({})
    user = api.user()
    record = user.upload(SHORT_WAV).json()
    user.wait(record["id"])
    assert user.client.get(record["download_link"]).status_code == 200
    download = {"id": record["id"], "user_id": user.id}
    assert user.client.get("/record", params=download).status_code == 200
    lines = [line for line in _requests(api, 202, 200) if line["path"] == "/record"]
    assert [line["record_id"] for line in lines][-2:] == [record["id"]] * 2


def test_files_of_the_page_are_not_logged(start_api: StartApi) -> None:
    api = start_api({})
    script = api.client.get("/app.js")
    unchanged = {"If-None-Match": script.headers["ETag"]}
    assert api.client.get("/app.js", headers=unchanged).status_code == 304
    release = script.headers["ETag"].strip('"')
    assert api.client.get(f"/{release}/app.js").status_code == 200
    assert api.client.post("/app.js").status_code == 405
    assert api.client.get("/").status_code == 200
    lines = _requests(api, 405, 200)
    assert [line["status"] for line in lines if line["path"].endswith("/app.js")] == [405]


def _requests(api: AnotherApi, *statuses: int) -> list[dict[str, Any]]:
    """Return the lines of requests, once there is one for each of these statuses."""
    lines: list[dict[str, Any]] = []

    def has_all() -> bool:
        logged = [json.loads(line) for line in api.log().splitlines() if line.startswith("{")]
        lines[:] = [line for line in logged if line["event"] == "request"]
        return {*statuses} <= {line["status"] for line in lines}

    eventually(has_all)
    return lines


def test_only_failed_polls_are_logged(start_api: StartApi) -> None:
    api = start_api({})
    user = api.user()
    polled, missing = user.upload(SHORT_WAV).json()["status_link"], f"{api.url}/records/{uuid4()}"
    assert user.client.get(polled).status_code == 200
    assert user.client.get(missing).status_code == 404
    eventually(lambda: urlsplit(missing).path in api.log())
    assert f'"path": "{urlsplit(polled).path}"' not in api.log()
