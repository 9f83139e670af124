"""Settings come from the environment and hide their secrets."""

import os
import subprocess
import sys
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
    [
        ("MAX_ATTEMPTS", "0"),
        ("LEASE_S", "1"),
        ("RETENTION_H", "-1"),
        ("SEGMENTS_IN_FLIGHT", "0"),
        ("LEASE_S", "1e9"),
        ("UPLOAD_IDLE_TIMEOUT_S", "1e9"),
        ("WEBHOOK_TIMEOUT_S", "1e9"),
        ("SWEEP_INTERVAL_S", "1e9"),
    ],
)
def test_an_impossible_value_is_an_error(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ValidationError, match=name.lower()):
        Settings()


def test_secrets_are_not_printed() -> None:
    assert "hunter2" not in f"{Settings()!r} {Settings()}"


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        ({"REGISTRATION": "closed"}, "REGISTRATION=closed needs ADMIN_TOKEN"),
        ({"REGISTRATION": "shut"}, "registration"),
        ({"ADMIN_TOKEN": "hunter2"}, "admin_token\n.* at least 16 characters"),
        ({"LINK_TTL_S": "60"}, "LINK_TTL_S needs LINK_KEYS"),
        ({"LINK_TTL_S": "60", "LINK_KEYS": " , "}, "LINK_TTL_S needs LINK_KEYS"),
        ({"LINK_KEYS": "0123456789abcdef,hunter2"}, "at least 16 characters"),
        ({"LINK_TTL_S": "0", "LINK_KEYS": "0123456789abcdef"}, "link_ttl_s"),
        ({"CORS_ORIGINS": "https://example.com/"}, "https://example.com/ is not an origin"),
        ({"CORS_ORIGINS": "*,example.com"}, "example.com is not an origin"),
        ({"CORS_ORIGINS": "https://Example.com"}, "is not an origin"),
        ({"CORS_ORIGINS": "https://"}, "is not an origin"),
        ({"CORS_ORIGINS": "null"}, "is not an origin"),
        ({"DATABASE_URL": "postgresql://hunter2@db"}, r"must begin with postgresql\+psycopg2://"),
        ({"REDIS_URL": "http://:hunter2@redis"}, "must begin with redis://"),
        ({"DATABASE_URL": "postgresql+psycopg2://a:hunter2@db:one/b"}, "URL is malformed"),
        ({"REDIS_URL": "redis://:hunter2@redis:one/0"}, "URL is malformed"),
        ({"REDIS_URL": "redis://:hunter2#@redis/0"}, "URL is malformed"),
        ({"PUBLIC_URL": "https://example.com/?a=b"}, "no user, query or fragment"),
        ({"PUBLIC_URL": "https://a:hunter2@example.com/"}, "no user, query or fragment"),
        ({"FORWARDED_ALLOW_IPS": "127.0.0.1,proxy"}, "'proxy' does not appear to be"),
        ({"FORWARDED_ALLOW_IPS": "172.17.0.1/12"}, "host bits set"),
        ({"MAX_DURATION_S": "inf"}, "finite"),
        ({"WEBHOOK_TIMEOUT_S": "nan"}, "finite"),
        ({"RETENTION_H": "1e300"}, "less than"),
        ({"LINK_TTL_S": "99999999999", "LINK_KEYS": "0123456789abcdef"}, "less than"),
    ],
)
def test_settings_that_do_not_fit_are_explained(
    variables: dict[str, str], sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ValidationError, match=sentence) as refused:
        Settings()
    assert "hunter2" not in str(refused.value)


@pytest.mark.slow
def test_a_process_ends_with_a_sentence_for_each_wrong_setting() -> None:
    environment = os.environ | {
        "MAX_UPLOAD_BYTES": "64G",
        "FORWARDED_ALLOW_IPS": "proxy",
    }
    for module in ("api", "worker"):
        role = ["main"] if module == "worker" else []
        ended = subprocess.run(
            [sys.executable, "-m", module, *role],
            check=False,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert ended.returncode == 1
        first, upload, proxies = ended.stdout.splitlines()
        assert first == "The settings are not valid:"
        assert upload.startswith("  MAX_UPLOAD_BYTES: Input should be a valid integer")
        assert proxies.startswith("  FORWARDED_ALLOW_IPS: 'proxy' does not appear")


def test_lists_are_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINK_KEYS", "0123456789abcdef, fedcba9876543210")
    monkeypatch.setenv("CORS_ORIGINS", "https://example.com,http://localhost:3000, *")
    settings = Settings()
    assert settings.signing_keys == ["0123456789abcdef", "fedcba9876543210"]
    assert settings.allowed_origins == ["https://example.com", "http://localhost:3000", "*"]
