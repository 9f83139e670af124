"""The options of an upload. Each is a query parameter and a form field. CONTRIBUTING.md says how to add one."""

from collections.abc import Iterable, Sequence
from dataclasses import fields
from typing import Annotated, Literal

from fastapi import Depends, Query, Request
from fastapi.exceptions import RequestValidationError
from pydantic import AfterValidator, BaseModel, Field, PrivateAttr, ValidationError, WithJsonSchema

from api.callbacks import MAX_URL_CHARS, check_url
from shared.errors import BadOptions
from shared.mp3_options import BITRATES_KBPS, MAX_GAIN_DB, MIN_GAIN_DB, Options, check_options
from shared.mpeg import SAMPLE_RATES_HZ


def _remove_nul(text: str) -> str:
    """Remove NUL, which PostgreSQL's JSON cannot hold."""
    return text.replace("\0", "")


Tag = Annotated[
    str | None,
    Field(max_length=1000, examples=["Morning"], description="Overrides the WAV's own metadata."),
    AfterValidator(lambda text: text and _remove_nul(text)),
]


def _enum(values: Sequence[int]) -> WithJsonSchema:
    """Describe the allowed values. `check_options` refuses others, with a sentence that lists the allowed ones."""
    return WithJsonSchema({"type": "integer", "enum": list(values)})


class Tags(BaseModel):
    title: Tag = None
    artist: Tag = None
    album: Tag = None
    track: Tag = None
    year: Tag = None
    genre: Tag = None
    comment: Tag = None


class RecordOptions(Tags):
    """The options that a record keeps. Options that are not tags are the fields of `mp3_options.Options`."""

    quality: int | None = Field(
        None,
        ge=0,
        le=9,
        examples=[2],
        description="VBR, 0 (best) to 9 (smallest file). Default: 2.",
    )
    bitrate_kbps: Annotated[int, _enum(BITRATES_KBPS)] | None = Field(
        None,
        examples=[192],
        description="Constant bitrate in kbit/s, instead of `quality`. Allowed values depend on the sample rate.",
    )
    channels: int | None = Field(
        None,
        ge=1,
        le=2,
        examples=[2],
        description="1 or 2. Default: same as the source, at most 2.",
    )
    sample_rate_hz: Annotated[int, _enum(SAMPLE_RATES_HZ)] | None = Field(
        None,
        examples=[44100],
        description="Sample rate of the MP3. Default: same as the source if possible.",
    )
    gain_db: float | None = Field(
        None,
        ge=MIN_GAIN_DB,
        le=MAX_GAIN_DB,
        allow_inf_nan=False,
        examples=[-6.0],
        description="Gain in dB, such as -6.0 for a recording that peaks above full scale. Default: 0.",
    )
    tag_charset: str | None = Field(
        None,
        min_length=1,
        max_length=40,
        pattern=r"^[A-Za-z0-9_.:-]+$",
        examples=["cp1251"],
        description="Charset of the WAV's metadata, such as `cp1251` or `shift_jis`. Default: guessed.",
    )
    id3_version: Literal["2.3", "2.4"] | None = Field(
        None,
        examples=["2.4"],
        description="`2.3` (UTF-16) for Windows and car radios. Default: 2.4 (UTF-8).",
    )

    def conversion(self) -> Options:
        """Return the options of the MP3. Raises BadOptions if no source allows them."""
        options = Options(**{field.name: getattr(self, field.name) for field in fields(Options)})
        check_options(options)
        return options

    def tags(self) -> dict[str, str]:
        return self.model_dump(include=set(Tags.model_fields), exclude_none=True)


CallbackUrl = Annotated[
    str,
    WithJsonSchema({"type": "string", "format": "uri", "maxLength": MAX_URL_CHARS}),
    AfterValidator(check_url),
]


class UploadOptions(RecordOptions):
    _base_url: str = PrivateAttr("")

    callback_url: CallbackUrl | None = Field(
        None,
        examples=["https://example.com/hook"],
        description="The service posts a signed event to this http or https URL when the record is done, has failed or "
        "expires. Needs a secret from POST /users/me/webhook-secret.",
    )
    if_exists: Literal["fail", "replace", "rename"] = Field(
        "fail",
        examples=["rename"],
        description="If you already have a record with this filename: `fail` refuses the upload, `replace` deletes "
        "that record once the upload is accepted, and `rename` adds a number to the new filename.",
    )

    def note_base_url(self, url: str) -> None:
        """Note the address that the request used. The links in the record's webhooks begin with it."""
        self._base_url = url

    @property
    def callback(self) -> tuple[str, str] | None:
        """Return the callback URL, and the base of the links that are sent to it."""
        return None if self.callback_url is None else (self.callback_url, self._base_url)


def add_form_fields(query: UploadOptions, sent: Iterable[tuple[str, str]]) -> UploadOptions:
    """Return the options of the query and of the form. Raises BadOptions if they contradict each other."""
    values: dict[str, str] = {}
    for name, value in sent:
        if values.setdefault(name, value) != value:
            raise BadOptions(f"The form has two different values of `{name}`. Send one.")
    try:
        form = UploadOptions.model_validate(values)
    except ValidationError as error:
        wrong = [{**each, "loc": ("form", *each["loc"])} for each in error.errors()]
        raise RequestValidationError(wrong) from error
    for name in form.model_fields_set & query.model_fields_set:
        if getattr(form, name) != getattr(query, name):
            raise BadOptions(f"The query and the form have different values of `{name}`. Send one.")
    return query.model_copy(update=form.model_dump(exclude_unset=True))


async def _query_options(
    request: Request, options: Annotated[UploadOptions, Query()]
) -> UploadOptions:
    options.conversion()
    options.note_base_url(str(request.base_url))
    return options


QueryOptions = Annotated[UploadOptions, Depends(_query_options)]


async def _retry_options(options: Annotated[RecordOptions, Query()]) -> RecordOptions:
    options.conversion()
    return options


RetryOptions = Annotated[RecordOptions, Depends(_retry_options)]
