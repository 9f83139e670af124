"""An upload becomes a source on disk while it arrives, and a record once it is whole.

The body is written once, in slices; memory stays flat whatever its size. What can be refused early is refused
early: a taken filename when its part begins, what is not a WAV with the first slice. Whatever goes wrong, no byte and
no row stays behind, and the filename is free again.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from uuid import UUID

from api.http import Multipart, PartHead, clean_filename
from api.source import SourceWriter
from shared import db, media, mp3_options, queue, segmentation
from shared.errors import BadUpload, RecordGone
from shared.settings import Settings

PART_NAME = "wav_file"
MAX_FORM_BYTES = 64 * 2**10
"""what a form may hold beside its file"""
FIRST_SLICE_BYTES = 64 * 2**10
"""enough to tell what is not a WAV, and so little that a slow client hears of it soon"""
SLICE_BYTES = 2**20
CLIP_SEGMENTS = 2
"""A record of one segment that is no longer than so many usual ones is a clip."""


class Upload:
    """One upload of one user: `receive`, then `accept`; or `abandon`, if anything is raised."""

    def __init__(
        self, user_id: UUID, options: mp3_options.Options, tags: dict[str, str], settings: Settings
    ) -> None:
        self._user_id = user_id
        self._options = options
        self._tags = tags
        self._settings = settings
        self._renew_at = 0.0
        self._arrived = bytearray()
        self._writer: SourceWriter | None = None
        self.record_id: UUID | None = None

    async def receive(self, chunks: AsyncIterator[bytes], form: Multipart) -> None:
        """Take the body's one file as it arrives. Raises everything that an upload can be refused for."""
        body_bytes = file_bytes = 0
        in_file = False
        async for chunk in chunks:
            body_bytes += len(chunk)
            for event in form.feed(chunk):
                if isinstance(event, PartHead):
                    in_file = event.filename is not None or event.name == PART_NAME
                    if in_file:
                        await asyncio.to_thread(self._begin, event)
                elif in_file:
                    self._arrived += event
                    file_bytes += len(event)
            if body_bytes - file_bytes > MAX_FORM_BYTES:
                raise BadUpload(f"The form holds much beside its file. Send `{PART_NAME}` alone.")
            if self._is_slice_due():
                await asyncio.to_thread(self._write)
        if not form.complete:
            raise BadUpload

    def _begin(self, head: PartHead) -> None:
        if head.name != PART_NAME or head.filename is None:
            raise BadUpload(
                f"The WAV must be the file `{PART_NAME}`: curl -F '{PART_NAME}=@song.wav'."
            )
        if self.record_id is not None:
            raise BadUpload("There are two files in this upload. Send each in a call of its own.")
        with db.transaction() as session:
            self.record_id = db.records.reserve(
                session,
                self._user_id,
                clean_filename(head.filename),
                self._options,
                self._tags,
                max_pending=self._settings.max_pending_records,
            )
        self._renew_at = time.monotonic() + self._settings.upload_lease_s / 4
        self._writer = SourceWriter(
            self._files(self.record_id).source, self._options, self._settings
        )

    def _is_slice_due(self) -> bool:
        """A slice is full, or the client is so slow that the lease must be renewed meanwhile."""
        if self._writer is None:
            return False
        slice_bytes = SLICE_BYTES if self._writer.size_bytes else FIRST_SLICE_BYTES
        return len(self._arrived) >= slice_bytes or time.monotonic() >= self._renew_at

    def _write(self) -> None:
        assert self._writer is not None
        assert self.record_id is not None
        self._writer.write(self._arrived)
        self._arrived.clear()
        if time.monotonic() < self._renew_at:
            return
        self._renew_at = time.monotonic() + self._settings.upload_lease_s / 4
        with db.transaction() as session:
            if not db.records.renew_upload(session, self.record_id):
                raise RecordGone

    def accept(self) -> UUID:
        """Commit the whole source as a record and queue its segments. Raises what `receive` does."""
        if self._writer is None or self.record_id is None:
            raise BadUpload(
                f"There is no file `{PART_NAME}` in the body: curl -F '{PART_NAME}=@song.wav'."
            )
        self._write()
        info = self._writer.finish()
        target = mp3_options.choose_target(info, self._options)
        sample_ranges = segmentation.plan_segments(info, target, self._settings.segment_s)
        is_clip = (
            sample_ranges[0].samples / info.fmt.sample_rate_hz
            <= CLIP_SEGMENTS * self._settings.segment_s
            and len(sample_ranges) == 1
        )
        job_queue = queue.CLIPS if is_clip else queue.SEGMENTS
        with db.transaction() as session:
            accepted = db.records.accept(
                session,
                self.record_id,
                source_bytes=self._writer.size_bytes,
                duration_s=info.duration_s,
                target=target,
                warnings=[*info.warnings, *mp3_options.mix_warnings(info, target)],
            )
            if not accepted:
                raise RecordGone
            ready = db.jobs.create(
                session,
                self.record_id,
                sample_ranges,
                queue=job_queue,
                assemble_queue=queue.RETRY_QUEUE[queue.CLIPS],
                in_flight=self._settings.segments_in_flight,
            )
        for job_id in ready:
            if not queue.publish(job_id, job_queue):
                break
        return self.record_id

    def abandon(self) -> None:
        if self.record_id is None:
            return
        with db.transaction() as session:
            released = db.records.abort_upload(session, self.record_id)
        # An accepted record keeps its source, whatever went wrong after the commit.
        if released and self._writer is not None:
            self._writer.abandon()

    def _files(self, record_id: UUID) -> media.RecordFiles:
        return media.record_files(self._settings.media_dir, self._user_id, record_id)
