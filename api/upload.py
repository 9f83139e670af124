"""Streams an upload to the source file, and accepts it as a record once it is complete.

The body is written once, in slices, so memory use does not depend on its size. Uploads are refused as early as
possible: a duplicate filename as soon as the form part's head arrives, a non-WAV after the first 64 KiB. After any
error the file and the row are removed, and the filename is free again.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from uuid import UUID

from api.http import Multipart, PartHead, clean_filename
from api.source import SourceWriter
from api.threads import run_in_turn
from shared import db, media, mp3_options, queue, segmentation
from shared.errors import BadUpload, RecordGone
from shared.settings import Settings

PART_NAME = "wav_file"
MAX_FORM_BYTES = 64 * 2**10
"""Maximum size of a form without its file."""
FIRST_SLICE_BYTES = 64 * 2**10
"""Enough to recognise most files that are not WAVs, and small enough to refuse a slow client soon."""
SLICE_BYTES = 2**20
CLIP_SEGMENTS = 2
"""A record is a clip if it is one segment of at most this many times SEGMENT_S."""


class Upload:
    """One upload of one user. Call `receive`, then `accept`; if either raises, call `abort`."""

    def __init__(
        self, user_id: UUID, options: mp3_options.Options, tags: dict[str, str], settings: Settings
    ) -> None:
        self._user_id = user_id
        self._options = options
        self._tags = tags
        self._settings = settings
        self._lease_s = 2 * settings.upload_idle_timeout_s
        self._renew_at = 0.0
        self._buffer = bytearray()
        self._writer: SourceWriter | None = None
        self.record_id: UUID | None = None

    async def receive(self, chunks: AsyncIterator[bytes], form: Multipart) -> None:
        """Write the body's only file as it arrives. Raises every error that can refuse an upload."""
        body_bytes = file_bytes = 0
        in_file = False
        async for chunk in chunks:
            body_bytes += len(chunk)
            for event in form.feed(chunk):
                if isinstance(event, PartHead):
                    in_file = event.filename is not None or event.name == PART_NAME
                    if in_file:
                        await run_in_turn(self._start_file, event)
                elif in_file:
                    self._buffer += event
                    file_bytes += len(event)
            if body_bytes - file_bytes > MAX_FORM_BYTES:
                raise BadUpload(f"The form is too large. Send only the file `{PART_NAME}`.")
            if self._should_write():
                await asyncio.to_thread(self._write)
        if not form.complete:
            raise BadUpload

    def _start_file(self, head: PartHead) -> None:
        if head.name != PART_NAME or head.filename is None:
            raise BadUpload(f"Send the WAV as `{PART_NAME}`: curl -F '{PART_NAME}=@song.wav'.")
        if self.record_id is not None:
            raise BadUpload("The upload contains two files. Send each in its own request.")
        with db.transaction() as session:
            self.record_id = db.records.reserve(
                session,
                self._user_id,
                clean_filename(head.filename),
                self._options,
                self._tags,
                max_pending=self._settings.max_pending_records,
                lease_s=self._lease_s,
            )
        self._renew_at = time.monotonic() + self._lease_s / 4
        self._writer = SourceWriter(
            self._files(self.record_id).source, self._options, self._settings
        )

    def _should_write(self) -> bool:
        """Return whether a slice is full, or the lease must be renewed because the client is slow."""
        if self._writer is None:
            return False
        slice_bytes = SLICE_BYTES if self._writer.size_bytes else FIRST_SLICE_BYTES
        return len(self._buffer) >= slice_bytes or time.monotonic() >= self._renew_at

    def _write(self) -> None:
        assert self._writer is not None
        assert self.record_id is not None
        self._writer.write(self._buffer)
        self._buffer.clear()
        if time.monotonic() < self._renew_at:
            return
        self._renew_at = time.monotonic() + self._lease_s / 4
        with db.transaction() as session:
            if not db.records.renew_upload(session, self.record_id, self._lease_s):
                raise RecordGone

    def accept(self) -> UUID:
        """Finish the source, commit the record and queue its jobs. Raises the same errors as `receive`."""
        if self._writer is None or self.record_id is None:
            raise BadUpload(
                f"The body has no file `{PART_NAME}`. Send it: curl -F '{PART_NAME}=@song.wav'."
            )
        self._write()
        info = self._writer.finish()
        target = mp3_options.choose_target(info, self._options)
        sample_ranges = segmentation.plan_segments(info, target, self._settings.segment_s)
        clip_samples = CLIP_SEGMENTS * self._settings.segment_s * info.fmt.sample_rate_hz
        is_clip = len(sample_ranges) == 1 and sample_ranges[0].samples <= clip_samples
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

    def abort(self) -> None:
        if self.record_id is None:
            return
        with db.transaction() as session:
            was_aborted = db.records.abort_upload(session, self.record_id)
        # An accepted record keeps its source, even if something failed after the commit.
        if was_aborted and self._writer is not None:
            self._writer.abort()

    def _files(self, record_id: UUID) -> media.RecordFiles:
        return media.record_files(self._settings.media_dir, self._user_id, record_id)
