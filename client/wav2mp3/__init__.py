"""Convert WAV files to MP3 with a wav2mp3 service, from the command line or from Python.

from wav2mp3 import Client

Client("http://localhost:8000", user_id, token).convert("song.wav", "song.mp3", quality=0)
"""

from wav2mp3.client import Client
from wav2mp3.errors import Wav2mp3Error
from wav2mp3.login import Login
from wav2mp3.record import Options, Record
from wav2mp3.service import Watch

__all__ = ["Client", "Login", "Options", "Record", "Watch", "Wav2mp3Error"]
__version__ = "1.0.0"
