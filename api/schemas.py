"""The JSON bodies of records, errors and health."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, Field

from api.options import RecordOptions
from shared.db import Event, RecordStatus

USER_ID = "3f2b8c1e-9d4a-4f6e-8a7b-1c2d3e4f5a6b"
RECORD_ID = "7c9e6679-7425-40de-944b-e07fc1f90ae7"
CREATED_AT = "2026-11-28T12:00:00Z"
FINISHED_AT = "2026-11-28T12:00:04Z"
STATUS_LINK = f"http://localhost:8000/records/{RECORD_ID}"
DOWNLOAD_LINK = f"http://localhost:8000/record?id={RECORD_ID}&user_id={USER_ID}"


RecordId = Annotated[UUID, Field(examples=[RECORD_ID], description="The record's id.")]
Status = Annotated[
    RecordStatus,
    Field(examples=["done"], description="The record's state. At the end it is done or failed."),
]


class RecordAccepted(BaseModel):
    """A record whose WAV is stored safely."""

    id: RecordId
    filename: str = Field(
        examples=["song.wav"],
        description="Differs from the uploaded filename if `if_exists=rename` added a number.",
    )
    status: RecordStatus = Field(examples=["queued"], description="The record's state.")
    status_link: str = Field(examples=[STATUS_LINK], description="Shows the record.")
    download_link: str = Field(
        examples=[DOWNLOAD_LINK],
        description="Sends the MP3. Waits up to 30 s if it is not ready yet.",
    )


class Problem(BaseModel):
    """An RFC 9457 problem. `code` is stable; `detail` tells the reader what to do."""

    type: str = Field("about:blank", description="Always `about:blank`: `code` names the problem.")
    title: str = Field(examples=["Conflict"], description="The name of the status.")
    status: int = Field(examples=[409], description="The HTTP status.")
    code: str = Field(
        examples=["filename_taken"], description="Names the problem. It never changes its meaning."
    )
    detail: str = Field(
        examples=[
            "You already have a record with this filename. "
            "Upload with if_exists=replace or if_exists=rename, or delete that record."
        ],
        description="One sentence for a person, with the next step.",
    )


class WaveformView(BaseModel):
    """The lowest and the highest sample of each pixel, in the format of BBC audiowaveform, version 2."""

    version: int = Field(examples=[2], description="The version of the format.")
    channels: int = Field(examples=[1], description="All channels of the MP3 are drawn as one.")
    sample_rate: int = Field(examples=[44100], description="Samples per second, in Hz.")
    samples_per_pixel: int = Field(
        examples=[512], description="Samples of one channel that a pixel covers."
    )
    bits: int = Field(examples=[8], description="Bits of each value.")
    length: int = Field(examples=[2], description="Number of pixels.")
    data: list[int] = Field(
        examples=[[-12, 14, -60, 57]],
        description="Minimum and maximum of each pixel, from -128 to 127.",
    )


class FilenameTakenProblem(Problem):
    """A problem, and the record that has the filename."""

    record_id: UUID | None = Field(
        examples=[RECORD_ID],
        description="ID of the record that already uses this filename. Null if it has just been deleted.",
    )


State = Literal["ok", "not ready"]


class Components(BaseModel):
    """The state of each component."""

    postgresql: State = Field(examples=["ok"], description="The database answers.")
    redis: State = Field(examples=["ok"], description="Redis or Valkey answers.")
    volume: State = Field(
        examples=["ok"], description="The media volume is writable and has free space."
    )
    workers: State = Field(examples=["ok"], description="A worker is alive.")
    sweeper: State = Field(examples=["ok"], description="The sweeper has run recently.")
    deliveries: State = Field(examples=["ok"], description="The sender of webhooks is alive.")


class NotReadyProblem(Problem, Components):
    """A problem, and the state of each component."""


class Liveness(BaseModel):
    """The state of one API process."""

    status: Literal["ok"] = Field(examples=["ok"], description="This API process answers.")


class TargetView(BaseModel):
    """The MP3 that the service makes: VBR with a quality, or CBR with a bitrate."""

    mode: Literal["vbr", "cbr"] = Field(
        examples=["vbr"], description="Variable or constant bitrate."
    )
    quality: int | None = Field(
        examples=[2], description="VBR quality, 0 (best) to 9 (smallest file). Null for CBR."
    )
    bitrate_kbps: int | None = Field(
        examples=[None], description="Bitrate in kbit/s. Null for VBR."
    )
    sample_rate_hz: int = Field(examples=[44100], description="Sample rate of the MP3 in Hz.")
    channels: int = Field(examples=[2], description="1 or 2.")
    gain_db: float = Field(examples=[0.0], description="Applied gain in dB.")


class WebhookView(BaseModel):
    """The newest event for the record's `callback_url`. It is sent again until the answer is 2xx, for about a day."""

    origin: str = Field(
        examples=["https://example.com"],
        description="Scheme, host and port of `callback_url`. Its other parts may contain a password.",
    )
    event: Event | None = Field(
        None, examples=["record.done"], description="Null before the first event."
    )
    attempts: int = Field(0, examples=[1], description="Number of attempts so far.")
    last_status: int | None = Field(
        None,
        examples=[200],
        description="Status of the receiver's last answer, or null if it did not answer.",
    )
    last_error: str | None = Field(
        None,
        examples=["The receiver did not answer within 15 s."],
        description="The reason why the last attempt failed. Null after success.",
    )
    delivered_at: datetime | None = Field(
        None, examples=[FINISHED_AT], description="Time of the 2xx answer. Null before that answer."
    )
    next_attempt_at: datetime | None = Field(
        None,
        examples=[None],
        description="Null once the event was delivered, or will not be tried again.",
    )


