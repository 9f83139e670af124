"""The options of an upload, and its record."""

from dataclasses import dataclass, fields
from typing import Any, Self, TypedDict


class Options(TypedDict, total=False):
    """The conversion options of an upload; the service describes them at /docs."""

    quality: int
    bitrate_kbps: int
    channels: int
    sample_rate_hz: int
    gain_db: float
    tag_charset: str
    id3_version: str
    title: str
    artist: str
    album: str
    track: str
    year: str
    genre: str
    comment: str


@dataclass(frozen=True, slots=True)
class Record:
    """An uploaded WAV and its conversion. `error` is set if `status` is failed."""

    id: str
    filename: str
    status: str
    progress: float
    warnings: list[str]
    error: dict[str, Any] | None
    duration_s: float | None
    source_bytes: int | None
    mp3_bytes: int | None
    created_at: str
    download_link: str | None

    @classmethod
    def from_json(cls, answer: dict[str, Any]) -> Self:
        known: dict[str, Any] = {field.name: answer.get(field.name) for field in fields(cls)}
        return cls(**known)
