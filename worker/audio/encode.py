"""Encodes one segment: reads its samples from the source and writes the MP3 frames of its part.

VBR segments are encoded with the bit reservoir off. ffmpeg also gets RUN_IN_FRAMES before the segment and
LOOKAHEAD_FRAMES after it, so that LAME is in the same state as in one pass over the whole source. The extra frames are
dropped, and the rest are packed into the bit reservoir. The parts of a record, joined, are therefore the output of one
pass. CBR and compressed sources are always one segment.
"""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import BinaryIO

from shared.errors import BadWav, EncodeFailed
from shared.mp3_options import Target
from shared.segmentation import Grid, SampleRange, grid, resampled_length
from shared.wav import WavInfo
from worker import mp3
from worker.audio import ffmpeg, pcm
from worker.audio.filters import PeakMeter, choose_filters
from worker.audio.flaws import Flaws
from worker.audio.peaks import Peaks

RUN_IN_FRAMES = 100
"""After this run-in, LAME's adaptation to loudness is the same as in one pass. Ordinary audio needs a third of it."""
LOOKAHEAD_FRAMES = 4


@dataclass(frozen=True, slots=True)
class Segment:
    """A range of a source's samples, and the MP3 to make of them."""

    info: WavInfo
    target: Target
    sample_range: SampleRange

    @property
    def grid(self) -> Grid:
        return grid(self.info.fmt.sample_rate_hz, self.target)

    def samples_in(self, frames: int) -> int:
        """Return the number of source samples in `frames`: exact on the grid, otherwise rounded up."""
        return -(-frames * self.grid.samples // self.grid.frames)

    def frames_in(self, samples: int) -> int:
        """Return the number of frames in `samples` source samples, a multiple of the grid."""
        return samples // self.grid.samples * self.grid.frames

    def frames_of_source(self, samples: int) -> int:
        """Return the number of frames in the MP3 of a whole source of `samples` samples."""
        length = resampled_length(samples, self.info.fmt.sample_rate_hz, self.target)
        return mp3.frames_needed(length, self.target.samples_per_frame)

    def lead_in(self, samples: int) -> int:
        """Return the number of MP3 samples of silence before a whole source of `samples` samples."""
        length = resampled_length(samples, self.info.fmt.sample_rate_hz, self.target)
        return mp3.lead_in(length, self.target.samples_per_frame)


@dataclass(frozen=True, slots=True)
class Encoded:
    """The result of one segment."""

    samples: int
    """Samples of the source in the part, of each channel."""
    peak_db: float | None
    """The peak of the samples that LAME got, in dBFS. None if none of them can be above full scale."""
    flaws: dict[str, int]
    """The counts of `Flaws` that are not 0."""


@dataclass(frozen=True, slots=True)
class _Output:
    """Writes a segment's frames to its part and reports the number of source samples written so far."""

    segment: Segment
    part: BinaryIO
    report: Callable[[int], None]
    peaks: Peaks
    meter: PeakMeter
    flaws: Flaws

    def write(self, frames: Iterator[bytes]) -> None:
        packed = frames if self.segment.target.quality is None else mp3.pack(frames)
        frame_samples = self.segment.grid.samples / self.segment.grid.frames
        for count, frame in enumerate(packed, start=1):
            self.part.write(frame)
            self.report(min(round(count * frame_samples), self.segment.sample_range.samples))


def write_part(
    source: BinaryIO,
    segment: Segment,
    part: BinaryIO,
    limits: ffmpeg.Limits,
    report: Callable[[int], None],
    peaks: Peaks,
) -> Encoded:
    """Encode the segment into `part`.

    Measures `peaks`. Calls `report` with the number of samples encoded so far. Raises EncodeFailed, BadWav and any
    error of `limits.check`.
    """
    output = _Output(segment, part, report, peaks, PeakMeter(), Flaws())
    if segment.info.samples is None:
        samples = _write_compressed(source, segment, output, limits)
    else:
        samples = segment.sample_range.samples
        _write_raw(source, segment, segment.info.samples, output, limits)
    return Encoded(samples, output.meter.peak_db, output.flaws.counts())


def _write_raw(
    source: BinaryIO, segment: Segment, source_samples: int, output: _Output, limits: ffmpeg.Limits
) -> None:
    info, step, start = segment.info, segment.grid, segment.sample_range.start_sample
    end = start + segment.sample_range.samples
    run_in = min(start, -(-RUN_IN_FRAMES // step.frames) * step.samples)
    lookahead_end = end + segment.samples_in(LOOKAHEAD_FRAMES)
    read_end = min(lookahead_end, source_samples)
    pcm_format = pcm.raw_format(info)

    def read(first: int, last: int, flaws: Flaws) -> Generator[bytes]:
        return pcm.read_samples(source, info, SampleRange(first, last - first), flaws)

    elsewhere = Flaws()  # flaws outside this segment, which other segments count
    samples = _join(
        read(start - run_in, start, elsewhere),
        read(start, end, output.flaws),
        read(end, read_end, elsewhere),
    )
    samples = output.peaks.measure(samples, pcm_format, start - run_in)
    padded = _join(samples, [pcm_format.silence(lookahead_end - read_end)])
    is_last = end >= source_samples
    end_frame = segment.frames_of_source(source_samples) if is_last else segment.frames_in(end)
    lead_in = segment.lead_in(source_samples)
    with _mp3_frames(padded, pcm_format, output, limits, lead_in) as frames:
        kept = end_frame - segment.frames_in(start)
        output.write(mp3.drop_run_in(frames, segment.frames_in(run_in), kept))


def _write_compressed(
    source: BinaryIO, segment: Segment, output: _Output, limits: ffmpeg.Limits
) -> int:
    decoder = _Decoder(source, segment.info, limits, output.flaws)
    pcm_format = pcm.decoded_format(segment.info)
    chunks = output.peaks.measure(decoder.chunks(), pcm_format, start_sample=0)
    start: list[bytes] = []
    lead_in = 0
    for chunk in chunks:  # a clip that needs a lead-in is so short that it is read to its end
        start.append(chunk)
        lead_in = segment.lead_in(decoder.samples)
        if not lead_in:
            break
    silence = pcm_format.silence(segment.samples_in(LOOKAHEAD_FRAMES))
    padded = _join(start, chunks, [silence])
    with _mp3_frames(padded, pcm_format, output, limits, lead_in) as frames:
        output.write(_take_first(frames, lambda: segment.frames_of_source(decoder.samples)))
    output.flaws.compare_length(segment.info, decoder.samples)
    return decoder.samples


def _join(*chunks: Iterable[bytes]) -> Generator[bytes]:
    """Chain the chunks. Closing the result closes the generator that it reads."""
    for each in chunks:
        yield from each


def _take_first(frames: Iterable[bytes], count: Callable[[], int]) -> Iterator[bytes]:
    """Yield the first `count()` frames. The count is known only at the end, so the last frames are held until then."""
    held: deque[bytes] = deque()
    given = 0
    for frame in frames:
        held.append(frame)
        if len(held) > 2 * LOOKAHEAD_FRAMES:
            yield held.popleft()
            given += 1
    rest = count() - given
    if not 0 <= rest <= len(held):
        raise EncodeFailed
    yield from islice(held, rest)


@contextmanager
def _mp3_frames(
    samples: Generator[bytes],
    pcm_format: pcm.PcmFormat,
    output: _Output,
    limits: ffmpeg.Limits,
    lead_in: int,
) -> Iterator[Iterator[bytes]]:
    target, fmt = output.segment.target, output.segment.info.fmt
    filters = choose_filters(pcm_format, fmt, target, lead_in)
    arguments = ["-xerror", *pcm_format.input_arguments, *filters.arguments, *_codec(target)]
    read_messages = output.meter.read if filters.measures_peak else None
    with closing(ffmpeg.run(arguments, samples, limits, read_messages)) as stream:
        yield mp3.split_frames(stream)


def _codec(target: Target) -> list[str]:
    if target.bitrate_kbps is None:
        mode = ["-q:a", str(target.quality), "-reservoir", "0"]
    else:
        # LAME degrades CBR below 4 (LAME bug 516). This build has 4 by default, but other builds may have less.
        mode = ["-b:a", f"{target.bitrate_kbps}k", "-compression_level", "4"]
    no_tags = ["-write_xing", "0", "-id3v2_version", "0"]
    return ["-c:a", "libmp3lame", *mode, *no_tags, "-f", "mp3", "-flush_packets", "0"]


class _Decoder:
    """Decodes a compressed source and counts its samples."""

    def __init__(
        self, source: BinaryIO, info: WavInfo, limits: ffmpeg.Limits, flaws: Flaws
    ) -> None:
        self._flaws = flaws
        self._source = source
        self._info = info
        self._limits = limits
        self._decoded_bytes = 0

    @property
    def samples(self) -> int:
        return self._decoded_bytes // pcm.decoded_format(self._info).block_align

    def chunks(self) -> Generator[bytes]:
        flaws = self._flaws
        compressed = pcm.compressed_file(self._source, self._info, flaws)
        arguments = pcm.decoding_arguments(self._info)
        with closing(
            ffmpeg.run(arguments, compressed, self._limits, flaws.read_messages)
        ) as stream:
            for chunk in pcm.without_padding(stream, self._info, flaws):
                self._decoded_bytes += len(chunk)
                yield chunk
        if self._decoded_bytes == 0:
            raise BadWav("The WAV's audio cannot be decoded. Export it again, as PCM if you can.")
