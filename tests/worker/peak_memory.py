"""`python -m tests.worker.peak_memory in.wav out.mp3 [bitrate_kbps]` converts as a worker does.

It prints the peak memory, in KiB, of itself and of its ffmpeg.
"""

import sys
from pathlib import Path

from shared.mp3_options import Options, choose_target
from shared.segmentation import SampleRange
from shared.wav import read_wav
from tests.worker.processes import children, peak_kib
from worker.audio import Limits, Peaks, Segment, write_part
from worker.mp3.assemble import write_mp3


def convert(wav: Path, mp3: Path, options: Options, limits: Limits) -> None:
    """Convert as one segment of any length."""
    part = mp3.with_suffix(".part")
    with wav.open("rb") as source, mp3.open("wb") as out:
        info = read_wav(source, wav.stat().st_size)
        target = choose_target(info, options)
        segment = Segment(info, target, SampleRange(0, info.samples or 0))
        with part.open("wb") as file:
            encoded = write_part(source, segment, file, limits, lambda _: None, Peaks(info))
        write_mp3(
            *(source, info, target, encoded.samples, [part], Options(), {}, "LAME4.1a", out),
            limits.check,
        )


if __name__ == "__main__":
    peaks = [0]
    wav, mp3, *bitrates = sys.argv[1:]
    options = Options(bitrate_kbps=int(bitrates[0]) if bitrates else None)
    limits = Limits(2 << 30, timeout_s=300, check=lambda: peaks.extend(map(peak_kib, children())))
    convert(Path(wav), Path(mp3), options, limits)
    sys.stdout.write(f"{peak_kib('self')} {max(peaks)}\n")
