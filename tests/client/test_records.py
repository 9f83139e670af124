"""`wav2mp3 login`, `list`, `get` and `rm`."""

import json
import stat

import httpx

from tests.client import proxy
from tests.client.conftest import RATE_HZ, Command
from tests.client.proxy import Fate
from tests.conftest import User
from tests.wavs import build, sine

WAV = build(sine(RATE_HZ), sample_rate_hz=RATE_HZ)
NO_LOGIN = {"WAV2MP3_URL": "", "WAV2MP3_USER_ID": "", "WAV2MP3_TOKEN": ""}


def test_a_login_is_kept_for_this_user_alone(command: Command, service_url: str) -> None:
    created = command.run("login", service_url, "--name", "anna", **NO_LOGIN)
    assert created.status == 0, created.errors
    assert created.output.startswith(f"Logged in at {service_url} as user ")
    file = command.folder / "home" / "config" / "wav2mp3" / "login.json"
    assert stat.S_IMODE(file.stat().st_mode) == stat.S_IRUSR | stat.S_IWUSR
    kept = json.loads(file.read_text())
    assert kept["token"] not in created.output
    assert command.run("login", **NO_LOGIN).output == created.output
    command.wav("a.wav")
    assert command.run("convert", "a.wav", **NO_LOGIN).status == 0


def test_an_existing_user_logs_in(command: Command, service_url: str, user: User) -> None:
    user.upload(WAV, "a.wav")
    arguments = ("login", service_url, "--user-id", user.id, "--token", user.token)
    assert command.run(*arguments, **NO_LOGIN).status == 0
    assert "  a.wav\n" in command.run("list", **NO_LOGIN).output
    refused = command.run(*arguments[:-1], "wrong", **NO_LOGIN)
    assert refused.status == 1
    assert refused.errors == f"{service_url} refuses user {user.id} with this token. Check both.\n"
    without_id = command.run("login", service_url, "--token", user.token, **NO_LOGIN)
    assert without_id.status == 2
    assert without_id.errors == "A token needs the id of its user. Add --user-id.\n"


def test_a_token_may_begin_with_a_hyphen(command: Command, service_url: str, user: User) -> None:
    arguments = ("login", service_url, "--user-id", user.id, "--token", "-Vx")
    refused = command.run(*arguments, **NO_LOGIN)
    assert refused.status == 1
    assert refused.errors == f"{service_url} refuses user {user.id} with this token. Check both.\n"


def test_a_refused_login_says_how_to_replace_it(command: Command, service_url: str) -> None:
    command.run("login", service_url, **NO_LOGIN)
    file = command.folder / "home" / "config" / "wav2mp3" / "login.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"token": "revoked"}))
    assert command.run("list", **NO_LOGIN).errors.endswith(" Run: wav2mp3 login\n")
    refused = command.run("login", **NO_LOGIN)
    assert refused.status == 1
    assert refused.errors.endswith("For a new user: wav2mp3 login --name NAME\n")
    assert command.run("login", "--name", "anna", **NO_LOGIN).status == 0
    assert command.run("list", **NO_LOGIN).status == 0


def test_the_stored_token_goes_to_its_service_alone(command: Command, service_url: str) -> None:
    command.run("login", service_url, "--name", "anna", **NO_LOGIN)
    with proxy.running(service_url) as other:
        ended = command.run("list", **NO_LOGIN | {"WAV2MP3_URL": other.url})
    assert ended.status == 2
    assert ended.errors == f"There is no login for {other.url}. Run: wav2mp3 login {other.url}\n"
    assert not other.sent


def test_a_wrong_token_prints_one_sentence(command: Command, client: httpx.Client) -> None:
    command.wav("a.wav")
    ended = command.run("convert", "a.wav", WAV2MP3_TOKEN="wrong")
    assert ended.status == 1
    reason = client.get("/records", params={"token": "wrong"}).json()["detail"]
    assert ended.errors == f"{reason} Check WAV2MP3_USER_ID and WAV2MP3_TOKEN.\n"


def test_an_answer_of_something_else_is_explained(command: Command, service_url: str) -> None:
    page = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nHello"
    with proxy.running(service_url, Fate(answer=page)) as other:
        ended = command.run("login", other.url, "--name", "anna", **NO_LOGIN)
    assert ended.status == 1
    sentence = "answered 200, which is not an answer of wav2mp3. Check the address."
    assert ended.errors == f"{other.url} {sentence}\n"


def test_a_missing_service_prints_one_sentence(command: Command) -> None:
    ended = command.run("login", "http://127.0.0.1:1", **NO_LOGIN)
    assert ended.status == 1
    assert ended.errors.startswith("There is no answer from http://127.0.0.1:1 (")
    assert ended.errors.count("\n") == 1


def test_records_are_listed_newest_first(command: Command, user: User) -> None:
    ids = [user.upload(WAV, name).json()["id"] for name in ("a.wav", "b.wav")]
    user.wait(ids[0])
    lines = command.run("list").output.splitlines()
    assert [line[:36] for line in lines] == ids[::-1]
    assert lines[1].split()[1:3] == ["done", "0:01"]
    assert lines[1].endswith("  a.wav")
    listed = map(json.loads, command.run("list", "--json").output.splitlines())
    assert [record["filename"] for record in listed] == ["b.wav", "a.wav"]


def test_a_record_is_saved_by_name_or_id(command: Command, user: User) -> None:
    record_id = user.upload(WAV, "a.wav").json()["id"]
    assert command.run("get", "a.wav").status == 0
    assert command.run("get", record_id, "--out", "b.mp3").status == 0
    assert command.files() == {"a.mp3", "b.mp3"}
    assert command.frames("a.mp3") == RATE_HZ
    again = command.run("get", "a.wav")
    assert again.status == 2
    assert again.errors == "a.mp3 exists. Choose another name with --out.\n"


def test_records_are_deleted_by_name_or_id(command: Command, user: User) -> None:
    record_id = user.upload(WAV, "a.wav").json()["id"]
    user.upload(WAV, "b.wav")
    ended = command.run("rm", record_id, "none.wav", "b.wav")
    assert ended.status == 1
    assert ended.output.count("Deleted ") == 2
    assert "none.wav: You have no record of this name: none.wav." in ended.errors
    assert command.run("list").output == ""
