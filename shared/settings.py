"""Every knob of the service, typed and with its unit. Nothing else reads the environment."""

from functools import cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, HttpUrl, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

LogLevel = Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR"], BeforeValidator(str.upper)]


class Settings(BaseSettings):
    """Read from environment variables of the same names in capitals, such as `DATABASE_URL`."""

    model_config = SettingsConfigDict(
        env_ignore_empty=True, frozen=True, use_attribute_docstrings=True
    )

    database_url: SecretStr
    """PostgreSQL, as `postgresql+psycopg2://user:password@host/database`"""
    redis_url: SecretStr
    """Redis or Valkey, as `redis://host:6379/0` or `redis+socket:///path/to/socket`"""
    media_dir: Path
    """the volume that the API and all workers share: sources, parts and MP3s"""
    public_url: HttpUrl | None = None
    """what links begin with, behind a proxy; unset: the host that the client used"""
    log_level: LogLevel = "INFO"
    """DEBUG, INFO, WARNING or ERROR"""

    max_upload_bytes: int = Field(64 * 2**30, gt=0)
    """a larger upload is refused with 413"""
    min_free_bytes: int = Field(256 * 2**20, ge=0)
    """room that uploads leave free on the volume; less is refused with 507"""
    max_pending_records: int = Field(1000, gt=0)
    """records of one user that may wait or convert at a time; more is refused with 429"""
    upload_idle_timeout_s: float = Field(30, gt=0)
    """an upload that sends nothing for so long is given up"""
    retention_h: float | None = Field(None, gt=0)
    """a finished record expires after so many hours; unset: it is kept until it is deleted"""

    segment_s: float = Field(150, ge=5)
    """about how much audio one task encodes; up to twice as much where that makes more than a dozen tasks"""
    segments_in_flight: int = Field(32, gt=0)
    """segments of one record that are queued or encoded at a time, so that long recordings take turns"""
    lease_s: float = Field(15, ge=2)
    """a segment whose worker has not renewed its lease for so long is given to another"""
    max_attempts: int = Field(10, gt=0)
    """a segment that was begun so often without success fails its record"""
    worker_concurrency: int | None = Field(None, gt=0)
    """Number of segments that a worker encodes at a time. Unset: one for each processor."""
    sweep_interval_s: float = Field(3, gt=0)
    """how often the sweeper looks for what a crash left behind"""
    ffmpeg_memory_bytes: int = Field(2 * 2**30, gt=0)
    """address space that one ffmpeg process may take"""

    @property
    def upload_lease_s(self) -> float:
        """An upload that the API has not renewed for this time is abandoned."""
        return 2 * self.upload_idle_timeout_s


@cache
def get_settings() -> Settings:
    return Settings()
