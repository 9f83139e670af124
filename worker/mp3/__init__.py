"""MP3 files: the frames that ffmpeg writes, the bit reservoir, the Xing/LAME header, the finished file.

Other packages import only this door.
"""

from worker.mp3.assemble import write_mp3
from worker.mp3.frames import cut, frames, frames_needed
from worker.mp3.reservoir import pack

__all__ = ["cut", "frames", "frames_needed", "pack", "write_mp3"]
