"""Byte ranges of a Range header (RFC 9110, 14.1.2 and 14.2)."""

import re

# The syntax allows any number of digits. No file size has 4,000 digits, and Python's `int` refuses 4,301.
_SPEC = re.compile(r"([0-9]{0,4000})-([0-9]{0,4000})")


def parse_ranges(header: str, size_bytes: int) -> list[range] | None:
    """Return the satisfiable ranges in the client's order. [] means 416, None an invalid header to ignore."""
    unit, _, specs = header.partition("=")
    listed = [spec for spec in map(str.strip, specs.split(",")) if spec]
    ranges = [_parse_spec(spec, size_bytes) for spec in listed]
    if unit.strip().lower() != "bytes" or not listed or None in ranges:
        return None
    return [each for each in ranges if each]


def _parse_spec(spec: str, size_bytes: int) -> range | None:
    """Return an empty range if the file ends before it, or None if the syntax is wrong."""
    match = _SPEC.fullmatch(spec)
    if match is None or spec == "-":
        return None
    first, last = match.groups()
    if not first:
        return range(max(0, size_bytes - int(last)), size_bytes)
    if last and int(last) < int(first):
        return None
    return range(int(first), min(int(last) + 1, size_bytes) if last else size_bytes)
