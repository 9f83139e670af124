"""Reserves a filename for an upload, and keeps it while the upload makes progress."""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from itertools import chain, count
from typing import Any, TypeVar
from uuid import UUID

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from api.filenames import number_filename, split_suffix
from api.idempotency import Key
from api.options import UploadOptions
from api.threads import run_in_thread
from api.volume import delete_all
from shared import db, media
from shared.db import Record
from shared.errors import (
    FilenameTaken,
    RecordGone,
    RequestInProgress,
    StillUploading,
    UploadReplaced,
    Wav2mp3Error,
)
from shared.settings import Settings

RENEW_S = 1.0
SILENT_S = 4.0
"""An upload that is not renewed for this time loses its filename to a new upload."""
POLL_S = 0.25
MAX_PREFIX_CHARS = 400
"""A numbered filename keeps at least this many characters of a long filename."""

T = TypeVar("T")
log = structlog.get_logger(__name__)


class AlreadyAccepted(Exception):
    """An earlier request with the same Idempotency-Key was accepted as this record."""

    def __init__(self, record_id: UUID, filename: str) -> None:
        super().__init__()
        self.record_id = record_id
        self.filename = filename


class Reservation:
    """The row of one upload. Call `reserve` once, and run `keep` as a task until the upload ends."""

    def __init__(self, user_id: UUID, announced_bytes: int, settings: Settings, key: Key) -> None:
        self._user_id = user_id
        self._key = key
        self._request: dict[str, Any] = {}
        self._announced_bytes = announced_bytes
        self._settings = settings
        self._has_progress = False
        self._error: Wav2mp3Error | None = None
        self.record_id: UUID | None = None
        self.filename = ""

    async def reserve(self, filename: str, options: UploadOptions) -> None:
        """Reserve the filename.

        Raises FilenameTaken, StillUploading, BadOptions, AlreadyAccepted, and the errors of `db.quotas` and keys.
        """
        self._request = {"filename": filename, **options.model_dump(mode="json")}
        renames = options.if_exists == "rename"
        insert = self._insert_free_name if renames else self._insert
        await self._insert_or_take_over(partial(insert, filename, options))

    def _insert_free_name(self, filename: str, options: UploadOptions) -> None:
        prefix = split_suffix(filename)[0][:MAX_PREFIX_CHARS]
        while self.record_id is None:
            with db.transaction() as session:
                taken = db.uploads.filenames(session, self._user_id, prefix)
            numbered = (number_filename(filename, number) for number in count(2))
            free = next(name for name in chain([filename], numbered) if name not in taken)
            with suppress(FilenameTaken):  # another upload took the name after the query
                self._insert(free, options)

    async def _insert_or_take_over(self, insert: Callable[[], None]) -> None:
        seen: list[tuple[UUID | None, int]] = []
        silent_since_s = time.monotonic()
        while True:
            try:
                return await run_in_thread(insert)
            except (StillUploading, RequestInProgress) as found:
                lease = (found.record_id, found.renewals)
                if lease not in seen:
                    seen.append(lease)
                    silent_since_s = time.monotonic()
                # One renewal may still follow the last bytes of a broken connection.
                if len(seen) > 2 or lease[0] != seen[0][0]:
                    raise
            if time.monotonic() >= silent_since_s + SILENT_S:
                await run_in_thread(self._remove_silent, *seen[-1])
            await asyncio.sleep(POLL_S)

    def _insert(self, filename: str, options: UploadOptions) -> None:
        with db.transaction() as session:
            earlier = self._key.take(session, self._request)
            if earlier is not None:
                record = session.get_one(Record, earlier.record_id)
                raise AlreadyAccepted(record.id, record.filename)
            record_id = db.uploads.reserve(
                session,
                self._user_id,
                filename,
                options.conversion(),
                options.tags(),
                self._settings,
                announced_bytes=self._announced_bytes,
                replaces=options.if_exists == "replace",
                callback=options.callback,
            )
            self._key.store(session, record_id=record_id)
        self.record_id, self.filename = record_id, filename
        # The row is new, so the first renewal waits for more bytes.
        self._has_progress = False

    def _remove_silent(self, record_id: UUID | None, renewals: int) -> None:
        if record_id is None:
            return
        with db.transaction() as session:
            removed = db.uploads.remove_silent(session, record_id, renewals)
        if removed:
            log.info("silent upload replaced", record_id=str(record_id))
            files = media.record_files(self._settings.media_dir, self._user_id, record_id)
            delete_all(files)

    def mark_progress(self) -> None:
        """Note that bytes arrived, so that the reservation is renewed soon."""
        self._has_progress = True

    async def run(self, work: Callable[[], T]) -> T:
        """Run blocking work on the upload in a thread."""
        return await self.wait(self.begin(work))

    def begin(self, work: Callable[[], T]) -> asyncio.Future[T]:
        """Begin blocking work on the upload in a thread. Call `wait` for its result."""
        self.check()
        return asyncio.get_running_loop().run_in_executor(None, work)

    async def wait(self, running: asyncio.Future[T]) -> T:
        """Wait for work in a thread. A slow disk does not make the upload silent."""
        while not (await asyncio.wait([running], timeout=RENEW_S / 2))[0]:
            self.mark_progress()
        return running.result()

    async def keep(self) -> None:
        """Renew the reservation while the upload makes progress. Never returns."""
        while True:
            await asyncio.sleep(RENEW_S)
            if self._has_progress and self.record_id is not None:
                self._has_progress = False
                await run_in_thread(self._renew, self.record_id)

    def _renew(self, record_id: UUID) -> None:
        try:
            with db.transaction() as session:
                if not db.uploads.renew(session, record_id):
                    self._error = self.explain_loss(session)
        except SQLAlchemyError as error:
            # The upload continues: the next renewal may succeed, and so may `accept`.
            log.warning("upload not renewed", error=type(error).__name__)

    def explain_loss(self, session: Session) -> Wav2mp3Error:
        """Return the error of an upload whose row is not `uploading` any more."""
        is_tombstone = session.get(Record, self.record_id) is not None
        return RecordGone() if is_tombstone else UploadReplaced()

    def check(self) -> None:
        """Check that the upload still has its row, as of the last renewal. Raises RecordGone, UploadReplaced."""
        if self._error is not None:
            raise self._error
