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
FINISHED_AT = "2026-11-28T12:00:04Z"
STATUS_LINK = f"http://localhost:8000/records/{RECORD_ID}"
DOWNLOAD_LINK = f"http://localhost:8000/record?id={RECORD_ID}&user_id={USER_ID}"


UserId = Annotated[UUID, Field(examples=[USER_ID], description="The user's id.")]
RecordId = Annotated[UUID, Field(examples=[RECORD_ID], description="The record's id.")]
TokenId = Annotated[UUID, Field(examples=[NAMED_ID], description="The token's id.")]
TokenName = Annotated[str, Field(examples=["build server"], description="The token's name.")]
Status = Annotated[
    RecordStatus,
    Field(examples=["done"], description="A record is done or failed at the end."),
]


class NewUser(BaseModel):
    """The user to create."""

    name: Name = Field(examples=["alexander"], description="Any name. It need not be unique.")


class UserCreated(BaseModel):
    """A new user."""

    id: UserId
    token: str = Field(
        examples=["mH4vT0cB2wq8kz6fXy1s9nJr3uPaLdEgQiVoCtMb5hI"],
        description="Keep it secret. The service cannot show it again.",
    )


class UserView(BaseModel):
    """A user, and the limits of the service with their use. A missing limit is null."""

    id: UserId
    name: str = Field(examples=["alexander"], description="The name given to POST /users.")
    created_at: datetime = Field(examples=[CREATED_AT], description="Time of POST /users.")
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
    """The token to create."""

    name: Name = Field(
        examples=["build server"], description="Tells tokens apart. It need not be unique."
    )


class TokenCreated(BaseModel):
    """A new token."""

    id: TokenId
    name: TokenName
    token: str = Field(
        examples=["q3c0mE1pXo7vRk2tYw9zHs5uNa8fLdJbGiVeCxTrBgM"],
        description="Keep it secret. The service cannot show it again.",
    )


class TokenView(BaseModel):
    """A token, without its secret."""

    id: TokenId
    name: str = Field(
        examples=["build server"], description="The token from POST /users is called `first`."
    )
    created_at: datetime = Field(examples=[CREATED_AT], description="Time of its creation.")
    last_used_on: date | None = Field(
        examples=["2026-11-28"], description="The last day (UTC) on which a request had this token."
    )
    is_current: bool = Field(examples=[False], description="Whether this request has this token.")


class TokenList(BaseModel):
    """All tokens of a user."""

    tokens: list[TokenView] = Field(description="Oldest first.")


class RecordAccepted(BaseModel):
    """A record whose WAV is stored safely."""

    id: RecordId
    filename: str = Field(
        examples=["song.wav"],
        description="Differs from the uploaded one if `if_exists=rename` numbered it.",
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
            "You already have a record with this filename. Delete that record or rename the file."
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
    """A problem with the record that has the filename."""

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
    """A problem with the state of each component."""


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
    """The newest event for the record's `callback_url`. It is sent until the receiver answers 2xx, for about a day."""

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
        None, examples=[FINISHED_AT], description="Time of the 2xx answer. Null before it."
    )
    next_attempt_at: datetime | None = Field(
        None, examples=[None], description="Null once the event is delivered or given up."
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
    options: RecordOptions = Field(description="The options of the upload. Null where it had none.")
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
        description="Time at which the record expires. Null if it does not, or is not finished.",
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
        description="The time of the event. Repeated attempts have the same.",
    )
    data: RecordView = Field(description="The record as it was then.")


class WebhookSecret(BaseModel):
    """The secret that signs a user's events."""

    secret: str = Field(
        examples=["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw1q3Wm0pXu2E="],
        description="Keep it secret. The service does not show it again.",
    )
    previous_valid_until: datetime | None = Field(
        examples=[None],
        description="Until then each event has a second signature, by your previous secret. Null if you had none.",
    )


class RecordPage(BaseModel):
    """A part of a user's records."""

    records: list[RecordView] = Field(description="Newest first.")
    next: str | None = Field(
        examples=[f"http://localhost:8000/records?limit=50&before={RECORD_ID}"],
        description="Link to older records. Null on the last page. Has the token if the request had it in the query; "
        "after a request with a token in a header, send the same header.",
    )
