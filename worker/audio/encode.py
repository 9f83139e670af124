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
from worker.audio.mixing import pan_filter
from worker.audio.peaks import Peaks

RUN_IN_FRAMES = 100
"""After these LAME's adaptation to loudness is the same as in one pass. Ordinary material needs a third of them."""
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


@dataclass(frozen=True, slots=True)
class _Output:
    """Writes a segment's frames to its part and reports the number of source samples written so far."""

    segment: Segment
    part: BinaryIO
    report: Callable[[int], None]
    peaks: Peaks

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
) -> int:
    """Encode the segment into `part`. Return the number of source samples of each channel in it.

    Measures `peaks`. Calls `report` with the number encoded so far. Raises EncodeFailed, BadWav and any error of
    `limits.check`.
    """
    output = _Output(segment, part, report, peaks)
    if segment.info.samples is None:
        return _write_compressed(source, segment, output, limits)
    _write_raw(source, segment, segment.info.samples, output, limits)
    return segment.sample_range.samples


def _write_raw(
    source: BinaryIO, segment: Segment, source_samples: int, output: _Output, limits: ffmpeg.Limits
) -> None:
    info, step, start = segment.info, segment.grid, segment.sample_range.start_sample
    end = start + segment.sample_range.samples
    run_in = min(start, -(-RUN_IN_FRAMES // step.frames) * step.samples)
    lookahead_end = end + segment.samples_in(LOOKAHEAD_FRAMES)
    read_end = min(lookahead_end, source_samples)
    pcm_format = pcm.raw_format(info)
    samples = pcm.read_samples(source, info, SampleRange(start - run_in, read_end - start + run_in))
    samples = output.peaks.measure(samples, pcm_format, start - run_in)
    padded = _append(samples, pcm_format.silence(lookahead_end - read_end))
    is_last = end >= source_samples
    end_frame = segment.frames_of_source(source_samples) if is_last else segment.frames_in(end)
    with _mp3_frames(padded, pcm_format, segment, limits) as frames:
        kept = end_frame - segment.frames_in(start)
        output.write(mp3.drop_run_in(frames, segment.frames_in(run_in), kept))


def _write_compressed(
    source: BinaryIO, segment: Segment, output: _Output, limits: ffmpeg.Limits
) -> int:
    decoder = _Decoder(source, segment.info, limits)
    pcm_format = pcm.decoded_format(segment.info)
    decoded = output.peaks.measure(decoder.chunks(), pcm_format, start_sample=0)
    padded = _append(decoded, pcm_format.silence(segment.samples_in(LOOKAHEAD_FRAMES)))
    with _mp3_frames(padded, pcm_format, segment, limits) as frames:
        output.write(_take_first(frames, lambda: segment.frames_of_source(decoder.samples)))
    return decoder.samples


def _append(samples: Iterator[bytes], more: bytes) -> Generator[bytes]:
    yield from samples
    yield more


def _take_first(frames: Iterable[bytes], count: Callable[[], int]) -> Iterator[bytes]:
    """Yield the first `count()` frames. The count is known only at the end, so the last few are held until then."""
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
    samples: Generator[bytes], pcm_format: pcm.PcmFormat, segment: Segment, limits: ffmpeg.Limits
) -> Iterator[Iterator[bytes]]:
    filters, codec = _filters(pcm_format, segment), _codec(segment.target)
    arguments = ["-xerror", *pcm_format.input_arguments, *filters, *codec]
    with closing(ffmpeg.run(arguments, samples, limits)) as stream:
        yield mp3.split_frames(stream)


def _filters(pcm_format: pcm.PcmFormat, segment: Segment) -> list[str]:
    target, fmt = segment.target, segment.info.fmt
    same_channels = fmt.channels == target.channels
    same_rate = fmt.sample_rate_hz == target.sample_rate_hz
    if pcm_format.is_integer and same_channels and same_rate:
        return []
    mix = pan_filter(fmt.channels, fmt.channel_mask, target.channels, ambisonic=fmt.ambisonic)
    layout = "mono" if target.channels == 1 else "stereo"
    chain = [
        "aformat=sample_fmts=fltp",  # mixing or resampling 16-bit integers would add noise
        *([f"volume={1 / fmt.full_scale}"] if fmt.full_scale > 1 else []),
        *([mix] if mix else []),
        "asoftclip=type=hard",  # LAME aborts far above full scale, and 1e10 would become the integer -1
        f"aresample={target.sample_rate_hz}",
        f"aformat=sample_fmts=s32p:channel_layouts={layout}",
    ]
    return ["-af", ",".join(chain)]


def _codec(target: Target) -> list[str]:
    if target.bitrate_kbps is None:
        mode = ["-q:a", str(target.quality), "-reservoir", "0"]
    else:
        # LAME degrades CBR below 4 (its bug 516). This build's default is 4, but another's may be lower.
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