class RecordView(BaseModel):
    """An uploaded WAV and its conversion."""

    id: RecordId
    status: Status
    progress: float = Field(examples=[1.0], description="Encoded fraction of the audio, 0 to 1.")
    queue_position: int | None = Field(
        examples=[None],
        description="Position in the queue, starting at 1. Null once conversion has started.",
    )
    waiting_for: str | None = Field(
        examples=[None],
        description='"storage" while the conversion waits for the media volume, else null.',
    )
    filename: str = Field(examples=["song.wav"], description="Name of the WAV.")
    duration_s: float | None = Field(
        examples=[213.4], description="Duration in seconds. Null if it is not known yet."
    )
    source_bytes: int | None = Field(
        examples=[37_643_804], description="Size of the WAV. Null until it is stored."
    )
    mp3_bytes: int | None = Field(
        examples=[5_064_912], description="Size of the MP3. Null until done."
    )
    options: RecordOptions = Field(
        description="The options of the upload. Each option that was not sent is null."
    )
    target: TargetView | None = Field(
        description="The applied options. Null until the upload is accepted, and for records of older releases."
    )
    warnings: list[str] = Field(
        examples=[["The 6 channels were mixed to stereo and scaled so that nothing clips."]],
        description="Each change or loss on the way from WAV to MP3, in one sentence.",
    )
    error: Problem | None = Field(
        examples=[None], description="The reason why the record failed, else null."
    )
    created_at: datetime = Field(
        examples=[CREATED_AT], description="Time at which the upload began."
    )
    finished_at: datetime | None = Field(
        examples=[FINISHED_AT],
        description="Time at which the record was done or failed, else null.",
    )
    expires_at: datetime | None = Field(
        examples=[None],
        description="Time at which the record expires. Null if it never expires or is not finished.",
    )
    status_link: str = Field(examples=[STATUS_LINK], description="Shows this record.")
    events_link: str = Field(
        examples=[f"{STATUS_LINK}/events"], description="Sends each change as a Server-Sent Event."
    )
    waveform_link: str | None = Field(
        examples=[f"{STATUS_LINK}/waveform"], description="Sends the peaks. Null until done."
    )
    download_link: str | None = Field(
        examples=[DOWNLOAD_LINK], description="Null until the MP3 is ready."
    )
    webhook: WebhookView | None = Field(
        examples=[None],
        description="Null without `callback_url`, and in the events themselves.",
    )


class RecordEvent(BaseModel):
    """The body of a webhook."""

    type: Event = Field(examples=["record.done"], description="Names the event.")
    timestamp: datetime = Field(
        examples=[FINISHED_AT],
        description="The time of the event. Repeated attempts have the same time.",
    )
    data: RecordView = Field(description="The record as it was at the time of the event.")


class RecordPage(BaseModel):
    """A part of a user's records."""

    records: list[RecordView] = Field(description="Newest first.")
    next: str | None = Field(
        examples=[f"http://localhost:8000/records?limit=50&before={RECORD_ID}"],
        description="Link to older records. Null on the last page. If you sent the token in the query, the link has "
        "it. If you sent it in a header, send the header again.",
    )
