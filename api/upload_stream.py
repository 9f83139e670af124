"""Streams one upload to the source file, and accepts it as a record once it is complete. `uploads.py` calls this.

The body is written once, in slices, so memory use does not depend on its size. Uploads are refused as early as
possible: a duplicate filename as soon as the form part's head arrives, a non-WAV after the first 64 KiB. After any
error the file and the row are removed, and the filename is free again.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from functools import partial
from uuid import UUID

from sqlalchemy.orm import Session

from api import conversion
from api.callbacks import check_delivery
from api.filenames import clean_filename
from api.http import Multipart, PartHead, RawBody
from api.idempotency import Key
from api.options import UploadOptions, add_form_fields
from api.parameters import check_known
from api.reservation import Reservation
from api.source import SourceWriter
from api.volume import delete_all
from shared import db, media
from shared.errors import BadUpload, UnknownParameter
from shared.settings import Settings

FILE_FIELD = "wav_file"
CREDENTIALS = ("user_id", "token")
_EXAMPLE = f"curl -F '{FILE_FIELD}=@song.wav'"
MAX_FORM_BYTES = 64 * 2**10
"""Maximum size of a form without its file."""
FIRST_SLICE_BYTES = 64 * 2**10
"""Large enough to recognise most files that are not WAVs, small enough to refuse a slow client soon."""
SLICE_BYTES = 2**20
MAX_UNWRITTEN_BYTES = 4 * 2**20
"""If more than this has arrived and is not being written yet, the client waits."""


class Buffer:
    """Chunks that have arrived. They are not joined, because copies cost time."""

    def __init__(self) -> None:
        self._chunks: list[bytes] = []
        self.size_bytes = 0

    def extend(self, chunk: bytes) -> None:
        self._chunks.append(chunk)
        self.size_bytes += len(chunk)

    def take(self) -> list[bytes]:
        chunks, self._chunks, self.size_bytes = self._chunks, [], 0
        return chunks


class Upload:
    """One upload of one user. Call `receive`, then `accept`; if either raises, call `abort`."""

    def __init__(
        self,
        user_id: UUID,
        options: UploadOptions,
        announced_bytes: int,
        settings: Settings,
        key: Key,
        *,
        filename: str | None = None,
    ) -> None:
        self._user_id = user_id
        self._options = options
        self._settings = settings
        self._filename = filename
        self._fields: list[tuple[PartHead, bytearray]] = []
        self._buffer = Buffer()
        self._writing: asyncio.Future[None] | None = None
        self._writer: SourceWriter | None = None
        self.reservation = Reservation(user_id, announced_bytes, settings, key)

    async def receive(self, chunks: AsyncIterator[bytes], body: Multipart | RawBody) -> None:
        """Write the body's only file as it arrives. Raises every error that can refuse an upload."""
        try:
            await self._receive(chunks, body)
        finally:
            await self._end_write()

    async def _receive(self, chunks: AsyncIterator[bytes], body: Multipart | RawBody) -> None:
        body_bytes = file_bytes = 0
        content: bytearray | Buffer = bytearray()
        async for chunk in _after_empty_chunk(chunks):
            self.reservation.mark_progress()
            self.reservation.check()
            body_bytes += len(chunk)
            for event in body.feed(chunk):
                if isinstance(event, PartHead):
                    content = await self._start_part(event)
                    continue
                content.extend(event)
                if content is self._buffer:
                    file_bytes += len(event)
            if body_bytes - file_bytes > MAX_FORM_BYTES:
                raise BadUpload(
                    f"The form is larger than {MAX_FORM_BYTES} bytes without its file. Send the file "
                    f"`{FILE_FIELD}` and options only."
                )
            if self._is_slice_full():
                await self._begin_write()
        body.check_complete()

    async def _start_part(self, head: PartHead) -> bytearray | Buffer:
        """Return the buffer for the part's content."""
        if head.filename is not None or head.name == FILE_FIELD:
            await self._start_file(head)
            return self._buffer
        if head.name in CREDENTIALS:
            raise UnknownParameter(
                f"`{head.name}` cannot be a form field. Send it in the query, or the token in the header "
                "`Authorization: Bearer TOKEN`."
            )
        check_known(head.name, [*UploadOptions.model_fields, FILE_FIELD], "form field")
        if self._writer is not None:
            raise BadUpload(
                f"The field `{head.name}` comes after the file. Put all fields before `{FILE_FIELD}`."
            )
        self._fields.append((head, bytearray()))
        return self._fields[-1][1]

    async def _start_file(self, head: PartHead) -> None:
        if head.name != FILE_FIELD:
            raise BadUpload(
                f"The file is in the form field `{head.name[:40]}`. Send the WAV as `{FILE_FIELD}`: {_EXAMPLE}."
            )
        if head.filename is None:
            raise BadUpload(
                f"The form field `{FILE_FIELD}` has no filename. Send the WAV as `{FILE_FIELD}`: {_EXAMPLE}."
            )
        if self._writer is not None:
            raise BadUpload("The upload contains two files. Send each in its own request.")
        fields = [(field.name, _decode(value, field.charset)) for field, value in self._fields]
        self._options = add_form_fields(self._options, fields)
        options = self._options.conversion()
        if (url := self._options.callback_url) is not None:
            check = partial(check_delivery, self._user_id, url, self._settings)
            await self.reservation.run(check)
        filename = clean_filename(self._filename or head.filename)
        await self.reservation.reserve(filename, self._options)
        assert self.reservation.record_id is not None
        source = self._files(self.reservation.record_id).source
        self._writer = await self.reservation.run(
            lambda: SourceWriter(source, options, self._settings)
        )

    def _is_slice_full(self) -> bool:
        if self._writer is None:
            return False
        slice_bytes = SLICE_BYTES if self._writer.size_bytes else FIRST_SLICE_BYTES
        return self._buffer.size_bytes >= slice_bytes

    async def _begin_write(self) -> None:
        """Write the pieces that have arrived, while others arrive. Raises the errors of the last write."""
        assert self._writer is not None
        is_writing = self._writing is not None and not self._writing.done()
        if is_writing and self._buffer.size_bytes < MAX_UNWRITTEN_BYTES:
            return
        await self._end_write()
        is_first = not self._writer.size_bytes
        write = partial(self._writer.write, self._buffer.take())
        self._writing = self.reservation.begin(write)
        if is_first:  # Refuse a file that is not a WAV before more of it arrives.
            await self._end_write()

    async def _end_write(self) -> None:
        writing, self._writing = self._writing, None
        if writing is not None:
            await self.reservation.wait(writing)

    def accept(self) -> UUID:
        """Finish the source, commit the record and queue its jobs. Raises the same errors as `receive`."""
        record_id = self.reservation.record_id
        if self._writer is None or record_id is None:
            raise BadUpload(f"The body has no file `{FILE_FIELD}`. Send it: {_EXAMPLE}.")
        self._writer.write(self._buffer.take())
        info = self._writer.finish()
        plan = conversion.plan(info, self._options.conversion(), self._settings)
        with db.transaction() as session:
            db.quotas.lock_stored(session, self._user_id, self._settings)
            replaced = self._replace(session)
            accepted = db.records.accept(
                session, record_id, source_bytes=self._writer.size_bytes, **plan.columns
            )
            if not accepted:
                raise self.reservation.explain_loss(session)
            db.quotas.check_stored(session, self._user_id, self._settings, record_id=record_id)
            ready = conversion.create_jobs(session, record_id, self._user_id, plan, self._settings)
        conversion.publish(ready, plan)
        if replaced is not None:
            delete_all(self._files(replaced))
        return record_id

    def _replace(self, session: Session) -> UUID | None:
        if self._options.if_exists != "replace":
            return None
        # Replace before accepting, because two records cannot hold one filename.
        return db.records.replace(session, self._user_id, self.reservation.filename)

    def abort(self) -> None:
        record_id = self.reservation.record_id
        if record_id is None:
            return
        with db.transaction() as session:
            was_aborted = db.uploads.abort(session, record_id)
            if was_aborted:
                db.idempotency.release(session, record_id)
        # An accepted record keeps its source, even if something failed after the commit.
        if was_aborted and self._writer is not None:
            self._writer.abort()

    def _files(self, record_id: UUID) -> media.RecordFiles:
        return media.record_files(self._settings.media_dir, self._user_id, record_id)


async def _after_empty_chunk(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Yield an empty chunk first, so that a raw body starts before the client has sent its first byte."""
    yield b""
    async for chunk in chunks:
        yield chunk


def _decode(value: bytearray, charset: str) -> str:
    """Decode a form field by the charset that it names, else as UTF-8, else as Latin-1 of old clients."""
    for each in (charset, "utf-8"):
        with suppress(LookupError, UnicodeDecodeError):
            return value.decode(each)
    return value.decode("latin-1")
