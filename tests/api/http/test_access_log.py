import json
from urllib.parse import urlsplit
from uuid import uuid4

from local.stack import Stack
from tests.api.conftest import StartApi
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


def test_only_failed_polls_are_logged(start_api: StartApi) -> None:
    api = start_api({})
    user = api.user()
    polled, missing = user.upload(SHORT_WAV).json()["status_link"], f"{api.url}/records/{uuid4()}"
    assert user.client.get(polled).status_code == 200
    assert user.client.get(missing).status_code == 404
    eventually(lambda: urlsplit(missing).path in api.log())
    assert f'"path": "{urlsplit(polled).path}"' not in api.log()
