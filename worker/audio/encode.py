"""One segment: from a stretch of the source to the MP3 frames of its part.

VBR segments are encoded with the bit reservoir off, after a run-in that makes the encoder forget that it did
not see what was before, and with a look at what comes after; the frames of both are thrown away, and what is
left is packed into the reservoir. So the parts of a record, joined, are what one pass over the whole source
would have made. CBR, and sources that are compressed themselves, are one segment.
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
from worker.audio.mixing import pan_filter

RUN_IN_FRAMES = 100
"""LAME's adaptation to loudness fades over so many frames; ordinary material needs a third of them."""
LOOKAHEAD_FRAMES = 4


@dataclass(frozen=True, slots=True)
class Job:
    """A stretch of a source, and the MP3 that it is for."""

    info: WavInfo
    target: Target
    stretch: SampleRange

    @property
    def grid(self) -> Grid:
        return grid(self.info.fmt.sample_rate_hz, self.target)

    def samples_in(self, frames: int) -> int:
        """How many source samples so many frames last; exact on the grid, else rounded up."""
        return -(-frames * self.grid.samples // self.grid.frames)

    def frames_in(self, samples: int) -> int:
        """How many frames so many source samples make, on the grid."""
        return samples // self.grid.samples * self.grid.frames

    def frames_of_all(self, samples: int) -> int:
        """How many frames the MP3 of a source of so many samples has."""
        length = resampled_length(samples, self.info.fmt.sample_rate_hz, self.target)
        return mp3.frames_needed(length, self.target.samples_per_frame)


@dataclass(frozen=True, slots=True)
class _Output:
    """Where the frames of a job go, and who is told how many source samples they are."""

    job: Job
    part: BinaryIO
    report: Callable[[int], None]

    def write(self, frames: Iterator[bytes]) -> None:
        packed = frames if self.job.target.quality is None else mp3.pack(frames)
        frame_samples = self.job.grid.samples / self.job.grid.frames
        for count, frame in enumerate(packed, start=1):
            self.part.write(frame)
            self.report(min(round(count * frame_samples), self.job.stretch.samples))


def write_part(
    source: BinaryIO, job: Job, part: BinaryIO, limits: ffmpeg.Limits, report: Callable[[int], None]
) -> int:
    """Encode the stretch into `part`; how many source samples of each channel it holds.

    `report` is told how many are encoded so far. Raises EncodeFailed, BadWav, and what `limits.check` raises.
    """
    output = _Output(job, part, report)
    if job.info.samples is None:
        return _write_compressed(source, job, output, limits)
    _write_raw(source, job, job.info.samples, output, limits)
    return job.stretch.samples


def _write_raw(
    source: BinaryIO, job: Job, source_samples: int, output: _Output, limits: ffmpeg.Limits
) -> None:
    start, end = job.stretch.start_sample, job.stretch.start_sample + job.stretch.samples
    run_in = min(start, -(-RUN_IN_FRAMES // job.grid.frames) * job.grid.samples)
    seen = end + job.samples_in(LOOKAHEAD_FRAMES)
    there = min(seen, source_samples)
    form = pcm.raw_format(job.info)
    samples = pcm.read_samples(
        source, job.info, SampleRange(start - run_in, there - start + run_in)
    )
    end_frame = job.frames_in(end) if end < source_samples else job.frames_of_all(source_samples)
    with _encoding(_then(samples, form.silence(seen - there)), form, job, limits) as frames:
        output.write(
            mp3.drop_run_in(frames, job.frames_in(run_in), end_frame - job.frames_in(start))
        )


def _write_compressed(source: BinaryIO, job: Job, output: _Output, limits: ffmpeg.Limits) -> int:
    decoder = _Decoder(source, job.info, limits)
    form = pcm.decoded_format(job.info)
    after = form.silence(job.samples_in(LOOKAHEAD_FRAMES))
    with _encoding(_then(decoder.chunks(), after), form, job, limits) as frames:
        output.write(_first(frames, lambda: job.frames_of_all(decoder.samples)))
    return decoder.samples


def _then(samples: Iterator[bytes], more: bytes) -> Generator[bytes]:
    yield from samples
    yield more


def _first(frames: Iterable[bytes], count: Callable[[], int]) -> Iterator[bytes]:
    """The first `count()` frames, asked for once they are all there; it may leave out a few of them."""
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
def _encoding(
    samples: Generator[bytes], form: pcm.PcmFormat, job: Job, limits: ffmpeg.Limits
) -> Iterator[Iterator[bytes]]:
    arguments = ["-xerror", *form.input_arguments, *_filters(form, job), *_codec(job.target)]
    with closing(ffmpeg.run(arguments, samples, limits)) as stream:
        yield mp3.split_frames(stream)


def _filters(form: pcm.PcmFormat, job: Job) -> list[str]:
    target, info = job.target, job.info
    same_channels = info.fmt.channels == target.channels
    if form.is_integer and same_channels and info.fmt.sample_rate_hz == target.sample_rate_hz:
        return []
    mix = pan_filter(
        form.channels, info.fmt.channel_mask, target.channels, ambisonic=info.fmt.ambisonic
    )
    layout = "mono" if target.channels == 1 else "stereo"
    chain = [
        "aformat=sample_fmts=fltp",  # mixed or resampled as integers, 16 bits would become noisier
        *([f"volume={1 / info.fmt.full_scale}"] if info.fmt.full_scale > 1 else []),
        *([mix] if mix else []),
        "asoftclip=type=hard",  # LAME aborts far beyond full scale, and as integers 1e10 would be -1
        f"aresample={target.sample_rate_hz}",
        f"aformat=sample_fmts=s32p:channel_layouts={layout}",
    ]
    return ["-af", ",".join(chain)]


def _codec(target: Target) -> list[str]:
    if target.bitrate_kbps is None:
        mode = ["-q:a", str(target.quality), "-reservoir", "0"]
    else:
        # Below effort 4 some builds of LAME degrade CBR (its bug 516). It is the default of this build.
        mode = ["-b:a", f"{target.bitrate_kbps}k", "-compression_level", "4"]
    no_tags = ["-write_xing", "0", "-id3v2_version", "0"]
    return ["-c:a", "libmp3lame", *mode, *no_tags, "-f", "mp3", "-flush_packets", "0"]


class _Decoder:
    """Decodes a compressed source and counts its samples."""

    def __init__(self, source: BinaryIO, info: WavInfo, limits: ffmpeg.Limits) -> None:
        self._source = source
        self._info = info
        self._limits = limits
        self._decoded_bytes = 0

    @property
    def samples(self) -> int:
        return self._decoded_bytes // pcm.decoded_format(self._info).block_align

    def chunks(self) -> Generator[bytes]:
        compressed = pcm.compressed_file(self._source, self._info)
        arguments = pcm.decoding_arguments(self._info)
        with closing(ffmpeg.run(arguments, compressed, self._limits)) as stream:
            for chunk in pcm.without_padding(stream, self._info):
                self._decoded_bytes += len(chunk)
                yield chunk
        if self._decoded_bytes == 0:
            raise BadWav("The WAV's audio cannot be decoded. Export it again, as PCM if you can.")
