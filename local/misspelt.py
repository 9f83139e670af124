"""Finds misspelt settings in `.env`. Other names are allowed, because the file may be for other programs too."""

import re
from collections.abc import Iterable, Iterator
from difflib import get_close_matches

from local.environment import ROOT

LEAST_SIMILARITY = 0.82
"""A name that is at least this similar to a setting, from 0 to 1, is probably meant to be the setting."""


def describe_misspelt(names: Iterable[str]) -> Iterator[str]:
    """Yield a sentence about each name that is not a setting and similar to one."""
    known = known_names()
    for name in names:
        closest = get_close_matches(name.upper(), known, n=1, cutoff=LEAST_SIMILARITY)
        if name not in known and closest:
            yield f".env: {name} is not a setting. Did you mean {closest[0]}?"


def known_names() -> set[str]:
    """Return the names that the services, docker-compose.yml or the Makefile read."""
    compose = (ROOT / "docker-compose.yml").read_text()
    settings = re.findall(r"^  ([A-Z0-9_]+):", compose, flags=re.MULTILINE)
    of_compose = re.findall(r"\$\{([A-Z0-9_]+)", compose)
    of_make = re.findall(r"value_of,([A-Z0-9_]+)", (ROOT / "Makefile").read_text())
    return {*settings, *of_compose, *of_make}
