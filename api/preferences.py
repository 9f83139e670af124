"""The preference `wait` of a request: for how long its answer may be held (RFC 7240, 4.3)."""

import re
from collections.abc import Sequence
from typing import Annotated

from fastapi import Header
from pydantic import WithJsonSchema

from api.changes import MAX_WAIT_S

WAIT = re.compile(r'(?:^|[,;])\s*wait\s*=\s*"?([0-9]{1,99})"?\s*(?:$|[,;])', re.IGNORECASE)

Prefer = Annotated[
    # A request may have several Prefer headers. They mean the same as one header with all preferences.
    list[str] | None,
    WithJsonSchema({"type": "string", "examples": ["wait=10"]}),
    Header(
        description=f"`wait=N` holds the answer until the record is finished, for at most N seconds (up to "
        f"{MAX_WAIT_S}).",
    ),
]


def parse_wait_s(prefer: Sequence[str] | None, default_s: int) -> int:
    """Return the seconds of `wait`. Malformed preferences are ignored (section 2)."""
    wait = WAIT.search(",".join(prefer or ()))
    return min(int(wait[1]), MAX_WAIT_S) if wait else default_s


def applied(prefer: Sequence[str] | None) -> dict[str, str]:
    """Return the header Preference-Applied with the seconds of `wait`, or nothing without a `wait`."""
    wait_s = parse_wait_s(prefer, 0)
    return {"Preference-Applied": f"wait={wait_s}"} if wait_s else {}
