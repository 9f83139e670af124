import io
import struct
import subprocess
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import soundfile

from shared.errors import BadWav, LeaseLost
from shared.mp3_options import Options
from shared.mpeg import SAMPLE_RATES_HZ
from tests import wavs
from tests.worker.conversion import LIMITS, Voices, convert, level_db, snr_db, sweep, sweep_for
from tests.worker.mp3 import mp3_material
from tests.worker.mp3.mp3_material import FFMPEG, Sound, attacks, extremes, music, sound, speech

EVERY_FORMAT = [
    *[("pcm", bits) for bits in wavs.PCM_BITS],
    *[("float", bits) for bits in wavs.FLOAT_BITS],
    *[("alaw", 8), ("mulaw", 8)],
]


@pytest.mark.slow
@pytest.mark.parametrize("container", wavs.CONTAINERS)
@pytest.mark.parametrize(("codec", "bits"), EVERY_FORMAT)
def test_every_format_and_container_is_converted(
    tmp_path: Path, codec: str, bits: int, container: str
) -> None:
    samples = sweep(20_001, 2, 44100)
    wav = wavs.build(samples, container=container, codec=codec, bits=bits)
    voices = convert(tmp_path, wav).decoded()
    assert snr_db(samples, voices) > 30
    assert level_db(voices) == pytest.approx(level_db(samples), abs=0.05)


