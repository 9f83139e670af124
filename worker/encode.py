"""One segment: from a stretch of the source to the MP3 frames of its part.

VBR segments are encoded with the bit reservoir off, after a run-in that makes the encoder forget that it did
not see what was before, and with a look at what comes after; the frames of both are thrown away, and what is
left is packed into the reservoir. So the parts of a record, joined, are what one pass over the whole source
would have made. CBR, and sources that are compressed themselves, are one segment.
"""

from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import BinaryIO

from shared.encoding import Grid, Stretch, Target, grid, resampled
from shared.errors import BadWav
from shared.wav import WavInfo
from worker import ffmpeg, mpeg, pcm
from worker.mixing import pan_filter

RUN_IN_FRAMES = 64
LOOKAHEAD_FRAMES = 4
_AT_MOST_16_BITS = frozenset({"u8", "s16le", "s16be", "alaw", "mulaw"})


@dataclass(frozen=True, slots=True)
class Job:
    """A stretch of a source, and the MP3 that it is for."""

    info: WavInfo
    target: Target
    stretch: Stretch

    @property
    def grid(self) -> Grid:
        return grid(self.info.sample_rate_hz, self.target)

    def samples_in(self, frames: int) -> int:
        """How many source samples so many frames last; exact on the grid, else rounded up."""
        return -(-frames * self.grid.samples // self.grid.frames)

    def frames_in(self, samples: int) -> int:
        """How many frames so many source samples make, on the grid."""
        return samples // self.grid.samples * self.grid.frames


def write_part(
    source: BinaryIO, job: Job, part: BinaryIO, limits: ffmpeg.Limits, report: Callable[[int], None]
) -> int:
    """Encode the stretch into `part`; how many source samples of each channel it holds.

    `report` is told how many are encoded so far. Raises EncodeFailed, BadWav, and what `limits.check` raises.
    """
    if job.info.raw:
        _write(_raw_frames(source, job, limits), job, part, report)
        return job.stretch.samples
    decoder = _Decoder(source, job.info, limits)
    _write(_encode(decoder.chunks(), pcm.decoded_format(job.info), job, limits), job, part, report)
    return decoder.samples


def _write(
    frames: Iterator[bytes], job: Job, part: BinaryIO, report: Callable[[int], None]
) -> None:
    packed = frames if job.target.quality is None else mpeg.pack(frames)
    for count, frame in enumerate(packed, start=1):
        part.write(frame)
        report(job.samples_in(count))


def _raw_frames(source: BinaryIO, job: Job, limits: ffmpeg.Limits) -> Iterator[bytes]:
    """Exactly the frames of the stretch."""
    info, stretch = job.info, job.stretch
    assert info.samples is not None
    end = stretch.start_sample + stretch.samples
    run_in = min(stretch.start_sample, -(-RUN_IN_FRAMES // job.grid.frames) * job.grid.samples)
    if end < info.samples:
        keep = job.frames_in(stretch.samples)
    else:
        whole = resampled(info.samples, info.sample_rate_hz, job.target)
        needed = mpeg.frames_needed(whole, job.target.samples_per_frame)
        keep = needed - job.frames_in(stretch.start_sample)
    fed = Stretch(
        stretch.start_sample - run_in, run_in + stretch.samples + job.samples_in(LOOKAHEAD_FRAMES)
    )
    frames = _encode(_feed(source, info, fed), pcm.raw_format(info), job, limits)
    return mpeg.cut(frames, job.frames_in(run_in), keep)


def _feed(source: BinaryIO, info: WavInfo, stretch: Stretch) -> Generator[bytes]:
    """The samples of a stretch, with silence where it reaches beyond the source's end."""
    assert info.samples is not None
    there = min(stretch.samples, info.samples - stretch.start_sample)
    yield from pcm.read_samples(source, info, Stretch(stretch.start_sample, there))
    yield pcm.raw_format(info).silence(stretch.samples - there)


def _encode(
    samples: Generator[bytes], form: pcm.PcmFormat, job: Job, limits: ffmpeg.Limits
) -> Iterator[bytes]:
    arguments = [*form.input_arguments, *_filter(form, job), *_codec(job.target)]
    with closing(ffmpeg.run(arguments, samples, limits)) as stream:
        yield from mpeg.frames(stream)


def _filter(form: pcm.PcmFormat, job: Job) -> list[str]:
    pan = pan_filter(form.channels, job.info.channel_mask, job.target.channels)
    # LAME aborts on floats far beyond full scale; integers clip on the way.
    sample_format = "s16p" if form.name in _AT_MOST_16_BITS else "s32p"
    chain = ([pan] if pan else []) + [
        f"aresample={job.target.sample_rate_hz}",
        f"aformat=sample_fmts={sample_format}:channel_layouts={'mono' if job.target.channels == 1 else 'stereo'}",
    ]
    return ["-af", ",".join(chain)]


def _codec(target: Target) -> list[str]:
    how = (
        ["-q:a", str(target.quality), "-reservoir", "0"]
        if target.bitrate_kbps is None
        else ["-b:a", f"{target.bitrate_kbps}k"]
    )
    return ["-c:a", "libmp3lame", *how, "-write_xing", "0", "-id3v2_version", "0", "-f", "mp3"]


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
        form = pcm.decoded_format(self._info)
        arguments = ["-f", "wav", "-codec_whitelist", str(self._info.encoding), "-i", "pipe:0"]
        arguments += ["-map", "0:a:0", "-f", form.name]
        compressed = pcm.compressed_file(self._source, self._info)
        for chunk in ffmpeg.run(arguments, compressed, self._limits):
            self._decoded_bytes += len(chunk)
            yield chunk
        if self._decoded_bytes == 0:
            raise BadWav("The WAV's audio cannot be decoded. Export it again, as PCM if you can.")
