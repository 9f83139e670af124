"""MP3 files: the frames that ffmpeg writes, the bit reservoir, the Xing/LAME header, the finished file.

Other packages import only this door.
"""

from worker.mp3.assemble import write_mp3
from worker.mp3.frames import drop_run_in, frames_needed, split_frames
from worker.mp3.reservoir import pack

__all__ = ["drop_run_in", "frames_needed", "pack", "split_frames", "write_mp3"]
