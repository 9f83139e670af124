from worker.audio.ffmpeg import EXECUTABLE


def encoder_fingerprint() -> str:
    return EXECUTABLE
