"""Plans the conversion of a source and queues its jobs, for uploads and for retries."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypedDict
from uuid import UUID

from sqlalchemy.orm import Session

from api.volume import translate_errors
from shared import db, media, mp3_options, queue, segmentation
from shared.errors import Mp3TooLarge, NoSpace, TooLong
from shared.mp3_options import Options, Target
from shared.segmentation import SampleRange
from shared.settings import Settings
from shared.wav import WavInfo

CLIP_SEGMENTS = 2
"""A record is a clip if it has one segment, of at most this many times SEGMENT_S."""


class PlanColumns(TypedDict):
    """The part of a plan that a record stores."""

    duration_s: float | None
    target: Target
    reserved_bytes: int
    warnings: list[str]


@dataclass(frozen=True, slots=True)
class Plan:
    columns: PlanColumns
    sample_ranges: list[SampleRange]
    is_short: bool

    @property
    def queue(self) -> str:
        is_clip = len(self.sample_ranges) == 1 and self.is_short
        return queue.CLIPS if is_clip else queue.SEGMENTS


def plan(info: WavInfo, options: Options, settings: Settings) -> Plan:
    """Decide the target and the segments. Raises BadOptions, TooLong, Mp3TooLarge."""
    target = mp3_options.choose_target(info, options)
    sample_ranges = segmentation.plan_segments(info, target, settings.segment_s)
    clip_samples = CLIP_SEGMENTS * settings.segment_s * info.fmt.sample_rate_hz
    columns = PlanColumns(
        duration_s=info.duration_s,
        target=target,
        reserved_bytes=_reserved_bytes(info, target, settings),
        warnings=[*info.warnings, *mp3_options.target_warnings(info, target)],
    )
    return Plan(columns, sample_ranges, sample_ranges[0].samples <= clip_samples)


def _reserved_bytes(info: WavInfo, target: Target, settings: Settings) -> int:
    """Return the bytes that the conversion may need beside the source."""
    duration_s = segmentation.estimate_duration_s(info)
    if duration_s > settings.max_duration_s:
        raise TooLong(duration_s, settings.max_duration_s)
    mp3_bytes = mp3_options.max_mp3_bytes(target, duration_s)
    if mp3_bytes > settings.max_mp3_bytes:
        raise Mp3TooLarge(settings.max_mp3_bytes)
    return 2 * (mp3_bytes + mp3_options.PADDING_BYTES)  # the parts and the MP3 made of them


def create_jobs(
    session: Session, record_id: UUID, user_id: UUID, planned: Plan, settings: Settings
) -> list[int]:
    """Create the jobs of a record that was queued in this transaction. Return the ids to publish.

    Raises NoSpace, StorageUnavailable.
    """
    with translate_errors():
        free_bytes = media.free_bytes(settings.media_dir)
    if free_bytes - db.records.reserved_bytes(session) < settings.min_free_bytes:
        raise NoSpace
    return db.jobs.create(
        session,
        record_id,
        user_id,
        planned.sample_ranges,
        queue=planned.queue,
        assemble_queue=queue.RETRY_QUEUE[queue.CLIPS],
        in_flight=settings.segments_in_flight,
        is_long=not planned.is_short,
    )


def publish(job_ids: Iterable[int], planned: Plan) -> None:
    """Publish jobs after the commit. The sweeper publishes the others if Redis is unavailable."""
    for job_id in job_ids:
        if not queue.publish(job_id, planned.queue):
            break
