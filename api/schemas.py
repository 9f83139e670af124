"""The JSON bodies of requests and answers."""

from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, Field, StringConstraints

from api.options import RecordOptions
from shared.db import Event, RecordStatus

Name = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=200, pattern=r"^[^\x00]+$"),
]


USER_ID = "3f2b8c1e-9d4a-4f6e-8a7b-1c2d3e4f5a6b"
RECORD_ID = "7c9e6679-7425-40de-944b-e07fc1f90ae7"
NAMED_ID = "0c1f7a52-6b0e-4b8e-9a53-2f4f5f3f0b11"
CREATED_AT = "2026-11-28T12:00:00Z"
STATUS_LINK = f"http://localhost:8000/records/{RECORD_ID}"
DOWNLOAD_LINK = f"http://localhost:8000/record?id={RECORD_ID}&user_id={USER_ID}"


class NewUser(BaseModel):
    name: Name = Field(examples=["alexander"], description="Any name. It need not be unique.")


class UserCreated(BaseModel):
    id: UUID = Field(examples=[USER_ID])
    token: str = Field(
        examples=["mH4vT0cB2wq8kz6fXy1s9nJr3uPaLdEgQiVoCtMb5hI"],
        description="Keep it secret. The service cannot show it again.",
    )


class UserView(BaseModel):
    """A user, and the limits of the service with their use. A missing limit is null."""

    id: UUID = Field(examples=[USER_ID])
    name: str = Field(examples=["alexander"])
    created_at: datetime = Field(examples=[CREATED_AT])
    stored_bytes: int = Field(
        examples=[42_708_716], description="Size of the user's WAVs and MP3s, with running uploads."
    )
    max_stored_bytes: int | None = Field(
        examples=[107_374_182_400],
        description="An upload that would exceed it is refused with 507.",
    )
    pending_records: int = Field(examples=[1], description="Number of unfinished records.")
    max_pending_records: int = Field(
        examples=[1000], description="A further upload is refused with 429."
    )
    max_upload_bytes: int = Field(
        examples=[68_719_476_736], description="A larger upload is refused with 413."
    )
    max_duration_s: float = Field(
        examples=[172_800.0], description="A longer recording is refused with 422."
    )
    max_mp3_bytes: int = Field(
        examples=[8_589_934_592],
        description="A recording with a larger MP3 is refused with 422. The size is estimated.",
    )
    retention_h: float | None = Field(
        examples=[720.0], description="Hours after which a finished record expires."
    )
    link_ttl_s: int | None = Field(
        examples=[86_400],
        description="Seconds after which status and download links expire.",
    )


class NewToken(BaseModel):
    name: Name = Field(
        examples=["build server"], description="Tells tokens apart. It need not be unique."
    )


class TokenCreated(BaseModel):
    id: UUID = Field(examples=[NAMED_ID])
    name: str = Field(examples=["build server"])
    token: str = Field(
        examples=["q3c0mE1pXo7vRk2tYw9zHs5uNa8fLdJbGiVeCxTrBgM"],
        description="Keep it secret. The service cannot show it again.",
    )


class TokenView(BaseModel):
    id: UUID = Field(examples=[NAMED_ID])
    name: str = Field(
        examples=["build server"], description="The token from POST /users is called `first`."
    )
    created_at: datetime = Field(examples=[CREATED_AT])
    last_used_on: date | None = Field(
        examples=["2026-11-28"], description="The last day (UTC) on which a request had this token."
    )
    is_current: bool = Field(examples=[False], description="Whether this request has this token.")


class TokenList(BaseModel):
    tokens: list[TokenView]


class RecordAccepted(BaseModel):
    id: UUID = Field(examples=[RECORD_ID])
    filename: str = Field(
        examples=["song.wav"],
        description="Differs from the uploaded one if `if_exists=rename` numbered it.",
    )
    status: RecordStatus = Field(examples=["queued"])
    status_link: str = Field(examples=[STATUS_LINK], description="Shows the record.")
    download_link: str = Field(
        examples=[DOWNLOAD_LINK],
        description="Sends the MP3. Waits up to 30 s if it is not ready yet.",
    )


