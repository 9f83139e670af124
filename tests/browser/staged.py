"""Answers of the service that a test makes up: many records, in every state, with waveforms."""

import json
import math
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any
from urllib.parse import parse_qs, urlparse
from uuid import UUID

from playwright.sync_api import Page, Route

from tests.wavs import build, sine

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
NOT_A_WAV = "This is FLAC, not WAV. Convert it to WAV and upload that."
MIXED = "The 6 channels were mixed to stereo and scaled so that nothing clips."
AUDIO_S = 242
# The smallest `every_state` that has every state, warning and kind of MP3.
ROWS = 16
NAMES = (
    "Interview – Studio A",
    "Take 01 – rough mix",
    "Take 02 – rough mix",
    "Привет из студии",
    "Field recorder T007",
    "Atmo – forest at 5 am",
    "Jingle v3",
)

Record = dict[str, Any]


def record(number: int, status: str = "done", **values: Any) -> Record:
    """Return a record like the service's. Higher numbers are older."""
    is_done = status == "done"
    name = f"{NAMES[number % len(NAMES)]}{f' {number}' if number >= len(NAMES) else ''}.wav"
    duration_s = 40.0 + (number * 97) % 2500
    identity = str(UUID(int=number + 1))
    target = {
        "mode": "vbr",
        "quality": 2,
        "bitrate_kbps": None,
        "sample_rate_hz": 44100,
        "channels": 2,
    }
    return {
        "id": identity,
        "status": status,
        "progress": 1.0 if is_done else 0.0,
        "queue_position": None,
        "filename": name,
        "duration_s": duration_s,
        "source_bytes": int(duration_s * 176_400),
        "mp3_bytes": int(duration_s * 23_500) if is_done else None,
        "options": {},
        "target": target,
        "waiting_for": None,
        "warnings": [],
        "error": None,
        "created_at": (NOW - timedelta(minutes=number)).isoformat(),
        "finished_at": NOW.isoformat() if is_done else None,
        "expires_at": None,
        "download_link": f"http://service/record?id={identity}&user_id={UUID(int=0)}"
        if is_done
        else None,
        "webhook": None,
        **values,
    }


def failed(number: int, detail: str = NOT_A_WAV, **values: Any) -> Record:
    error = {
        "type": "about:blank",
        "title": "",
        "status": 415,
        "code": "not_a_wav",
        "detail": detail,
    }
    return record(number, "failed", error=error, **values)


def every_state(count: int = 60) -> list[Record]:
    """Return records in all states, most of them done."""
    begun = [
        record(0, "converting", progress=0.71, filename="Episode 118 (final mix).wav"),
        record(1, "queued", queue_position=2, filename="Room tone.wav"),
        failed(2, filename="drum loop.flac.wav"),
    ]
    done = [record(number) for number in range(7, count)]
    done[0]["duration_s"] = AUDIO_S
    done[3]["target"] |= {"mode": "cbr", "quality": None, "bitrate_kbps": 320, "channels": 1}
    done[4]["warnings"] = [MIXED]
    return begun + done


def waveform(seed: str, length: int = 1200) -> dict[str, Any]:
    """Return peaks in the form of BBC audiowaveform, version 2."""
    chance = random.Random(seed)
    slow, fast, phase = chance.uniform(20, 150), chance.uniform(3, 40), chance.uniform(0, 7)
    data: list[int] = []
    for index in range(length):
        waves = math.sin(phase + index / slow), math.sin(phase * 3 + index / fast)
        envelope = (0.5 + 0.3 * waves[0] + 0.2 * waves[1]) * chance.choice((0.7, 1))
        peak = int(max(2, min(127, 120 * envelope * chance.uniform(0.35, 1))))
        data += [-peak, peak]
    return {
        "version": 2,
        "channels": 1,
        "sample_rate": 44100,
        "samples_per_pixel": 512,
        "bits": 8,
        "length": length,
        "data": data,
    }


def stage(page: Page, load: Callable[[], list[Record]], max_limit: int = 100) -> None:
    """Answer the page's calls about records with these records. They need a stored user: `become`."""
    page.route(
        "**/users/me", lambda route: route.fulfill(json={"max_upload_bytes": 64_000_000_000})
    )
    page.route("**/records?*", lambda route: _fulfill_list(route, load(), max_limit))
    page.route("**/records/*/waveform", _fulfill_waveform)
    page.route("**/record?id=*", _fulfill_audio)


def _fulfill_list(route: Route, records: list[Record], max_limit: int) -> None:
    query = parse_qs(urlparse(route.request.url).query)
    limit = min(max_limit, int(query["limit"][0]))
    ids = [each["id"] for each in records]
    start = ids.index(query["before"][0]) + 1 if "before" in query else 0
    page = records[start : start + limit]
    more = f"/records?before={page[-1]['id']}" if start + limit < len(records) else None
    route.fulfill(json={"records": page, "next": more})


def _fulfill_waveform(route: Route) -> None:
    route.fulfill(body=json.dumps(waveform(route.request.url)), content_type="application/json")


@cache
def _audio() -> bytes:
    return build(sine(AUDIO_S * 8000), sample_rate_hz=8000, bits=8)


def _fulfill_audio(route: Route) -> None:
    """Answer with sound of AUDIO_S. A browser seeks only if it gets ranges."""
    audio = _audio()
    start = int(route.request.headers.get("range", "bytes=0-")[6:].split("-")[0])
    end = len(audio) - 1
    headers = {"Accept-Ranges": "bytes", "Content-Range": f"bytes {start}-{end}/{len(audio)}"}
    route.fulfill(status=206, headers=headers, body=audio[start:], content_type="audio/wav")
