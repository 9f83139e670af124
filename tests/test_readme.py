"""README.md and the other pages agree with the code."""

import re
from pathlib import Path

import pytest

from shared.settings import Settings
from tests.conftest import ROOT
from tests.pages import README, anchors

PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), ROOT / "tests/bench/RESULTS.md"]
FOLDERS = "api|docs|local|shared|tests|worker"


def test_the_settings_table_matches_the_class() -> None:
    rows = re.findall(r"^\| `([A-Z0-9_]+)` \| (.*) \| (.*) \|$", README, flags=re.MULTILINE)
    fields = Settings.model_fields.items()
    assert rows == [
        (name.upper(), _default(field.default, required=field.is_required()), field.description)
        for name, field in fields
    ]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_file_named_by_a_page_exists(page: Path) -> None:
    text = page.read_text()
    links = [page.parent / link for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text)]
    paths = [ROOT / path for path in re.findall(rf"`((?:{FOLDERS})/[\w./-]*)`", text)]
    assert [path for path in links + paths if not path.exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_section_named_by_a_page_exists(page: Path) -> None:
    links = re.findall(r"\]\(([^)#:]*)#([^)]*)\)", page.read_text())
    targets = [(page.parent / name if name else page, anchor) for name, anchor in links]
    assert [target for target, anchor in targets if anchor not in anchors(target)] == []


def _default(value: object, *, required: bool) -> str:
    return "" if required else "unset" if value is None else str(value)
