import shutil
import subprocess
import sys
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from mutagen.id3 import ID3

from shared.errors import EncodeFailed, LeaseLost
from shared.mp3_options import Options, bitrates_kbps
from shared.mpeg import SAMPLE_RATES_HZ
from tests import wavs
from tests.worker.conversion import Conversion, convert, encoder, level_db, snr_db, sweep
from tests.worker.mp3.mp3_material import FFMPEG, music, speech
from worker.mp3.assemble import write_mp3

ROOT = Path(__file__).resolve().parents[3]


def bitrates_in(mp3: bytes) -> list[int]:
    """Return the bitrate of every frame in kbit/s, as in ISO/IEC 11172-3, 2.4.2.3, and 13818-3."""
    rates_hz = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}
    mpeg1 = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
    mpeg2 = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
    found, at = [], ID3(BytesIO(mp3)).size
    while at < len(mp3):
        bits = int.from_bytes(mp3[at : at + 4])
        assert bits >> 21 == 0x7FF
        version = bits >> 19 & 3
        found.append((mpeg1 if version == 3 else mpeg2)[bits >> 12 & 15])
        slots = (144_000 if version == 3 else 72_000) * found[-1]
        at += slots // rates_hz[version][bits >> 10 & 3] + (bits >> 9 & 1)
    assert at == len(mp3)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("rate_hz", SAMPLE_RATES_HZ)
def test_cbr_has_one_bitrate(tmp_path: Path, rate_hz: int) -> None:
    samples = sweep(int(0.4 * rate_hz) + 1, 2, rate_hz)
    wav = wavs.build(samples, sample_rate_hz=rate_hz)
    for bitrate_kbps in bitrates_kbps(rate_hz):
        converted = convert(tmp_path, wav, Options(bitrate_kbps=bitrate_kbps))
        mp3 = converted.mp3.read_bytes()
        header_kbps, *audio_kbps = bitrates_in(mp3)
        assert set(audio_kbps) == {bitrate_kbps}
        assert header_kbps == bitrate_kbps or bitrate_kbps <= 16
        assert b"Info" in mp3[:200]
        assert len(converted.by_libsndfile()) == len(samples)


@pytest.mark.parametrize(
    ("bitrate_kbps", "quieter_db"), [(320, 0), (256, 0), (192, 0.26), (128, 0.45), (64, 0.45)]
)
def test_cbr_has_the_loudness_of_lames_presets(
    tmp_path: Path, bitrate_kbps: int, quieter_db: float
) -> None:
    """LAME scales its input by 0.95 to 0.98 at up to 224 kbit/s."""
    samples = sweep(44100, 2, 44100)
    voices = convert(tmp_path, wavs.build(samples), Options(bitrate_kbps=bitrate_kbps)).decoded()
    assert level_db(samples) - level_db(voices) == pytest.approx(quieter_db, abs=0.05)


def test_cbr_keeps_sound_and_place(tmp_path: Path) -> None:
    samples = sweep(44101, 2, 44100)
    voices = convert(tmp_path, wavs.build(samples), Options(bitrate_kbps=320)).decoded()
    assert snr_db(samples, voices) > 30


@pytest.mark.filterwarnings("ignore:Couldn't find ffmpeg", "ignore::SyntaxWarning")
def test_pydub_reads_every_sample(tmp_path: Path) -> None:
    pydub = pytest.importorskip("pydub")
    pydub.AudioSegment.converter = FFMPEG[0]
    source = music(6, 44100, 2)
    mp3 = convert(tmp_path, wavs.build(source.samples), segment_s=2).mp3
    played = pydub.AudioSegment.from_file(
        str(mp3), "mp3", codec="mp3"
    )  # without a codec it needs ffprobe
    assert (played.frame_count(), played.channels) == (len(source.samples), 2)
    assert played.dBFS == pytest.approx(level_db(source.samples / 32768), abs=0.2)


TAGS = [(b"LIST", b"INFOINAM\x06\0\0\0Title\0IART\x07\0\0\0Artist\0\0")]


