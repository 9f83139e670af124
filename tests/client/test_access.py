"""The command with a service that creates no users by itself, and whose links expire."""

import pytest

from tests.api.conftest import AnotherApi, StartApi, start_api  # noqa: F401 -- a fixture
from tests.client.conftest import Command
from tests.conftest import User

ADMIN_TOKEN = "the operator's token"


@pytest.fixture(scope="module")
def strict_api(start_api: StartApi) -> AnotherApi:  # noqa: F811
    return start_api(
        {
            "REGISTRATION": "closed",
            "ADMIN_TOKEN": ADMIN_TOKEN,
            "LINK_TTL_S": "3600",
            "LINK_KEYS": "a key of the operator",
        }
    )


@pytest.fixture
def strict_command(command: Command, strict_api: AnotherApi, user: User) -> Command:
    command.environment["WAV2MP3_URL"] = strict_api.url
    return command


def test_expiring_links_do_not_disturb_the_command(strict_command: Command) -> None:
    wav = strict_command.wav("song.wav")
    converted = strict_command.run("convert", wav, "--keep")
    assert converted.status == 0, converted.errors
    assert "song.wav" in strict_command.run("list").output
    fetched = strict_command.run("get", "song.wav", "--out", "again.mp3")
    assert fetched.status == 0, fetched.errors
    assert strict_command.frames("again.mp3") == strict_command.frames("song.wav")
    assert strict_command.run("rm", "song.wav").status == 0


def test_a_closed_service_explains_how_to_log_in(strict_command: Command) -> None:
    refused = strict_command.run("login", "--name", "clara")
    assert refused.status == 1
    assert "Ask its operator for a user id and a token" in refused.errors
    assert "wav2mp3 login --user-id USER_ID" in refused.errors
