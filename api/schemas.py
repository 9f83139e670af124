"""The shapes of requests and answers."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, Field, StringConstraints

from shared.db import RecordStatus

Name = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=200, pattern=r"^[^\x00]+$"),
]


class NewUser(BaseModel):
    name: Name


class UserCreated(BaseModel):
    id: UUID
    token: str


class RecordAccepted(BaseModel):
    id: UUID
    status: RecordStatus
    status_link: str
    download_link: str


class Problem(BaseModel):
    """An RFC 9457 problem. `code` is stable; `detail` says what to do."""

    type: str = "about:blank"
    title: str
    status: int
    code: str
    detail: str


class FilenameTakenProblem(Problem):
    record_id: UUID | None = Field(description="the record that has the name, unless it just went")


class Parts(BaseModel):
    """What the service consists of, each "ok" or "not ready"."""

    postgresql: str
    redis: str
    volume: str
    workers: str
    sweeper: str


class NotReadyProblem(Problem, Parts):
    pass


class RecordView(BaseModel):
    """A record as its user sees it."""

    id: UUID
    status: RecordStatus
    progress: float = Field(description="the share of the audio that is encoded, 0 to 1")
    queue_position: int | None = Field(
        description="how many records wait up to this one; null once it converts"
    )
    filename: str
    duration_s: float | None
    source_bytes: int | None
    mp3_bytes: int | None
    warnings: list[str]
    error: Problem | None
    created_at: datetime
    finished_at: datetime | None
    expires_at: datetime | None
    download_link: str | None = Field(description="null until the MP3 is ready")


class RecordPage(BaseModel):
    records: list[RecordView]
    next: str | None = Field(description="the link to the page with older records")
