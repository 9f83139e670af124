import struct
from contextlib import AbstractContextManager
from uuid import uuid4

import httpx
import numpy as np

from local.stack import Stack
from tests.api.test_records import undecodable_wav
from tests.api.wire import SHORT_WAV, refused
from tests.conftest import User
from tests.wavs import build

RATE_HZ = 8000
SECONDS = 200
"""More than one segment."""


def convert(user: User, wav: bytes) -> str:
    record_id = str(user.upload(wav, f"{uuid4()}.wav").json()["id"])
    user.wait(record_id)
    return record_id


def waveform(user: User, record_id: str, query: str = "", accept: str = "*/*") -> httpx.Response:
    return user.client.get(f"/records/{record_id}/waveform{query}", headers={"Accept": accept})


def test_a_waveform_has_the_peaks_of_the_source(user: User) -> None:
    samples = np.random.default_rng(3).integers(-20_000, 20_000, (SECONDS * RATE_HZ, 2), np.int16)
    answer = waveform(user, convert(user, build(samples, sample_rate_hz=RATE_HZ)))
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"] == "application/json"
    assert "max-age" in answer.headers["Cache-Control"]
    sent = answer.json()
    step = sent["samples_per_pixel"]
    starts = np.arange(0, len(samples), step)
    lowest = np.minimum.reduceat(samples.min(axis=1), starts) >> 8
    highest = np.maximum.reduceat(samples.max(axis=1), starts) >> 8
    assert sent == {
        "version": 2,
        "channels": 1,
        "sample_rate": RATE_HZ,
        "samples_per_pixel": step,
        "bits": 8,
        "length": len(starts),
        "data": np.stack((lowest, highest), axis=1).ravel().tolist(),
    }
    assert 1024 < len(starts) <= 2048


def test_the_binary_format_holds_the_same(user: User) -> None:
    record_id = convert(user, SHORT_WAV)
    sent = waveform(user, record_id).json()
    for answer in (
        waveform(user, record_id, "?format=dat"),
        waveform(user, record_id, accept="application/octet-stream"),
    ):
        assert answer.headers["Content-Type"] == "application/octet-stream"
        assert answer.headers["Vary"] == "Accept, Authorization"
        header, data = answer.content[:24], answer.content[24:]
        scale, length = sent["samples_per_pixel"], sent["length"]
        assert struct.unpack("<iIiiIi", header) == (2, 1, 44100, scale, length, 1)
        assert np.frombuffer(data, np.int8).tolist() == sent["data"]


def test_the_query_wins_over_accept(user: User) -> None:
    record_id = convert(user, SHORT_WAV)
    answer = waveform(user, record_id, "?format=json", accept="application/octet-stream")
    assert answer.json()["version"] == 2
    refused(waveform(user, record_id, "?format=png"), 422, "bad_request")


def test_only_done_records_have_a_waveform(
    user: User, frozen_workers: AbstractContextManager[None]
) -> None:
    refused(waveform(user, convert(user, undecodable_wav())), 404, "no_waveform")
    refused(waveform(user, str(uuid4())), 404, "record_not_found")
    with frozen_workers:
        queued = user.upload(SHORT_WAV, "queued.wav").json()["id"]
        refused(waveform(user, queued), 404, "no_waveform")


def test_a_waveform_is_deleted_with_its_record(user: User, stack: Stack) -> None:
    record_id = convert(user, SHORT_WAV)
    user.client.delete(f"/records/{record_id}", params=user.credentials)
    refused(waveform(user, record_id), 410, "record_gone")
    assert list((stack.data_dir / "media" / user.id).iterdir()) == []
