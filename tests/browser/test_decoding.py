"""Chromium plays our MP3s without a gap: it decodes exactly the samples of the source."""

import base64
from typing import Any

import pytest
from playwright.sync_api import Page

from tests.conftest import User
from tests.wavs import build, sine

DECODE = """async ([mp3, rate]) => {
  const bytes = Uint8Array.from(atob(mp3), (character) => character.charCodeAt(0));
  const context = new OfflineAudioContext(2, 1, rate);
  return (await context.decodeAudioData(bytes.buffer)).length;
}"""


@pytest.mark.parametrize("rate_hz", [44100, 48000, 22050, 8000])
@pytest.mark.parametrize("option", [{"quality": 2}, {"bitrate_kbps": 64}], ids=["vbr", "cbr"])
def test_chromium_decodes_exactly_the_samples_of_the_source(
    page: Page, user: User, rate_hz: int, option: dict[str, Any]
) -> None:
    samples = 3 * rate_hz + 123
    mp3 = user.convert(
        build(sine(samples, 2, sample_rate_hz=rate_hz), sample_rate_hz=rate_hz), **option
    )
    assert page.evaluate(DECODE, [base64.b64encode(mp3).decode(), rate_hz]) == samples
