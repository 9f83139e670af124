"""The settings of the service, typed and with units. Nothing else reads the environment.

`python -m shared.settings` only checks them.
"""

import re
import sys
from collections.abc import Callable
from functools import cache
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    HttpUrl,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy import make_url

from shared.allowed_hosts import AllowedHosts


def _check_hosts(text: str) -> str:
    AllowedHosts(text)
    return text


def _check_url(parse: Callable[[str], object], *schemes: str) -> Callable[[SecretStr], SecretStr]:
    def check(url: SecretStr) -> SecretStr:
        text = url.get_secret_value()
        if not text.startswith(schemes):
            raise ValueError(f"the URL must begin with {' or '.join(schemes)}")
        try:
            parse(text)
        except ValueError:  # its text may have the password
            raise ValueError(
                "the URL is malformed. Check its host and port, and percent-encode special characters of the password"
            ) from None
        return url

    return check


def _check_length(secret: SecretStr) -> SecretStr:
    if len(secret.get_secret_value()) < MIN_SECRET_CHARS:
        raise ValueError(f"it needs at least {MIN_SECRET_CHARS} characters")
    return secret


def _check_base(url: HttpUrl) -> HttpUrl:
    if url.query is not None or url.fragment is not None or url.username is not None:
        raise ValueError(
            "all links begin with this URL, so it may have a path, but no user, query or fragment"
        )
    return url


def _check_proxies(text: str) -> str:
    """Raise ValueError for an entry that is not an address or a network, because no client could ever match it."""
    for entry in _split(text):
        if entry != "*":
            ip_network(entry)
    return text


LogLevel = Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR"], BeforeValidator(str.upper)]


MIN_SECRET_CHARS = 16
MAX_TIMEOUT_S = 10**6
"""About 12 days. Sockets, locks and PostgreSQL refuse much longer ones."""
MAX_LINK_TTL_S = 10**9
"""About 30 years."""
MAX_RETENTION_H = 10**6
"""About 100 years. PostgreSQL has no dates after the year 294276."""
ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://[a-z0-9.\[\]:-]+")


