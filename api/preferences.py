"""The preference `wait` of a request: for how long its answer may be held (RFC 7240, 4.3)."""

import re
from typing import Annotated

from fastapi import Header

from api.changes import MAX_WAIT_S

WAIT = re.compile(r'(?:^|[,;])\s*wait\s*=\s*"?([0-9]{1,9})"?\s*(?:$|[,;])', re.IGNORECASE)

Prefer = Annotated[
    str | None,
    Header(
        description=f"`wait=N` holds the answer until the record is finished, for at most N seconds (up to "
        f"{MAX_WAIT_S}).",
        examples=["wait=10"],
    ),
]


def parse_wait_s(prefer: str | None, default_s: int) -> int:
    """Return the seconds of `wait`. Malformed preferences are ignored (section 2)."""
    wait = WAIT.search(prefer or "")
    return min(int(wait[1]), MAX_WAIT_S) if wait else default_s
