"""WAVs that other programs wrote, if this machine has them: in WAVS_DIR, or in shared/wavs beside the project.

They are not part of the project. `wavs.json` lists the expected result for each.
"""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from shared.errors import BadWav, NotAWav
from tests.worker.conversion import convert

BESIDE = Path(__file__).resolve().parents[3] / "shared" / "wavs"
FOLDER = Path(os.environ.get("WAVS_DIR") or BESIDE)
AUDIBLE = 0.0005  # of full scale, root mean square


def expectations(expected: str) -> list[Any]:
    table = FOLDER / "wavs.json"
    known = json.loads(table.read_text()) if table.exists() else []
    return [
        pytest.param(real, id=real["file"])
        for real in known
        if real["expected"] == expected and (FOLDER / real["file"]).exists()
    ]


@pytest.mark.parametrize("real", expectations("converts"))
def test_the_mp3_keeps_length_and_loudness(tmp_path: Path, real: dict[str, Any]) -> None:
    converted = convert(tmp_path, (FOLDER / real["file"]).read_bytes())
    voices = converted.decoded()
    mp3_s = len(voices) / converted.target.sample_rate_hz
    assert mp3_s == pytest.approx(real["duration_s"], abs=real["tolerance_s"])
    if "source_rms" in real and mp3_s > 0.05:
        rms, expected = float(np.sqrt(np.mean(voices**2))), real["source_rms"]
        # LAME removes the highest treble, of which one file is full. A mix is scaled so that it cannot clip.
        least = 0.75 if real["channels_in"] <= 2 else 0.25
        assert least * expected - AUDIBLE < rms < 1.1 * expected + AUDIBLE


@pytest.mark.parametrize("real", expectations("rejects"))
def test_an_unusable_wav_is_refused_with_a_reason(tmp_path: Path, real: dict[str, Any]) -> None:
    with pytest.raises((NotAWav, BadWav)) as refused:
        convert(tmp_path, (FOLDER / real["file"]).read_bytes())
    assert refused.value.detail.endswith(".")
    assert str(tmp_path) not in refused.value.detail