@pytest.mark.parametrize(
    ("valid_bits", "bits"),
    [(12, 16), (20, 24), (18, 32), (24, 32), (6, 8), (36, 40), (48, 48), (52, 56)],
)
@pytest.mark.parametrize("container", ["RIFF", "RIFX"])
def test_odd_widths_keep_their_level(
    tmp_path: Path, valid_bits: int, bits: int, container: str
) -> None:
    samples = sweep(20_001, 1, 48000)
    wav = wavs.build(samples, container=container, bits=bits, valid_bits=valid_bits)
    voices = convert(tmp_path, wav).decoded()
    assert snr_db(samples, voices) > 25
    assert level_db(voices) == pytest.approx(level_db(samples), abs=0.05)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("channels", "rate_hz"), [(1, 44100), (2, 48000), (6, 44100), (2, 96000), (3, 11000)]
)
def test_equal_samples_give_equal_mp3s(tmp_path: Path, channels: int, rate_hz: int) -> None:
    """No format may lose anything before LAME, neither in mixing nor in resampling."""
    samples = np.rint(127 * sweep(rate_hz // 2, channels, rate_hz)) / 128
    mp3s = {
        convert(
            tmp_path, wavs.build(samples, sample_rate_hz=rate_hz, codec=codec, bits=bits)
        ).mp3.read_bytes()
        for codec, bits in EVERY_FORMAT
        if not codec.endswith("law")
    }
    assert len(mp3s) == 1


def test_wide_samples_keep_more_than_16_bits(tmp_path: Path) -> None:
    samples = np.rint(sweep(44100, 2, 44100) * 300) / 2**23
    wide = [("pcm", 24), ("pcm", 32), ("pcm", 64), ("float", 32), ("float", 64)]
    converted = [
        convert(tmp_path, wavs.build(samples, codec=codec, bits=bits), Options(quality=0))
        for codec, bits in wide
    ]
    assert len({conversion.mp3.read_bytes() for conversion in converted}) == 1
    assert snr_db(samples, converted[0].decoded()) > 20


@pytest.mark.parametrize("bits", [32, 64])
@pytest.mark.parametrize("rate_hz", [44100, 96000])
def test_floats_far_above_full_scale_are_clipped(tmp_path: Path, bits: int, rate_hz: int) -> None:
    samples = sweep(30_000, 2, rate_hz)
    wild = [8.5, -8.5, 1e10, -1e10, 1e30, -1e30, np.inf, -np.inf, np.nan]
    if bits == 64:
        wild += [1e300, -1e300]
    noise = np.random.default_rng(1)
    places = noise.choice(samples.size, 2000, replace=False)
    samples.ravel()[places] = noise.choice(wild, 2000)
    tame = np.clip(np.nan_to_num(samples, nan=0, posinf=8, neginf=-8), -8, 8)
    mp3s = [
        convert(
            tmp_path, wavs.build(values, sample_rate_hz=rate_hz, codec="float", bits=bits)
        ).mp3.read_bytes()
        for values in (samples, tame)
    ]
    assert mp3s[0] == mp3s[1]


@pytest.mark.parametrize(("codec", "bits"), [("float", 32), ("float", 64)])
@pytest.mark.parametrize("level", [2, 8])
def test_overs_are_neither_clipped_nor_distorted(
    tmp_path: Path, codec: str, bits: int, level: float
) -> None:
    samples = level * wavs.sine(44_100, 2) / 0.5
    converted = convert(tmp_path, wavs.build(samples, codec=codec, bits=bits))
    voices = converted.by_ffmpeg()
    assert np.abs(voices[5000:-5000]).max() == pytest.approx(level, rel=0.01)
    assert snr_db(samples[5000:-5000], voices[5000:-5000]) > 60
    assert converted.peaks_db == [pytest.approx(20 * np.log10(level), abs=0.01)]


def test_the_peak_of_every_segment_is_measured(tmp_path: Path) -> None:
    samples = wavs.sine(12 * 44_100)
    samples[30 * 4410] = -4
    peaks_db = convert(tmp_path, wavs.build(samples, codec="float", bits=32), segment_s=3).peaks_db
    assert len(peaks_db) == 4
    assert max(peak for peak in peaks_db if peak is not None) == pytest.approx(12.04, abs=0.01)


def test_overs_of_resampling_are_kept_and_measured(tmp_path: Path) -> None:
    samples = np.sign(wavs.sine(96_000, 1, sample_rate_hz=96_000))
    converted = convert(tmp_path, wavs.build(samples, sample_rate_hz=96_000))
    (peak_db,) = converted.peaks_db
    assert peak_db is not None
    assert 0.5 < peak_db < 3
    assert np.abs(converted.by_ffmpeg()).max() > 1.1


@pytest.mark.parametrize(("codec", "bits"), [("pcm", 16), ("float", 32), ("alaw", 8)])
@pytest.mark.parametrize("gain_db", [-12.5, 3.0, 24.0])
def test_the_requested_gain_is_applied(
    tmp_path: Path, codec: str, bits: int, gain_db: float
) -> None:
    samples = 0.5 * sweep(30_000, 2, 44100)
    wav = wavs.build(samples, codec=codec, bits=bits)
    voices = convert(tmp_path, wav, Options(gain_db=gain_db)).by_ffmpeg()
    assert snr_db(samples * 10 ** (gain_db / 20), voices) > 25


def test_gain_rescues_floats_at_integer_scale(tmp_path: Path) -> None:
    samples = sweep(30_000, 2, 44100)
    wav = wavs.build(samples * 2**31, codec="float", bits=32)
    gain_db = float(-20 * np.log10(2**31))
    assert snr_db(samples, convert(tmp_path, wav, Options(gain_db=gain_db)).decoded()) > 30


def test_integers_at_the_mp3s_rate_are_not_measured(tmp_path: Path) -> None:
    wav = wavs.build(sweep(20_000, 6, 44100))
    assert convert(tmp_path, wav).peaks_db == [None]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e30])
def test_only_wild_floats_make_an_mp3(tmp_path: Path, value: float) -> None:
    wav = wavs.build(np.full((5000, 2), value), codec="float", bits=32)
    assert convert(tmp_path, wav).decoded().shape == (5000, 2)


@pytest.mark.parametrize("rate_hz", [*SAMPLE_RATES_HZ, 1000, 6000, 11000, 37800, 44056, 47951])
def test_rates_up_to_48_khz_keep_alignment(tmp_path: Path, rate_hz: int) -> None:
    assert_length_level_and_alignment(tmp_path, rate_hz)


@pytest.mark.parametrize("rate_hz", [64000, 88200, 96000, 176400, 192000, 384000, 767999, 768000])
def test_rates_above_48_khz_keep_alignment(tmp_path: Path, rate_hz: int) -> None:
    assert_length_level_and_alignment(tmp_path, rate_hz)


