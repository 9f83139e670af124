"""Chromium decodes our MP3s to exactly the samples of the source."""

import base64
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, Page

from tests.conftest import User
from tests.wavs import build
from tests.worker.conversion import Voices, snr_db, sweep

pytestmark = pytest.mark.exhaustive

# Samples come back with 16 bits: enough to compare, and quick to transfer.
DECODE_VOICES = """async ([mp3, rate]) => {
  const bytes = Uint8Array.from(atob(mp3), (character) => character.charCodeAt(0));
  const context = new OfflineAudioContext(2, 1, rate);
  const audio = await context.decodeAudioData(bytes.buffer);
  return Array.from({length: audio.numberOfChannels}, (_, channel) => {
    const voice = Int16Array.from(audio.getChannelData(channel), (sample) => Math.round(16384 * sample));
    return Array.from(new Uint8Array(voice.buffer), (byte) => String.fromCharCode(byte)).join("");
  }).map(btoa);
}"""


@pytest.fixture(scope="module")
def blank(browser: Browser) -> Iterator[Page]:
    """An empty page: decoding needs nothing of ours."""
    with browser.new_context() as context:
        yield context.new_page()


@pytest.mark.parametrize("rate_hz", [44100, 48000, 22050, 8000])
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("options", [{"quality": 0}, {"bitrate_kbps": 64}], ids=["vbr", "cbr"])
def test_chromium_decodes_the_exact_samples(
    blank: Page, user: User, rate_hz: int, channels: int, options: dict[str, Any]
) -> None:
    source = sweep(2 * rate_hz + 123, channels, rate_hz)
    mp3 = user.convert(build(source, sample_rate_hz=rate_hz), **options)
    voices = chromium_decodes(blank, mp3, rate_hz)
    assert snr_db(source, voices) > 25
    assert snr_db(source[1:], voices[:-1]) < 25, "a shift by one sample must show"


def chromium_decodes(page: Page, mp3: bytes, rate_hz: int) -> Voices:
    encoded = page.evaluate(DECODE_VOICES, [base64.b64encode(mp3).decode(), rate_hz])
    voices = [np.frombuffer(base64.b64decode(voice), "<i2") / 16384 for voice in encoded]
    return np.stack(voices, axis=1)
