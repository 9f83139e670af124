"""The JSON bodies about users, their tokens and their webhook secret."""

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, Field, StringConstraints

from api.schemas import CREATED_AT, USER_ID

NAMED_ID = "0c1f7a52-6b0e-4b8e-9a53-2f4f5f3f0b11"

Name = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=200, pattern=r"^[^\x00]+$"),
]


UserId = Annotated[UUID, Field(examples=[USER_ID], description="The user's id.")]
TokenId = Annotated[UUID, Field(examples=[NAMED_ID], description="The token's id.")]
TokenName = Annotated[str, Field(examples=["build server"], description="The token's name.")]


class NewUser(BaseModel):
    """The user to create."""

    name: Name = Field(examples=["alexander"], description="Any name. It need not be unique.")


class UserCreated(BaseModel):
    """A new user."""

    id: UserId
    token: str = Field(
        examples=["ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"],
        description="Keep it secret. The service cannot show it again.",
    )


class UserView(BaseModel):
    """A user, the limits that apply, and how much of each is used. A limit is null if there is none."""

    id: UserId
    name: str = Field(examples=["alexander"], description="The name given to POST /users.")
    created_at: datetime = Field(examples=[CREATED_AT], description="Time of POST /users.")
    stored_bytes: int = Field(
        examples=[42_708_716],
        description="Size of the user's WAVs and MP3s, including running uploads.",
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
        examples=["build server"],
        description="A name by which you recognise the token. It need not be unique.",
    )


class TokenCreated(BaseModel):
    """A new token."""

    id: TokenId
    name: TokenName
    token: str = Field(
        examples=["3e23e8160039594a33894f6564e1b1348bbd7a0088d42c4acb73eeaed59c009d"],
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


class WebhookSecret(BaseModel):
    """The secret that signs a user's events."""

    secret: str = Field(
        examples=["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw1q3Wm0pXu2E="],
        description="Keep it secret. The service does not show it again.",
    )
    previous_valid_until: datetime | None = Field(
        examples=[None],
        description="Until this time each event has a second signature, by your previous secret. Null if you had none.",
    )
