"""MP3 files: splits ffmpeg's output into frames, packs the bit reservoir, writes the header and the finished file.

Other packages import only what this file exports.
"""

from worker.mp3.assemble import write_mp3
from worker.mp3.frames import drop_run_in, frames_needed, lead_in, split_frames
from worker.mp3.reservoir import pack

__all__ = ["drop_run_in", "frames_needed", "lead_in", "pack", "split_frames", "write_mp3"]
