"""The JSON bodies of requests and answers."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, Field, StringConstraints

from api.options import RecordOptions
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
    filename: str = Field(
        description="Differs from the uploaded one if `if_exists=rename` numbered it."
    )
    status: RecordStatus
    status_link: str
    download_link: str


class Problem(BaseModel):
    """An RFC 9457 problem. `code` is stable; `detail` tells the reader what to do."""

    type: str = "about:blank"
    title: str
    status: int
    code: str
    detail: str


class FilenameTakenProblem(Problem):
    record_id: UUID | None = Field(
        description="ID of the record that already uses this filename. Null if it has just been deleted."
    )


class Components(BaseModel):
    """The state of each component: "ok" or "not ready"."""

    postgresql: str
    redis: str
    volume: str
    workers: str
    sweeper: str


class NotReadyProblem(Problem, Components):
    pass


class TargetView(BaseModel):
    """The MP3 that the service makes: VBR with a quality, or CBR with a bitrate."""

    mode: Literal["vbr", "cbr"]
    quality: int | None
    bitrate_kbps: int | None
    sample_rate_hz: int
    channels: int
    gain_db: float


class RecordView(BaseModel):
    """An uploaded WAV and its conversion."""

    id: UUID
    status: RecordStatus
    progress: float = Field(description="Encoded fraction of the audio, 0 to 1.")
    queue_position: int | None = Field(
        description="Position in the queue, starting at 1. Null once conversion has started."
    )
    waiting_for: str | None = Field(
        description='"storage" while the conversion waits for the media volume, else null.'
    )
    filename: str
    duration_s: float | None
    source_bytes: int | None
    mp3_bytes: int | None
    options: RecordOptions = Field(description="The options of the upload. Null where it had none.")
    target: TargetView | None = Field(
        description="The applied options. Null until the upload is accepted, and for records of older releases."
    )
    warnings: list[str]
    error: Problem | None
    created_at: datetime
    finished_at: datetime | None
    expires_at: datetime | None
    download_link: str | None = Field(description="Null until the MP3 is ready.")


class RecordPage(BaseModel):
    records: list[RecordView]
    next: str | None = Field(description="Link to older records. Null on the last page.")