class Settings(BaseSettings):
    """Settings are read from environment variables of the same name in capitals, such as `DATABASE_URL`."""

    model_config = SettingsConfigDict(
        env_ignore_empty=True,
        frozen=True,
        # An error would print the secrets with the other values.
        hide_input_in_errors=True,
        use_attribute_docstrings=True,
        allow_inf_nan=False,
    )

    database_url: Annotated[
        SecretStr, AfterValidator(_check_url(make_url, "postgresql+psycopg2://"))
    ]
    """PostgreSQL URL: `postgresql+psycopg2://user:password@host/database`."""
    redis_url: Annotated[
        SecretStr,
        AfterValidator(
            _check_url(lambda url: urlsplit(url).port, "redis://", "rediss://", "redis+socket://")
        ),
    ]
    """Redis or Valkey URL: `redis://host:6379/0` or `redis+socket:///path/to/socket`."""
    media_dir: Path
    """Folder on the volume that the API and all workers share. Holds sources, parts and MP3s."""
    public_url: Annotated[HttpUrl, AfterValidator(_check_base)] | None = None
    """Base URL of all links, for a service behind a proxy. If unset, links use the host of the request."""
    log_level: LogLevel = "INFO"
    """DEBUG, INFO, WARNING or ERROR."""
    registration: Literal["open", "closed"] = "open"
    """`open` or `closed`. If closed, only requests with `ADMIN_TOKEN` create users; others are refused with 403."""
    admin_token: Annotated[SecretStr, AfterValidator(_check_length)] | None = None
    """The operator's token for `POST /users`, as `Authorization: Bearer` or `X-Admin-Token`. `make` generates it."""
    link_ttl_s: int | None = Field(None, ge=10, le=MAX_LINK_TTL_S)
    """Seconds after which status and download links expire. If unset, anyone who knows a record's id can open it."""
    link_keys: SecretStr | None = None
    """Keys that sign links, separated by commas. The first one signs, all are accepted. `make` generates one."""
    cors_origins: str | None = None
    """Origins whose web pages may call the API, such as `https://example.com`, separated by commas; or `*`."""

    max_upload_bytes: int = Field(64 * 2**30, gt=0)
    """Maximum size of an upload in bytes. Larger uploads are refused with 413."""
    max_duration_s: float = Field(48 * 3600, gt=0)
    """Maximum duration of a recording in seconds. Longer ones are refused with 422."""
    max_mp3_bytes: int = Field(8 * 2**30, gt=0)
    """Maximum size of an MP3 in bytes, estimated before encoding. Larger ones are refused with 422."""
    min_free_bytes: int = Field(256 * 2**20, ge=0)
    """Bytes that uploads must leave free on the media volume. Uploads that would leave less are refused with 507."""
    max_pending_records: int = Field(1000, gt=0)
    """Maximum number of unfinished records per user. Further uploads are refused with 429."""
    max_pending_records_in_all: int | None = Field(None, gt=0)
    """Maximum number of unfinished records of all users together. Further uploads are refused with 429."""
    max_stored_bytes: int | None = Field(None, gt=0)
    """Maximum size of a user's WAVs and MP3s in bytes. Uploads that would exceed it are refused with 507."""
    max_stored_bytes_in_all: int | None = Field(None, gt=0)
    """Maximum size of the WAVs and MP3s of all users in bytes. Uploads that would exceed it are refused with 507."""
    max_new_users_per_hour: int = Field(10_000, gt=0)
    """Maximum number of new users per client address and hour. Further ones are refused with 429."""
    max_bad_credentials_per_minute: int = Field(1000, gt=0)
    """Maximum number of requests with bad credentials per client address and minute. Further ones get 429, not 401."""
    forwarded_allow_ips: Annotated[str, AfterValidator(_check_proxies)] = "127.0.0.1"
    """Addresses or networks, separated by commas, of proxies whose `X-Forwarded-For` names the client."""
    upload_idle_timeout_s: float = Field(30, gt=0, le=MAX_TIMEOUT_S)
    """Abort an upload after this many seconds without data."""
    min_upload_bytes_per_s: int = Field(4096, ge=0)
    """Abort an upload that sends fewer bytes per second on average. Short pauses are allowed. 0: no minimum."""
    max_connections: int = Field(10_000, gt=0)
    """Maximum number of open connections per API process. The limit of open files, divided by 2, may lower it."""
    max_waiting: int = Field(4000, gt=0)
    """Maximum number of event streams and waiting requests per API process. Further ones get 429."""
    max_share_per_address: float = Field(0.5, gt=0, le=1)
    """Fraction of `MAX_CONNECTIONS` and `MAX_WAITING` for one address. Use 1 if all clients come through one proxy."""
    retention_h: float | None = Field(None, gt=0, le=MAX_RETENTION_H)
    """Hours after which a finished record expires. If unset, records are kept until they are deleted."""

    webhook_allowed_hosts: Annotated[str, AfterValidator(_check_hosts)] | None = None
    """Private hosts that webhooks may reach, separated by commas: a host, host:port, address or network."""
    webhook_timeout_s: float = Field(15, gt=0, le=MAX_TIMEOUT_S)
    """Seconds within which a webhook's receiver must answer. Otherwise the delivery is tried again."""

    segment_s: float = Field(150, ge=5)
    """Target segment length in seconds. In recordings of more than 12 segments, each is up to twice as long."""
    segments_in_flight: int = Field(32, gt=0)
    """Maximum number of segments per record that are queued or encoded at a time. Lets recordings take turns."""
    lease_s: float = Field(15, ge=2, le=MAX_TIMEOUT_S)
    """Seconds after which a job goes to another worker if its lease has not been renewed."""
    max_attempts: int = Field(10, gt=0)
    """Maximum attempts per job; after the last one the record fails."""
    worker_concurrency: int | None = Field(None, gt=0)
    """Number of segments that a worker encodes at a time. If unset, one per core."""
    sweep_interval_s: float = Field(3, gt=0, le=MAX_TIMEOUT_S)
    """Seconds between two runs of the sweeper, which repairs the damage of a crash."""
    ffmpeg_memory_bytes: int = Field(2 * 2**30, gt=0)
    """Maximum address space of one ffmpeg process in bytes."""

    @property
    def upload_lease_s(self) -> float:
        """Seconds after which an upload is abandoned if the API has not renewed it."""
        return 2 * self.upload_idle_timeout_s

    @property
    def signing_keys(self) -> list[str]:
        return _split(self.link_keys.get_secret_value() if self.link_keys else "")

    @property
    def allowed_origins(self) -> list[str]:
        return _split(self.cors_origins or "")

    @model_validator(mode="after")
    def _check_secrets(self) -> Self:
        if self.registration == "closed" and self.admin_token is None:
            raise ValueError(
                "REGISTRATION=closed needs ADMIN_TOKEN: without it nobody could create a user"
            )
        if self.link_ttl_s is not None and not self.signing_keys:
            raise ValueError("LINK_TTL_S needs LINK_KEYS: links are signed with the first key")
        if any(len(key) < MIN_SECRET_CHARS for key in self.signing_keys):
            raise ValueError(f"each of LINK_KEYS needs at least {MIN_SECRET_CHARS} characters")
        return self

    @model_validator(mode="after")
    def _check_origins(self) -> Self:
        for origin in self.allowed_origins:
            if origin != "*" and not ORIGIN.fullmatch(origin):
                raise ValueError(
                    f"CORS_ORIGINS: {origin} is not an origin. Write it in lower case and without a path, "
                    "such as https://example.com"
                )
        return self


def _split(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


@cache
def get_settings() -> Settings:
    """Return the settings. If some are not valid, print a sentence about each, and end the process."""
    try:
        return Settings()
    except ValidationError as error:
        wrong = [_explain(each["loc"], each["msg"]) for each in error.errors()]
        sys.exit("\n".join(["The settings are not valid:", *wrong]))


def _explain(location: tuple[int | str, ...], message: str) -> str:
    name = "".join(f"{each}: ".upper() for each in location[:1])
    return f"  {name}{message.removeprefix('Value error, ')}"


if __name__ == "__main__":
    get_settings()
