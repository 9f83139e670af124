"""The Markdown pages of this repository, for tests that compare them with the service or run their programs."""

import re
from pathlib import Path

from tests.conftest import ROOT

README = (ROOT / "README.md").read_text()


def section(page: str, heading: str) -> str:
    """Return the text from a heading to the next one of its level or above."""
    found = re.search(
        rf"^(#+) {re.escape(heading)}\n(.*?)(?=^#{{1,2}} |\Z)", page, re.MULTILINE | re.DOTALL
    )
    assert found, heading
    return found[2]


def programs(text: str, language: str) -> list[str]:
    """Return the fenced code blocks in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def anchors(page: Path) -> set[str]:
    """Return the names that GitHub gives to the headings of a page."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in headings}
