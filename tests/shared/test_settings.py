"""Settings come from the environment and hide their secrets."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from shared.settings import Settings


@pytest.fixture(autouse=True)
def _required(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql+psycopg2://wav2mp3:hunter2@db/wav2mp3")
    monkeypatch.setenv("REDIS_URL", "redis://:hunter2@redis:6379/0")
    monkeypatch.setenv("MEDIA_DIR", "/media")


def test_settings_are_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEASE_S", "7.5")
    settings = Settings()
    assert settings.media_dir == Path("/media")
    assert settings.lease_s == 7.5
    assert settings.retention_h is None


@pytest.mark.parametrize("name", ["DATABASE_URL", "REDIS_URL", "MEDIA_DIR"])
def test_a_missing_required_setting_is_an_error(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(name)
    with pytest.raises(ValidationError, match=name.lower()):
        Settings()


@pytest.mark.parametrize(
    ("name", "value"),
    [("MAX_ATTEMPTS", "0"), ("LEASE_S", "1"), ("RETENTION_H", "-1"), ("SEGMENTS_IN_FLIGHT", "0")],
)
def test_an_impossible_value_is_an_error(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ValidationError, match=name.lower()):
        Settings()


def test_secrets_are_not_printed() -> None:
    assert "hunter2" not in f"{Settings()!r} {Settings()}"
