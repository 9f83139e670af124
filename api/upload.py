"""An upload becomes a source on disk while it arrives, and a record once it is whole.

The body is written once, in slices of `SLICE_BYTES`; memory stays flat whatever its size. What can be refused
early is refused early: a taken filename when its part begins, what is not a WAV with the first slice. Whatever
goes wrong, no byte and no row stays behind, and the filename is free again.
"""

import asyncio
import errno
import time
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID

from starlette.requests import ClientDisconnect

from api.multipart import Multipart, PartHead, clean_filename
from shared import db, encoding, media, queue, records, wav
from shared.errors import BadUpload, NoSpace, RecordGone, UploadTimeout, UploadTooLarge
from shared.settings import Settings

PART_NAME = "wav_file"
SLICE_BYTES = 2**20
CLIP_SEGMENTS = 2
"""A record of one segment that is no longer than so many usual ones is a clip."""


class SourceWriter:
    """Writes a source, and looks at its WAV header as soon as it is there. It blocks: for use in a thread."""

    def __init__(self, path: Path, settings: Settings) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._settings = settings
        self._file = path.open("x+b")
        self._next_look_bytes = 0
        self.size_bytes = 0

    def write(self, pieces: list[memoryview]) -> None:
        """Raises UploadTooLarge, NoSpace, NotAWav, BadWav."""
        self.size_bytes += sum(map(len, pieces))
        if self.size_bytes > self._settings.max_upload_bytes:
            raise UploadTooLarge
        if media.free_bytes(self._path.parent) < self._settings.min_free_bytes:
            raise NoSpace
        try:
            self._file.writelines(pieces)
            self._file.flush()
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise NoSpace from error
            raise
        if self.size_bytes >= self._next_look_bytes:
            self._look_at_header()

    def _look_at_header(self) -> None:
        # Twice the bytes before the next look: however slowly a header arrives, looking takes linear time.
        seen = wav.check_start(self._file, self.size_bytes)
        self._file.seek(self.size_bytes)
        self._next_look_bytes = self._settings.max_upload_bytes + 1 if seen else 2 * self.size_bytes

    def finish(self) -> wav.WavInfo:
        """The source is whole, and durable when this returns. Raises NotAWav, BadWav."""
        info = wav.read_wav(self._file, self.size_bytes)
        media.sync(self._file)
        self._file.close()
        media.sync_folder(self._path.parent)
        return info

    def abandon(self) -> None:
        self._file.close()
        self._path.unlink(missing_ok=True)


class Upload:
    """One upload of one user: `receive`, then `accept`; or `abandon`, if anything is raised."""

    def __init__(
        self, user_id: UUID, options: encoding.Options, tags: dict[str, str], settings: Settings
    ) -> None:
        self._user_id = user_id
        self._options = options
        self._tags = tags
        self._settings = settings
        self._lease_s = 2 * settings.upload_idle_timeout_s
        self._renew_at = 0.0
        self._writer: SourceWriter | None = None
        self.record_id: UUID | None = None

    async def receive(self, chunks: AsyncIterator[bytes], form: Multipart) -> None:
        """Write the body's one file as it arrives. Raises everything that an upload can be refused for."""
        pieces: list[memoryview] = []
        in_file = False
        async for chunk in _with_timeout(chunks, self._settings.upload_idle_timeout_s):
            for event in form.feed(chunk):
                if isinstance(event, PartHead):
                    in_file = event.filename is not None or event.name == PART_NAME
                    if in_file:
                        await asyncio.to_thread(self._begin, event)
                elif in_file:
                    pieces.append(event)
            if sum(map(len, pieces)) >= SLICE_BYTES:
                await asyncio.to_thread(self._write, pieces)
                pieces = []
        if not form.complete:
            raise BadUpload
        await asyncio.to_thread(self._write, pieces)

    def _begin(self, head: PartHead) -> None:
        if head.name != PART_NAME or head.filename is None:
            raise BadUpload(
                f"The WAV must be the file `{PART_NAME}`: curl -F '{PART_NAME}=@song.wav'."
            )
        if self.record_id is not None:
            raise BadUpload("There are two files in this upload. Send each in a call of its own.")
        with db.transaction() as session:
            self.record_id = records.reserve(
                session,
                self._user_id,
                clean_filename(head.filename),
                self._options,
                self._tags,
                max_pending=self._settings.max_pending_records,
                lease_s=self._lease_s,
            )
        self._writer = SourceWriter(self._files(self.record_id).source, self._settings)

    def _write(self, pieces: list[memoryview]) -> None:
        if self._writer is None or self.record_id is None:
            raise BadUpload(
                f"There is no file `{PART_NAME}` in the body: curl -F '{PART_NAME}=@song.wav'."
            )
        self._writer.write(pieces)
        if time.monotonic() < self._renew_at:
            return
        self._renew_at = time.monotonic() + self._lease_s / 4
        with db.transaction() as session:
            if not records.keep_uploading(session, self.record_id, self._lease_s):
                raise RecordGone

    def accept(self) -> UUID:
        """Commit the whole source as a record and queue its segments. Raises NotAWav, BadWav, BadOptions."""
        assert self._writer is not None
        assert self.record_id is not None
        info = self._writer.finish()
        target = encoding.choose_target(info, self._options)
        stretches = encoding.cut(info, target, self._settings.segment_s)
        is_clip = (
            len(stretches) == 1
            and (info.duration_s or 0) <= CLIP_SEGMENTS * self._settings.segment_s
        )
        segment_queue = queue.CLIPS if is_clip else queue.SEGMENTS
        with db.transaction() as session:
            segment_ids = records.accept(
                session,
                self.record_id,
                source_bytes=self._writer.size_bytes,
                duration_s=info.duration_s,
                warnings=[*info.warnings, *encoding.notes(info, target)],
                stretches=stretches,
                queue=segment_queue,
            )
        if not segment_ids:
            raise RecordGone
        for segment_id in segment_ids[: self._settings.segments_in_flight]:
            if not queue.publish(queue.ENCODE_SEGMENT, segment_id, segment_queue):
                break
        return self.record_id

    def abandon(self) -> None:
        if self.record_id is None:
            return
        with db.transaction() as session:
            released = records.release(session, self.record_id)
        # An accepted record keeps its source, whatever went wrong after the commit.
        if released and self._writer is not None:
            self._writer.abandon()

    def _files(self, record_id: UUID) -> media.RecordFiles:
        return media.record_files(self._settings.media_dir, self._user_id, record_id)


async def _with_timeout(chunks: AsyncIterator[bytes], timeout_s: float) -> AsyncIterator[bytes]:
    try:
        while True:
            async with asyncio.timeout(timeout_s):
                chunk = await anext(chunks, None)
            if chunk is None:
                return
            yield chunk
    except TimeoutError as error:
        raise UploadTimeout from error
    except ClientDisconnect as error:
        raise BadUpload from error
