import json

from local.stack import Stack
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
