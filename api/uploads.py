"""Receives an upload and accepts it as a record, for every call that creates one.

The body is a form or the WAV itself. Both are written as they arrive, and refused for the same reasons.
"""

import asyncio
import re
from typing import NamedTuple
from uuid import UUID

from fastapi import Request
from python_multipart.multipart import parse_options_header

from api.deps import body_limits
from api.http import Multipart, PartHead, RawBody, body_chunks, parse_disposition
from api.idempotency import KEY_ERRORS, REPLAYED, Key
from api.options import UploadOptions
from api.reservation import AlreadyAccepted
from api.schemas import RecordAccepted
from api.threads import run_in_thread
from api.upload_stream import FILE_FIELD, MAX_FORM_BYTES, Upload
from api.views import Links
from api.volume import translate_errors
from shared import db, errors, media
from shared.db import RecordStatus
from shared.settings import Settings

POLL_AFTER_S = 1
OCTET_STREAM = "application/octet-stream"
RAW_TYPES = ("audio/wav", "audio/x-wav", "audio/wave", "audio/vnd.wave", OCTET_STREAM)
CURL_TYPE = "application/x-www-form-urlencoded"
"""curl --data-binary sends a file with this type, unless it is told another."""
PLAIN_NAMES = re.compile(
    "curl/|Mozilla/|wav2mp3-client|python-requests/|python-httpx/|python-urllib3/|node|undici|Go-http-client|libwww-perl"
)
"""User agents that never percent-encode filenames."""
RAW_SCHEMA = {"schema": {"type": "string", "format": "binary"}}
CONVERSION_ERRORS = (
    errors.NotAWav,
    errors.BadOptions,
    errors.BadWav,
    errors.TooLong,
    errors.Mp3TooLarge,
    errors.TooManyPending,
    errors.TooManyPendingInAll,
    errors.NoSpace,
    errors.StorageUnavailable,
)
"""The errors that can refuse to convert a source."""
UPLOAD_ERRORS = (
    *KEY_ERRORS,
    errors.BadCredentials,
    errors.TooManyBadCredentials,
    errors.UploadTimeout,
    errors.FilenameTaken,
    errors.UploadReplaced,
    errors.UploadTooLarge,
    errors.NotMultipart,
    errors.NoWebhookSecret,
    errors.BadUpload,
    errors.UserStorageFull,
    errors.ServiceStorageFull,
    *CONVERSION_ERRORS,
)


class Accepted(NamedTuple):
    record_id: UUID
    filename: str
    is_replayed: bool = False
    """An earlier request with the same Idempotency-Key was accepted."""


def form_or_raw_body(request: Request, filename: str | None) -> Multipart | RawBody:
    """Return the reader of the body, by its Content-Type. Raises NotMultipart, BadUpload, BadRequest."""
    content_type = request.headers.get("content-type", "")
    may_escape = not PLAIN_NAMES.match(request.headers.get("user-agent", ""))
    if _media_type(content_type) not in RAW_TYPES:
        return Multipart(content_type, may_escape_names=may_escape)
    disposition = request.headers.get("content-disposition", "").encode("latin-1")
    _, named = parse_disposition(disposition, may_escape=may_escape, may_escape_ascii=False)
    sent = filename or named
    if sent is None:
        raise errors.BadUpload(
            "The WAV has no filename. Add `filename=song.wav` to the query, or send the header "
            "`Content-Disposition: attachment; filename=song.wav`."
        )
    return _raw_body(request, sent)


def raw_body(request: Request, filename: str) -> RawBody:
    """Return the reader of a body that must be the WAV itself. Raises NotMultipart, BadRequest."""
    content_type = request.headers.get("content-type") or OCTET_STREAM
    if _media_type(content_type) not in (*RAW_TYPES, CURL_TYPE):
        raise errors.NotMultipart(
            "Send the WAV itself as the body, as curl -T song.wav does, with one of these as Content-Type: "
            f"{', '.join(RAW_TYPES)}."
        )
    return _raw_body(request, filename)


def _raw_body(request: Request, filename: str) -> RawBody:
    if "content-range" in request.headers:
        raise errors.BadRequest(
            "The service does not continue uploads, so Content-Range is not allowed. Send the whole WAV."
        )
    return RawBody(PartHead(FILE_FIELD, filename))


def _media_type(content_type: str) -> str:
    return parse_options_header(content_type)[0].decode("latin-1")


async def receive(
    request: Request,
    body: Multipart | RawBody,
    user_id: UUID,
    options: UploadOptions,
    settings: Settings,
    key: Key,
    *,
    filename: str | None = None,
) -> Accepted:
    """Store the upload and queue its record. `filename` replaces the filename in a form.

    Raises every error that can refuse an upload.
    """
    if (coding := request.headers.get("content-encoding", "identity")) != "identity":
        raise errors.NotMultipart(
            f"The body has the Content-Encoding {coding[:40]!r}. Send it without compression."
        )
    # A lower bound of the WAV's size, so that no upload is refused for the bytes of its form.
    form_bytes = 0 if isinstance(body, RawBody) else MAX_FORM_BYTES
    announced_bytes = max(int(request.headers.get("content-length", 0)) - form_bytes, 0)
    await asyncio.to_thread(_check_room, user_id, announced_bytes, settings, key)
    upload = Upload(user_id, options, announced_bytes, settings, key, filename=filename)
    renewing = asyncio.create_task(upload.reservation.keep())
    try:
        await upload.receive(body_chunks(request, body_limits(settings)), body)
        record_id = await upload.reservation.run(upload.accept)
    except AlreadyAccepted as earlier:
        return Accepted(earlier.record_id, earlier.filename, is_replayed=True)
    except BaseException:
        await run_in_thread(upload.abort)
        raise
    finally:
        renewing.cancel()
    return Accepted(record_id, upload.reservation.filename)


def _check_room(user_id: UUID, announced_bytes: int, settings: Settings, key: Key) -> None:
    """Check the announced size.

    Raises UploadTooLarge, StorageUnavailable, NoSpace, UserStorageFull, ServiceStorageFull.
    """
    if key.is_taken():  # A repeated upload needs no room.
        return
    if announced_bytes > settings.max_upload_bytes:
        raise errors.UploadTooLarge.than(settings.max_upload_bytes)
    # Twice the size, because during assembly the volume holds the source, the parts and the MP3.
    with translate_errors():
        free_bytes = media.free_bytes(settings.media_dir)
    if free_bytes - 2 * announced_bytes < settings.min_free_bytes:
        raise errors.NoSpace
    if settings.max_stored_bytes is not None or settings.max_stored_bytes_in_all is not None:
        with db.transaction() as session:
            db.quotas.check_stored(session, user_id, settings, announced_bytes)


def describe_accepted(
    accepted: Accepted,
    user_id: UUID,
    links: Links,
    status: RecordStatus = RecordStatus.QUEUED,
) -> RecordAccepted:
    return RecordAccepted(
        id=accepted.record_id,
        filename=accepted.filename,
        status=status,
        status_link=links.status(accepted.record_id),
        download_link=links.download(accepted.record_id, user_id),
    )


def accepted_headers(accepted: Accepted, links: Links) -> dict[str, str]:
    headers = {"Location": links.status(accepted.record_id), "Retry-After": str(POLL_AFTER_S)}
    return headers | REPLAYED if accepted.is_replayed else headers