@pytest.fixture(scope="module")
def conversions(tmp_path_factory: pytest.TempPathFactory) -> list[Conversion]:
    """Convert VBR and CBR, with and without tags, in one and in several segments, at several rates."""
    folder = tmp_path_factory.mktemp("conversions")
    stereo, mono = music(6, 44100, 2), speech(6, 22050)
    tagged = wavs.build(stereo.samples, after=TAGS)
    low = wavs.build(mono.samples, sample_rate_hz=22050, before=TAGS)
    return [
        convert(folder, tagged),
        convert(folder, wavs.build(stereo.samples)),
        convert(folder, tagged, segment_s=2),
        convert(folder, tagged, Options(quality=9), segment_s=2),
        convert(folder, tagged, Options(quality=0, channels=1, sample_rate_hz=48000), segment_s=3),
        convert(folder, tagged, Options(bitrate_kbps=128)),
        convert(folder, low, segment_s=2),
        convert(folder, low, Options(bitrate_kbps=8)),
        convert(folder, low, Options(sample_rate_hz=8000), segment_s=2),
    ]


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("mp3val"), reason="mp3val is not installed")
def test_mp3val_has_no_warnings(conversions: list[Conversion]) -> None:
    for converted in conversions:
        command = [shutil.which("mp3val") or "", str(converted.mp3)]
        said = subprocess.run(command, capture_output=True, check=True, text=True).stdout
        assert "WARNING" not in said
        assert "MPEG frames" in said


@pytest.mark.skipif(not shutil.which("mpg123"), reason="mpg123 is not installed")
def test_mpg123_plays_without_warnings(conversions: list[Conversion]) -> None:
    for converted in conversions:
        command = [shutil.which("mpg123") or "", "-s", "-q", str(converted.mp3)]
        played = subprocess.run(command, capture_output=True, check=True)
        assert played.stderr == b""
        voices = np.frombuffer(played.stdout, "<i2").reshape(-1, converted.target.channels)
        assert np.allclose(voices / 32768, converted.by_ffmpeg().clip(-1, 1), atol=2 / 32768)


def test_the_tag_precedes_unchanged_audio(tmp_path: Path) -> None:
    samples = music(3, 44100, 2).samples
    plain = convert(tmp_path, wavs.build(samples)).mp3.read_bytes()
    tagged = convert(tmp_path, wavs.build(samples, after=TAGS)).mp3
    assert tagged.read_bytes().startswith(b"ID3")
    assert tagged.read_bytes().endswith(plain[plain.index(b"\xff\xfb") :])
    tags = ID3(tagged)
    assert [str(tags[frame]) for frame in ("TIT2", "TPE1")] == ["Title", "Artist"]


def test_missing_parts_are_refused(tmp_path: Path) -> None:
    converted = convert(tmp_path, wavs.build(music(8, 44100, 2).samples), segment_s=2)
    info, target = converted.info, converted.target
    for parts in (converted.parts[:-1], [*converted.parts, converted.parts[0]]):
        with (tmp_path / "out.mp3").open("wb") as mp3, pytest.raises(EncodeFailed):
            write_mp3(
                mp3, info, target, 8 * 44100, parts, Options(), {}, encoder(), mp3, lambda: None
            )


def test_a_lost_lease_stops_assembling(tmp_path: Path) -> None:
    converted = convert(tmp_path, wavs.build(music(1, 44100, 2).samples))
    source = converted.mp3.with_name("in.wav")

    def cancel() -> None:
        raise LeaseLost

    with source.open("rb") as file, (tmp_path / "out.mp3").open("wb") as mp3:
        info, target = converted.info, converted.target
        with pytest.raises(LeaseLost):
            write_mp3(
                file, info, target, 44100, converted.parts, Options(), {}, encoder(), mp3, cancel
            )


def peak_kib(folder: Path, seconds: int, *options: str) -> int:
    """Return the peak memory of Python and ffmpeg together for `seconds` of noise."""
    second = np.random.default_rng(2).integers(-20_000, 20_000, (44100, 2), np.int16)
    wav = folder / f"{seconds}.wav"
    wav.write_bytes(wavs.build(np.tile(second, (seconds, 1))))
    command = [sys.executable, "-m", "tests.worker.peak_memory", str(wav), str(folder / "out.mp3")]
    said = subprocess.run([*command, *options], cwd=ROOT, capture_output=True, check=True).stdout
    return sum(map(int, said.split()))


@pytest.mark.exhaustive
@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs Linux's /proc")
@pytest.mark.parametrize("options", [[], ["320"]], ids=["VBR", "CBR"])
def test_memory_does_not_grow_with_length(tmp_path: Path, options: list[str]) -> None:
    long = peak_kib(tmp_path, 60, *options)
    assert long < 250 * 1024
    assert long < peak_kib(tmp_path, 10, *options) + 8 * 1024
