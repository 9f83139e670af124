"""The command with a service with a closed registration, whose links expire."""

import pytest

from tests.api.conftest import AnotherApi, start_api, strict_api  # noqa: F401 -- fixtures
from tests.client.conftest import Command
from tests.conftest import User


@pytest.fixture
def strict_command(command: Command, strict_api: AnotherApi, user: User) -> Command:  # noqa: F811
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
    url = strict_command.environment["WAV2MP3_URL"]
    refused = strict_command.run("login", url, "--name", "clara", WAV2MP3_URL="")
    assert refused.status == 1
    assert "Ask the operator for a user id and a token" in refused.errors
    assert f"wav2mp3 login {url} --user-id USER_ID\n" in refused.errors
