"""The fields of a record that users see, in answers of the API and in webhooks."""

from collections.abc import Mapping
from typing import Any

from shared.links import LinksToRecords
from shared.mp3_options import Target, from_stored

SAME = ("id", "status", "filename", "duration_s", "source_bytes", "mp3_bytes", "warnings")
TIMES = ("created_at", "finished_at", "expires_at")
DONE = "done"


def describe(
    record: Mapping[str, Any], encoded_fraction: float | None, links: LinksToRecords
) -> dict[str, Any]:
    """Return the fields that answers and webhooks have in common. An older release may have written the row."""
    is_done = record["status"] == DONE
    record_id, user_id = record["id"], record["user_id"]
    return {
        **{name: record[name] for name in (*SAME, *TIMES)},
        "progress": 1.0 if is_done else round(min(encoded_fraction or 0.0, 1.0), 4),
        "target": _target(record["target"]),
        "status_link": links.status(record_id),
        "events_link": links.events(record_id),
        "waveform_link": links.waveform(record_id) if is_done else None,
        "download_link": links.download(record_id, user_id) if is_done else None,
    }


def _target(stored: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if stored is None:
        return None
    target = from_stored(Target, stored)
    return {
        "mode": "vbr" if target.bitrate_kbps is None else "cbr",
        "quality": target.quality,
        "bitrate_kbps": target.bitrate_kbps,
        "sample_rate_hz": target.sample_rate_hz,
        "channels": target.channels,
        "gain_db": target.gain_db,
    }