class Problem(BaseModel):
    """An RFC 9457 problem. `code` is stable; `detail` tells the reader what to do."""

    type: str = "about:blank"
    title: str = Field(examples=["Conflict"])
    status: int = Field(examples=[409])
    code: str = Field(examples=["filename_taken"])
    detail: str = Field(
        examples=[
            "You already have a record of this filename. Delete that record or rename the file."
        ]
    )


class WaveformView(BaseModel):
    """The lowest and the highest sample of each pixel, in the format of BBC audiowaveform, version 2."""

    version: int = Field(examples=[2])
    channels: int = Field(examples=[1], description="All channels of the MP3 are drawn as one.")
    sample_rate: int = Field(examples=[44100])
    samples_per_pixel: int = Field(examples=[512])
    bits: int = Field(examples=[8])
    length: int = Field(examples=[2], description="Number of pixels.")
    data: list[int] = Field(
        examples=[[-12, 14, -60, 57]],
        description="Minimum and maximum of each pixel, from -128 to 127.",
    )


class FilenameTakenProblem(Problem):
    record_id: UUID | None = Field(
        examples=[RECORD_ID],
        description="ID of the record that already uses this filename. Null if it has just been deleted.",
    )


class Components(BaseModel):
    """The state of each component: "ok" or "not ready"."""

    postgresql: str
    redis: str
    volume: str
    workers: str
    sweeper: str
    deliveries: str


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


class WebhookView(BaseModel):
    """The newest event for the record's `callback_url`. It is sent until the receiver answers 2xx, for about a day."""

    origin: str = Field(
        examples=["https://example.com"],
        description="Scheme, host and port of `callback_url`. Its other parts may contain a password.",
    )
    event: Event | None = Field(
        None, examples=["record.done"], description="Null before the first event."
    )
    attempts: int = Field(0, examples=[1])
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
    delivered_at: datetime | None = None
    next_attempt_at: datetime | None = Field(
        None, description="Null once the event is delivered or given up."
    )


class RecordView(BaseModel):
    """An uploaded WAV and its conversion."""

    id: UUID = Field(examples=[RECORD_ID])
    status: RecordStatus = Field(examples=["done"])
    progress: float = Field(examples=[1.0], description="Encoded fraction of the audio, 0 to 1.")
    queue_position: int | None = Field(
        description="Position in the queue, starting at 1. Null once conversion has started."
    )
    waiting_for: str | None = Field(
        description='"storage" while the conversion waits for the media volume, else null.'
    )
    filename: str = Field(examples=["song.wav"])
    duration_s: float | None = Field(examples=[213.4])
    source_bytes: int | None = Field(examples=[37_643_804])
    mp3_bytes: int | None = Field(examples=[5_064_912])
    options: RecordOptions = Field(description="The options of the upload. Null where it had none.")
    target: TargetView | None = Field(
        description="The applied options. Null until the upload is accepted, and for records of older releases."
    )
    warnings: list[str] = Field(
        examples=[["The 6 channels were mixed to stereo and scaled so that nothing clips."]],
        description="Each change or loss on the way from WAV to MP3, in one sentence.",
    )
    error: Problem | None = Field(description="The reason why the record failed, else null.")
    created_at: datetime
    finished_at: datetime | None
    expires_at: datetime | None
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
        description="Null without `callback_url`, and in the events themselves."
    )


class RecordEvent(BaseModel):
    """The body of a webhook."""

    type: Event = Field(examples=["record.done"])
    timestamp: datetime = Field(
        description="The time of the event. Repeated attempts have the same."
    )
    data: RecordView = Field(description="The record as it was then.")


class WebhookSecret(BaseModel):
    secret: str = Field(
        examples=["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw1q3Wm0pXu2E="],
        description="Keep it secret. The service does not show it again.",
    )
    previous_valid_until: datetime | None = Field(
        description="Until then each event has a second signature, by your previous secret. Null if you had none."
    )


class RecordPage(BaseModel):
    records: list[RecordView]
    next: str | None = Field(
        description="Link to older records. Null on the last page. Has the token if the request had it in the query; "
        "after a request with a token in a header, send the same header."
    )
