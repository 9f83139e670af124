"""The settings of the service, typed and with units. Nothing else reads the environment."""

from functools import cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, HttpUrl, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.allowed_hosts import AllowedHosts


def _check_hosts(text: str) -> str:
    AllowedHosts(text)
    return text


LogLevel = Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR"], BeforeValidator(str.upper)]


class Settings(BaseSettings):
    """Settings are read from environment variables of the same name in capitals, such as `DATABASE_URL`."""

    model_config = SettingsConfigDict(
        env_ignore_empty=True, frozen=True, use_attribute_docstrings=True
    )

    database_url: SecretStr
    """PostgreSQL URL: `postgresql+psycopg2://user:password@host/database`."""
    redis_url: SecretStr
    """Redis or Valkey URL: `redis://host:6379/0` or `redis+socket:///path/to/socket`."""
    media_dir: Path
    """Folder on the volume that the API and all workers share. Holds sources, parts and MP3s."""
    public_url: HttpUrl | None = None
    """Base URL of all links, for a service behind a proxy. If unset, links use the host of the request."""
    log_level: LogLevel = "INFO"
    """DEBUG, INFO, WARNING or ERROR."""

    max_upload_bytes: int = Field(64 * 2**30, gt=0)
    """Maximum size of an upload in bytes. Larger uploads are refused with 413."""
    max_duration_s: float = Field(48 * 3600, gt=0)
    """Maximum duration of a recording in seconds. Longer ones are refused with 422."""
    max_mp3_bytes: int = Field(8 * 2**30, gt=0)
    """Maximum size of an MP3 in bytes, estimated before encoding. Larger ones are refused with 422."""
    min_free_bytes: int = Field(256 * 2**20, ge=0)
    """Bytes that uploads must leave free on the media volume. Other uploads are refused with 507."""
    max_pending_records: int = Field(1000, gt=0)
    """Maximum number of unfinished records per user. Further uploads are refused with 429."""
    max_pending_records_in_all: int | None = Field(None, gt=0)
    """Maximum number of unfinished records of all users together. Further uploads are refused with 429."""
    max_stored_bytes: int | None = Field(None, gt=0)
    """Maximum size of a user's WAVs and MP3s in bytes. Uploads that would exceed it are refused with 507."""
    max_stored_bytes_in_all: int | None = Field(None, gt=0)
    """The same for all users together."""
    max_new_users_per_hour: int = Field(10_000, gt=0)
    """Maximum number of new users per client address and hour. Further ones are refused with 429."""
    max_bad_credentials_per_minute: int = Field(1000, gt=0)
    """Requests with bad credentials per client address and minute that get 401. Further ones get 429."""
    forwarded_allow_ips: str = "127.0.0.1"
    """Proxies, by address or network, separated by commas, whose `X-Forwarded-For` names the client."""
    upload_idle_timeout_s: float = Field(30, gt=0)
    """Abort an upload after this many seconds without data."""
    min_upload_bytes_per_s: int = Field(4096, ge=0)
    """Abort an upload that sends less than this on average. Short pauses are allowed."""
    max_connections: int = Field(10_000, gt=0)
    """Maximum number of open connections per API process. Lower if the process may not open twice that many files."""
    max_waiting: int = Field(4000, gt=0)
    """Maximum number of requests per API process that wait for a record, with event streams. Others get 429."""
    max_share_per_address: float = Field(0.5, gt=0, le=1)
    """Share of `MAX_CONNECTIONS` and `MAX_WAITING` for one client address. Use 1 behind a proxy: it is one address."""
    retention_h: float | None = Field(None, gt=0)
    """Hours after which a finished record expires. If unset, records are kept until they are deleted."""

    webhook_allowed_hosts: Annotated[str, AfterValidator(_check_hosts)] | None = None
    """Private hosts that webhooks may reach, separated by commas: a host, host:port, address or network."""
    webhook_timeout_s: float = Field(15, gt=0)
    """Seconds within which a webhook's receiver must answer. Later, the delivery is tried again."""

    segment_s: float = Field(150, ge=5)
    """Target segment length in seconds. If a recording needs more than 12, they are up to twice as long."""
    segments_in_flight: int = Field(32, gt=0)
    """Maximum number of segments per record that are queued or encoded at a time. Lets recordings take turns."""
    lease_s: float = Field(15, ge=2)
    """Seconds after which a job goes to another worker if its lease has not been renewed."""
    max_attempts: int = Field(10, gt=0)
    """Maximum attempts per job; after the last one the record fails."""
    worker_concurrency: int | None = Field(None, gt=0)
    """Number of segments that a worker encodes at a time. If unset, one per processor."""
    sweep_interval_s: float = Field(3, gt=0)
    """Seconds between two runs of the sweeper, which repairs what a crash left behind."""
    ffmpeg_memory_bytes: int = Field(2 * 2**30, gt=0)
    """Maximum address space of one ffmpeg process in bytes."""

    @property
    def upload_lease_s(self) -> float:
        """An upload that the API has not renewed for this time is abandoned."""
        return 2 * self.upload_idle_timeout_s


@cache
def get_settings() -> Settings:
    return Settings()
