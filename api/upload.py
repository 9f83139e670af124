"""Streams an upload to the source file, and accepts it as a record once it is complete.

The body is written once, in slices, so memory use does not depend on its size. Uploads are refused as early as
possible: a duplicate filename as soon as the form part's head arrives, a non-WAV after the first 64 KiB. After any
error the file and the row are removed, and the filename is free again.
"""

from collections.abc import AsyncIterator
from contextlib import suppress
from uuid import UUID

from sqlalchemy.orm import Session

from api.http import Multipart, PartHead, clean_filename
from api.options import UploadOptions, add_form_fields
from api.parameters import check_known
from api.reservation import Reservation
from api.source import SourceWriter
from shared import db, media, mp3_options, queue, segmentation, wav
from shared.errors import BadUpload, Mp3TooLarge, NoSpace, TooLong, UnknownParameter
from shared.settings import Settings

PART_NAME = "wav_file"
CREDENTIALS = ("user_id", "token")
MAX_FORM_BYTES = 64 * 2**10
"""Maximum size of a form without its file."""
FIRST_SLICE_BYTES = 64 * 2**10
"""Enough to recognise most files that are not WAVs, and small enough to refuse a slow client soon."""
SLICE_BYTES = 2**20
PADDING_BYTES = 64 * 2**10
"""More than the frames that the encoder adds before and after the audio."""
CLIP_SEGMENTS = 2
"""A record is a clip if it is one segment of at most this many times SEGMENT_S."""


