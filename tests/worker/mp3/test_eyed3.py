"""eyeD3 reads more of an MP3's header than players do. It must not warn about anything."""

import logging
from pathlib import Path

import eyed3  # type: ignore[import-untyped]
import pytest

from shared.mp3_options import Options
from tests import wavs
from tests.worker.conversion import convert
from tests.worker.mp3.mp3_material import music

pytestmark = pytest.mark.exhaustive

SECONDS = 3.3
TAGS = [(b"LIST", b"INFOINAM\x06\0\0\0Title\0IART\x07\0\0\0Artist\0\0")]
VBR = [Options(quality=quality) for quality in (0, 2, 9)]

CASES = [
    *[(44100, channels, options) for channels in (1, 2) for options in VBR],
    *[(rate_hz, 2, VBR[1]) for rate_hz in (48000, 32000, 24000, 22050, 16000, 12000, 11025, 8000)],
    *[(44100, 2, Options(bitrate_kbps=kbps)) for kbps in (32, 64, 128, 192, 320)],
    *[(44100, 1, Options(bitrate_kbps=kbps)) for kbps in (32, 48, 64, 160)],
    *[(22050, 2, Options(bitrate_kbps=kbps)) for kbps in (24, 64)],
    *[(8000, 1, Options(bitrate_kbps=kbps)) for kbps in (8, 16, 64)],
]


@pytest.mark.slow
@pytest.mark.parametrize("segment_s", [60, 1])
@pytest.mark.parametrize(
    ("rate_hz", "channels", "options"),
    CASES,
    ids=lambda value: (
        f"V{value.quality} CBR {value.bitrate_kbps}" if isinstance(value, Options) else None
    ),
)
def test_eyed3_accepts_the_mp3(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    rate_hz: int,
    channels: int,
    options: Options,
    segment_s: float,
) -> None:
    sound = music(SECONDS, rate_hz, channels)
    wav = wavs.build(sound.samples, sample_rate_hz=rate_hz, after=TAGS)
    mp3 = convert(tmp_path, wav, options, segment_s=segment_s).mp3
    with caplog.at_level(logging.DEBUG):
        audio = eyed3.load(mp3)
    assert any(record.name.startswith("eyed3") for record in caplog.records), "it says what it does"
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []
    assert (audio.tag.title, audio.tag.artist) == ("Title", "Artist")
    assert (audio.info.sample_freq, audio.info.mode == "Mono") == (rate_hz, channels == 1)
    assert audio.info.bit_rate[0] is (options.quality is not None)
    # eyeD3 counts whole frames, with the encoder's delay and padding: four frames at most.
    frames_s = 4 * (1152 if rate_hz >= 32000 else 576) / rate_hz
    assert audio.info.time_secs == pytest.approx(SECONDS + frames_s / 2, abs=max(0.1, frames_s / 2))
