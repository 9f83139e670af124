"""Prints results to stdout, and everything else to stderr."""

import json
import sys
import unicodedata

ESCAPED = ("Cc", "Zl", "Zp")
"""The Unicode categories of control characters and of line breaks. A terminal obeys some of them."""


def say(text: str) -> None:
    """Print one line of the result."""
    print(printable(text), flush=True)


def say_json(result: dict[str, object]) -> None:
    print(json.dumps(result), flush=True)


def complain(text: str) -> None:
    """Print one line that is not part of the result."""
    print(printable(text), file=sys.stderr, flush=True)


def printable(text: str) -> str:
    return "".join(
        ascii(char)[1:-1] if unicodedata.category(char) in ESCAPED else char for char in text
    )


def length(duration_s: float | None) -> str:
    if duration_s is None:
        return ""
    if duration_s < 1:
        return f"{duration_s:.1f} s" if duration_s >= 0.05 else "< 0.1 s"
    minutes, seconds = divmod(round(duration_s), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def size(size_bytes: int | None) -> str:
    if size_bytes is None:
        return ""
    return f"{size_bytes / 1e6:.1f} MB" if size_bytes >= 1e6 else f"{size_bytes / 1e3:.1f} kB"
