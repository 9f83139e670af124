"""Conditional requests for a file that never changes (RFC 9110, 13)."""

from datetime import datetime
from email.utils import parsedate_to_datetime

from starlette.datastructures import Headers


def is_known(request: Headers, answer: Headers) -> bool:
    """Return whether the client already has the answer's file.

    If-None-Match decides or, if it is missing, If-Modified-Since.
    """
    etags = request.get("if-none-match")
    if etags is not None:
        return etags.strip() == "*" or answer["etag"] in etags
    since = _date(request.get("if-modified-since", ""))
    modified = _date(answer["last-modified"])
    return since is not None and modified is not None and modified <= since


def allows_range(request: Headers, answer: Headers) -> bool:
    """Return whether If-Range, if the request has it, names this answer's file."""
    return request.get("if-range", answer["etag"]) in (answer["etag"], answer["last-modified"])


def _date(text: str) -> datetime | None:
    """Return the date of a header, or None if it is not valid. Then the header is ignored."""
    try:
        found = parsedate_to_datetime(text)
    except (ValueError, OverflowError):  # OverflowError: a number has too many digits
        return None
    return found if found.tzinfo else None
