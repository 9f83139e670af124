"""Byte ranges of a Range header (RFC 9110, 14.1.2 and 14.2)."""

import re

# More digits than any size has are still syntax; the limit is that of Python's `int`.
_SPEC = re.compile(r"([0-9]{0,4000})-([0-9]{0,4000})")


def satisfiable(header: str, size_bytes: int) -> list[range] | None:
    """What can be sent, in the client's order; [] means 416. None: the header means nothing and is to be ignored."""
    unit, _, specs = header.partition("=")
    listed = [spec for spec in map(str.strip, specs.split(",")) if spec]
    spans = [_span(spec, size_bytes) for spec in listed]
    if unit.strip().lower() != "bytes" or not listed or None in spans:
        return None
    return [span for span in spans if span]


def _span(spec: str, size_bytes: int) -> range | None:
    """Empty when none of it is there, None when it is no range."""
    match = _SPEC.fullmatch(spec)
    if match is None or spec == "-":
        return None
    first, last = match.groups()
    if not first:
        return range(max(0, size_bytes - int(last)), size_bytes)
    if last and int(last) < int(first):
        return None
    return range(int(first), min(int(last) + 1, size_bytes) if last else size_bytes)