class Upload:
    """One upload of one user. Call `receive`, then `accept`; if either raises, call `abort`."""

    def __init__(
        self, user_id: UUID, options: UploadOptions, announced_bytes: int, settings: Settings
    ) -> None:
        self._user_id = user_id
        self._options = options
        self._settings = settings
        self._fields: list[tuple[str, bytearray]] = []
        self._buffer = bytearray()
        self._writer: SourceWriter | None = None
        self.reservation = Reservation(user_id, announced_bytes, settings)

    async def receive(self, chunks: AsyncIterator[bytes], form: Multipart) -> None:
        """Write the body's only file as it arrives. Raises every error that can refuse an upload."""
        body_bytes = file_bytes = 0
        content = bytearray()
        async for chunk in chunks:
            self.reservation.mark_progress()
            self.reservation.check()
            body_bytes += len(chunk)
            for event in form.feed(chunk):
                if isinstance(event, PartHead):
                    content = await self._start_part(event)
                    continue
                content += event
                if content is self._buffer:
                    file_bytes += len(event)
            if body_bytes - file_bytes > MAX_FORM_BYTES:
                raise BadUpload(
                    f"The form is larger than {MAX_FORM_BYTES} bytes without its file. Send the file "
                    f"`{PART_NAME}` and options only."
                )
            if self._is_slice_full():
                await self.reservation.run(self._write)
        form.check_complete()

    async def _start_part(self, head: PartHead) -> bytearray:
        """Return the buffer for the part's content."""
        if head.filename is not None or head.name == PART_NAME:
            await self._start_file(head)
            return self._buffer
        if head.name in CREDENTIALS:
            raise UnknownParameter(
                f"`{head.name}` cannot be a form field. Send it in the query, or the token in the header "
                "`Authorization: Bearer TOKEN`."
            )
        check_known(head.name, [*UploadOptions.model_fields, PART_NAME], "form field")
        if self._writer is not None:
            raise BadUpload(
                f"The field `{head.name}` comes after the file. Put all fields before `{PART_NAME}`."
            )
        self._fields.append((head.name, bytearray()))
        return self._fields[-1][1]

    async def _start_file(self, head: PartHead) -> None:
        if head.name != PART_NAME or head.filename is None:
            raise BadUpload(f"Send the WAV as `{PART_NAME}`: curl -F '{PART_NAME}=@song.wav'.")
        if self._writer is not None:
            raise BadUpload("The upload contains two files. Send each in its own request.")
        fields = [(name, _decode(value)) for name, value in self._fields]
        self._options = add_form_fields(self._options, fields)
        options = self._options.conversion()
        await self.reservation.reserve(clean_filename(head.filename), self._options)
        assert self.reservation.record_id is not None
        source = self._files(self.reservation.record_id).source
        self._writer = await self.reservation.run(
            lambda: SourceWriter(source, options, self._settings)
        )

    def _is_slice_full(self) -> bool:
        if self._writer is None:
            return False
        slice_bytes = SLICE_BYTES if self._writer.size_bytes else FIRST_SLICE_BYTES
        return len(self._buffer) >= slice_bytes

    def _write(self) -> None:
        assert self._writer is not None
        self._writer.write(self._buffer)
        self._buffer.clear()

    def accept(self) -> UUID:
        """Finish the source, commit the record and queue its jobs. Raises the same errors as `receive`."""
        record_id = self.reservation.record_id
        if self._writer is None or record_id is None:
            raise BadUpload(
                f"The body has no file `{PART_NAME}`. Send it: curl -F '{PART_NAME}=@song.wav'."
            )
        self._write()
        info = self._writer.finish()
        target = mp3_options.choose_target(info, self._options.conversion())
        sample_ranges = segmentation.plan_segments(info, target, self._settings.segment_s)
        clip_samples = CLIP_SEGMENTS * self._settings.segment_s * info.fmt.sample_rate_hz
        is_short = sample_ranges[0].samples <= clip_samples
        is_clip = len(sample_ranges) == 1 and is_short
        job_queue = queue.CLIPS if is_clip else queue.SEGMENTS
        with db.transaction() as session:
            db.quotas.lock_stored(session, self._user_id, self._settings)
            replaced = self._replace(session)
            self._accept_record(session, record_id, info, target)
            db.quotas.check_stored(session, self._user_id, self._settings)
            ready = db.jobs.create(
                session,
                record_id,
                self._user_id,
                sample_ranges,
                queue=job_queue,
                assemble_queue=queue.RETRY_QUEUE[queue.CLIPS],
                in_flight=self._settings.segments_in_flight,
                is_long=not is_short,
            )
        for job_id in ready:
            if not queue.publish(job_id, job_queue):
                break
        if replaced is not None:
            with suppress(OSError):  # the sweeper removes the rest
                media.delete_all(self._files(replaced))
        return record_id

    def _accept_record(
        self, session: Session, record_id: UUID, info: wav.WavInfo, target: mp3_options.Target
    ) -> None:
        assert self._writer is not None
        accepted = db.records.accept(
            session,
            record_id,
            source_bytes=self._writer.size_bytes,
            duration_s=info.duration_s,
            target=target,
            reserved_bytes=self._reserve(info, target),
            warnings=[*info.warnings, *mp3_options.mix_warnings(info, target)],
        )
        if not accepted:
            raise self.reservation.explain_loss(session)
        reserved_bytes = db.records.reserved_bytes(session)
        free_bytes = media.free_bytes(self._settings.media_dir) - reserved_bytes
        if free_bytes < self._settings.min_free_bytes:
            raise NoSpace

    def _replace(self, session: Session) -> UUID | None:
        if self._options.if_exists != "replace":
            return None
        # Before the upload is accepted, because two records cannot hold one filename.
        return db.records.replace(session, self._user_id, self.reservation.filename)

    def _reserve(self, info: wav.WavInfo, target: mp3_options.Target) -> int:
        """Return the bytes that the conversion may need beside the source. Raises TooLong, Mp3TooLarge."""
        duration_s = segmentation.estimate_duration_s(info)
        if duration_s > self._settings.max_duration_s:
            raise TooLong(duration_s, self._settings.max_duration_s)
        mp3_bytes = mp3_options.max_mp3_bytes(target, duration_s)
        if mp3_bytes > self._settings.max_mp3_bytes:
            raise Mp3TooLarge(self._settings.max_mp3_bytes)
        return 2 * (mp3_bytes + PADDING_BYTES)  # the parts and the MP3 made of them

    def abort(self) -> None:
        record_id = self.reservation.record_id
        if record_id is None:
            return
        with db.transaction() as session:
            was_aborted = db.uploads.abort(session, record_id)
        # An accepted record keeps its source, even if something failed after the commit.
        if was_aborted and self._writer is not None:
            self._writer.abort()

    def _files(self, record_id: UUID) -> media.RecordFiles:
        return media.record_files(self._settings.media_dir, self._user_id, record_id)


def _decode(value: bytearray) -> str:
    """Decode a form field: UTF-8, or Latin-1 from old clients."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")