def assert_length_level_and_alignment(
    folder: Path, rate_hz: int, options: Options | None = None
) -> None:
    samples = int(0.7 * rate_hz) + 1
    tone = sweep_for(samples, 2, rate_hz)
    wav = wavs.build(tone.at(rate_hz, samples), sample_rate_hz=rate_hz)
    converted = convert(folder, wav, options)
    voices, mp3_hz = converted.decoded(), converted.target.sample_rate_hz
    assert len(voices) == -(-samples * mp3_hz // rate_hz)
    expected = tone.at(mp3_hz, len(voices))
    assert snr_db(expected, voices) > 30
    assert level_db(voices) == pytest.approx(level_db(expected), abs=0.05)


@pytest.mark.parametrize(("rate_hz", "mp3_hz"), [(44100, 48000), (48000, 44100), (8000, 48000)])
def test_the_requested_rate_is_used(tmp_path: Path, rate_hz: int, mp3_hz: int) -> None:
    assert_length_level_and_alignment(tmp_path, rate_hz, Options(sample_rate_hz=mp3_hz))


@pytest.mark.parametrize("quality", range(10))
def test_every_quality_keeps_the_sound(tmp_path: Path, quality: int) -> None:
    samples = sweep(30_000, 2, 44100)
    voices = convert(tmp_path, wavs.build(samples), Options(quality=quality)).decoded()
    assert snr_db(samples, voices) > 15


SHORT = [1, 2, 3, 19, 20, 21, 45, 46, 47, 48, 576, 1105, 1152, 1153, 2000]


@pytest.mark.exhaustive
@pytest.mark.slow
@pytest.mark.parametrize("rate_hz", [1000, 8000, 11000, 22050, 44100, 96000, 768000])
def test_the_shortest_clips_keep_their_length(tmp_path: Path, rate_hz: int) -> None:
    for samples in SHORT:
        wav = wavs.build(wavs.sine(samples, 1, sample_rate_hz=rate_hz), sample_rate_hz=rate_hz)
        converted = convert(tmp_path, wav)
        mp3_hz = converted.target.sample_rate_hz
        assert converted.decoded().shape == (-(-samples * mp3_hz // rate_hz), 1)


@pytest.mark.parametrize(("codec", "bits"), [("pcm", 8), ("pcm", 16), ("float", 32), ("alaw", 8)])
@pytest.mark.parametrize("samples", [1, 20, 46, 47])
def test_short_clips_at_low_rates_stay_aligned(
    tmp_path: Path, codec: str, bits: int, samples: int
) -> None:
    """MP3 can only hold the lower half of such a clip's spectrum, so it is a constant."""
    wav = wavs.build(np.full((samples, 1), 0.5), codec=codec, bits=bits, sample_rate_hz=8000)
    voices = convert(tmp_path, wav, Options(quality=0)).decoded()
    assert voices.shape == (samples, 1)
    assert np.mean(voices) == pytest.approx(0.5, abs=0.15)


@pytest.mark.parametrize("channels", [1, 2])
def test_the_requested_channels_are_used(tmp_path: Path, channels: int) -> None:
    left, right = 0.5 * sweep(20_000, 2, 44100).T
    wav = wavs.build(np.stack([left, right], axis=1))
    voices = convert(tmp_path, wav, Options(channels=channels)).decoded()
    expected = np.stack([left, right] if channels == 2 else [(left + right) / 2], axis=1)
    assert snr_db(expected, voices) > 30


@pytest.mark.parametrize("mask", [None, 0x1, 0x4, 0x8, 0x20])
def test_mono_ignores_its_mask(tmp_path: Path, mask: int | None) -> None:
    samples = sweep(20_000, 1, 44100)
    voices = convert(tmp_path, wavs.build(samples, channel_mask=mask)).decoded()
    assert snr_db(samples, voices) > 30
    twice = convert(tmp_path, wavs.build(samples, channel_mask=mask), Options(channels=2)).decoded()
    assert snr_db(samples.repeat(2, axis=1), twice) > 30


@pytest.mark.parametrize(("codec", "bits"), [("pcm", 16), ("float", 32)])
def test_surround_is_mixed_without_clipping(tmp_path: Path, codec: str, bits: int) -> None:
    samples = 1.9 * sweep(20_000, 6, 44100)
    wav = wavs.build(samples, codec=codec, bits=bits, channel_mask=0x3F)
    left, right, centre, _, back_left, back_right = samples.T
    mixed = np.stack(
        [left + (centre + back_left) * 0.5**0.5, right + (centre + back_right) * 0.5**0.5], axis=1
    )
    voices = convert(tmp_path, wav).decoded()
    assert snr_db(mixed / (1 + 2 * 0.5**0.5), voices) > 30


@pytest.mark.parametrize(("channels", "mask"), [(2, 0x6), (3, 0x8230), (20, 0), (64, 0)])
def test_channels_that_ffmpeg_rejects_are_mixed(tmp_path: Path, channels: int, mask: int) -> None:
    samples = np.tile(sweep(20_000, 1, 44100), channels)
    voices = convert(tmp_path, wavs.build(samples, channel_mask=mask)).decoded()
    assert voices.shape == (20_000, 2)
    assert max(level_db(voices[:, :1]), level_db(voices[:, 1:])) == pytest.approx(
        level_db(samples), abs=0.1
    )


@pytest.mark.parametrize("mask", [None, 0])
@pytest.mark.parametrize("channels", [6, 7, 8])
def test_every_track_without_a_mask_is_heard(
    tmp_path: Path, channels: int, mask: int | None
) -> None:
    samples = 0.2 * wavs.sine(44_100, channels)
    voices = convert(tmp_path, wavs.build(samples, channel_mask=mask)).decoded()
    for track in range(channels):
        hz = 220 * (1 + track)  # whole periods, so that the tones do not leak into each other
        tone = np.exp(-2j * np.pi * hz * np.arange(44_100) / 44_100)
        assert np.abs(tone @ voices) * 2 / 44_100 == pytest.approx(0.1 / channels, rel=0.2)


def test_b_format_is_not_mixed_as_speakers(tmp_path: Path) -> None:
    samples = sweep(20_000, 4, 44100) * [1, 0, 1, 0]
    wav = wavs.build(samples, channel_mask=0)
    b_format = wav.replace(
        bytes.fromhex("00001000800000aa00389b71"), bytes.fromhex("2107d3118644c8c1ca000000")
    )
    omni, side = samples[:, 0], samples[:, 2]
    voices = convert(tmp_path, b_format).decoded()
    assert snr_db(np.stack([omni + side, omni - side], axis=1) / 2, voices) > 30


@pytest.mark.parametrize(
    ("bits", "extension", "full_scale"),
    [(24, b"", 1), (24, b"", 2**23), (32, b"\x02\x00\x01\x00", 2**15)],
)
def test_cool_edit_floats_keep_their_level(
    tmp_path: Path, bits: int, extension: bytes, full_scale: int
) -> None:
    samples = sweep(20_000, 2, 44100)
    fmt = wavs.fmt_payload(channels=2, bits=bits, block_align=8) + extension
    raw = wavs.encode(full_scale * samples, codec="float", bits=32)
    voices = convert(
        tmp_path, wavs.wrap([wavs.chunk(b"fmt ", fmt), wavs.chunk(b"data", raw)])
    ).decoded()
    plain = convert(tmp_path, wavs.build(samples, codec="float", bits=32)).decoded()
    assert np.array_equal(voices, plain)


def noise(seconds: float, rate_hz: int, channels: int) -> Sound:
    length = int(seconds * rate_hz)
    return sound(np.random.default_rng(3).uniform(-1, 1, (length, channels)), rate_hz)


def silence(seconds: float, rate_hz: int, channels: int) -> Sound:
    return sound(np.zeros((int(seconds * rate_hz), channels)), rate_hz)


@pytest.mark.exhaustive
@pytest.mark.slow
@pytest.mark.parametrize(
    ("material", "quality"),
    [
        (partial(music, 16, 44100, 2), 0),
        (partial(music, 16, 48000, 1), 9),
        (partial(music, 16, 22050, 2), 4),
        (partial(speech, 16, 8000), 2),
        (partial(extremes, 16, 44100, 2), 2),
        (partial(attacks, 16, 44100, 2, every=3 * 1152, offset=-3), 2),
        (partial(noise, 16, 48000, 2), 4),
        (partial(silence, 16, 44100, 2), 2),
        (partial(music, 16, 96000, 2), 2),
        (partial(attacks, 16, 88200, 1, every=5 * 2304, offset=5), 0),
        (partial(extremes, 16, 37800, 2), 4),
        (partial(music, 16, 192000, 1), 9),
        (partial(speech, 16, 11000), 2),
    ],
    ids=lambda value: f"{value.args[1]} Hz" if isinstance(value, partial) else f"V{value}",
)
def test_joined_segments_decode_like_one_pass(
    tmp_path: Path, material: Callable[[], Sound], quality: int
) -> None:
    source = material()
    wav = wavs.build(source.samples, sample_rate_hz=source.rate_hz)
    split = convert(tmp_path, wav, Options(quality=quality), segment_s=4)
    whole = convert(tmp_path, wav, Options(quality=quality))
    assert (len(split.parts), len(whole.parts)) == (4, 1)
    assert np.array_equal(split.by_ffmpeg(), whole.by_ffmpeg())


def test_the_mp3_decodes_like_plain_lame(tmp_path: Path) -> None:
    source = music(10, 44100, 2)
    lame = mp3_material.decode(source.encode_vbr(2, reservoir=False), 2)[1105:]
    ours = convert(tmp_path, wavs.build(source.samples), segment_s=3).by_ffmpeg()
    assert np.array_equal(ours, lame[: len(ours)])


def test_converting_twice_gives_equal_bytes(tmp_path: Path) -> None:
    wav = wavs.build(music(12, 44100, 2).samples)
    assert len({convert(tmp_path, wav, segment_s=4).mp3.read_bytes() for _ in range(2)}) == 1


def through_ffmpeg(path: Path, samples: Voices, rate_hz: int, *codec: str) -> bytes:
    raw = ["-f", "f32le", "-ar", str(rate_hz), "-ac", str(samples.shape[1]), "-i", "pipe:0"]
    command = [*FFMPEG, *raw, "-c:a", *codec, str(path)]
    subprocess.run(command, input=samples.astype("<f4").tobytes(), check=True)
    return path.read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("codec", "rate_hz", "channels"),
    [
        *[(["adpcm_ima_wav"], 44100, 2), (["adpcm_ms"], 22050, 1), (["adpcm_yamaha"], 44100, 2)],
        *[(["g722"], 16000, 1), (["g726", "-b:a", "24k"], 8000, 1)],
        *[(["g726", "-b:a", "40k"], 8000, 1), (["mp2"], 48000, 2), (["ac3"], 48000, 2)],
        *[(["libmp3lame", "-q:a", "2"], 44100, 2), (["libmp3lame", "-b:a", "64k"], 22050, 1)],
    ],
    ids=lambda value: value[0] if isinstance(value, list) else None,
)
def test_compressed_sources_keep_their_length(
    tmp_path: Path, codec: list[str], rate_hz: int, channels: int
) -> None:
    path = tmp_path / "compressed.wav"
    wav = through_ffmpeg(path, sweep(rate_hz, channels, rate_hz), rate_hz, *codec)
    decoding = [*FFMPEG, "-i", str(path), "-f", "f32le", "-"]
    decoded = subprocess.run(decoding, capture_output=True, check=True).stdout
    expected = np.frombuffer(decoded, "<f4").reshape(-1, channels)
    voices = convert(tmp_path, wav).decoded()
    # `fact` ends the padding of ADPCM and MP3, and LAME's delay is removed.
    has_fact = codec[0] in ("adpcm_ima_wav", "adpcm_ms", "libmp3lame")
    assert len(voices) == (rate_hz if has_fact else len(expected))
    delay = 1105 if codec[0] == "libmp3lame" else 0
    assert snr_db(expected[delay : delay + len(voices)], voices) > 20


def test_gsm_sounds_as_libsndfile_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "gsm.wav"
    soundfile.write(path, sweep(8000, 1, 8000), 8000, subtype="GSM610")
    voices = convert(tmp_path, path.read_bytes()).decoded()
    assert len(voices) == 25 * 320
    assert snr_db(soundfile.read(path, always_2d=True)[0][: len(voices)], voices) > 20


@pytest.mark.parametrize("rate_hz", [8000, 44100])
def test_the_shortest_compressed_source_plays(tmp_path: Path, rate_hz: int) -> None:
    fmt = wavs.fmt_payload(tag=0x0011, bits=4, block_align=8, sample_rate_hz=rate_hz)
    fmt += struct.pack("<HH", 2, 9)
    wav = wavs.wrap([wavs.chunk(b"fmt ", fmt), wavs.chunk(b"data", bytes(8))])
    assert convert(tmp_path, wav).decoded().shape == (9, 1)


@pytest.mark.parametrize(
    "claims", [{"channels": 2}, {"rate_hz": 32000}, {"channels": 2, "rate_hz": 8000}]
)
@pytest.mark.parametrize("codec", ["libmp3lame", "mp2"])
def test_mpeg_frames_override_a_wrong_header(
    tmp_path: Path, codec: str, claims: dict[str, int]
) -> None:
    wav = through_ffmpeg(tmp_path / "a.wav", sweep(44100, 1, 44100), 44100, codec)
    head = wav.index(b"fmt ") + 8
    channels, rate_hz = claims.get("channels", 1), claims.get("rate_hz", 44100)
    lying = wav[: head + 2] + struct.pack("<HI", channels, rate_hz) + wav[head + 8 :]
    assert convert(tmp_path, lying).mp3.read_bytes() == convert(tmp_path, wav).mp3.read_bytes()


@pytest.mark.parametrize(
    ("rate_hz", "channels", "options"),
    [
        *[(44100, 2, ["-q:a", "2"]), (48000, 1, ["-b:a", "128k"]), (22050, 1, ["-q:a", "4"])],
        *[(24000, 2, ["-b:a", "64k"]), (8000, 1, ["-b:a", "32k"])],
    ],
)
def test_encoder_padding_of_an_mp3_is_removed(
    tmp_path: Path, rate_hz: int, channels: int, options: list[str]
) -> None:
    samples = sweep(rate_hz, channels, rate_hz)
    codec = ["libmp3lame", *options, "-id3v2_version", "0"]
    mp3 = through_ffmpeg(tmp_path / "a.mp3", samples, rate_hz, *codec)
    fmt = wavs.fmt_payload(
        tag=0x55, channels=channels, sample_rate_hz=rate_hz, bits=0, block_align=1
    )
    fmt += bytes.fromhex("0c00 0100 02000000 0004 0100 7105")
    wav = wavs.wrap([wavs.chunk(b"fmt ", fmt), wavs.chunk(b"data", mp3)])
    voices = convert(tmp_path, wav).decoded()
    assert snr_db(samples, voices) > 15
    theirs, _ = soundfile.read(io.BytesIO(wav), always_2d=True)
    assert snr_db(theirs, voices) > 20


@pytest.mark.parametrize("tag", [0x0002, 0x0011, 0x0055, 0x0050, 0x2000])
def test_compressed_noise_fails_or_converts(tmp_path: Path, tag: int) -> None:
    fmt = wavs.fmt_payload(tag=tag, bits=4, block_align=256) + bytes(2)
    noise = np.random.default_rng(tag).bytes(50_000)
    wav = wavs.wrap([wavs.chunk(b"fmt ", fmt), wavs.chunk(b"data", noise)])
    with suppress(BadWav):
        assert len(convert(tmp_path, wav).decoded()) > 0


@pytest.mark.parametrize("codec", [["adpcm_ms"], ["libmp3lame", "-b:a", "128k"], ["mp2"]])
def test_damage_costs_only_the_damaged_blocks(tmp_path: Path, codec: list[str]) -> None:
    wav = bytearray(through_ffmpeg(tmp_path / "a.wav", sweep(44100, 2, 44100), 44100, *codec))
    whole = convert(tmp_path, bytes(wav)).decoded()
    damaged = slice(len(wav) // 2, len(wav) // 2 + 3000)
    wav[damaged] = np.random.default_rng(1).bytes(3000)
    voices = convert(tmp_path, bytes(wav)).decoded()
    assert 0.7 * len(whole) < len(voices) <= len(whole)
    assert snr_db(whole[:15_000], voices[:15_000]) > 20


def test_cancelling_stops_and_raises_the_reason(tmp_path: Path) -> None:
    def cancel() -> None:
        raise LeaseLost

    limits = replace(LIMITS, check=cancel)
    with pytest.raises(LeaseLost):
        convert(tmp_path, wavs.build(music(10, 44100, 2).samples), limits=limits)


def test_overs_in_an_mp3_inside_a_wav_are_kept(tmp_path: Path) -> None:
    loud = 2 * wavs.sine(44_100, 2) / 0.5
    wav = through_ffmpeg(tmp_path / "a.wav", loud, 44100, "libmp3lame", "-q:a", "0")
    converted = convert(tmp_path, wav)
    (peak_db,) = converted.peaks_db
    assert peak_db == pytest.approx(6.02, abs=0.2)
    assert np.abs(converted.by_ffmpeg()).max() > 1.9
