"""README.md and the other pages agree with the code."""

import re
from pathlib import Path

import httpx
import pytest

from api.problems import STATUS
from shared.settings import Settings
from tests.conftest import ROOT
from tests.pages import README, anchors, section

PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), ROOT / "tests/bench/RESULTS.md"]
STATUS_BEFORE_THE_APPLICATION = {
    "bad_request": {400, 422},
    "not_found": {404},
    "method_not_allowed": {405},
    "request_header_fields_too_large": {431},
    "too_many_connections": {503},
}
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


def test_the_table_of_errors_is_complete() -> None:
    text = section((ROOT / "docs/api.md").read_text(), "Errors")
    rows = re.findall(r"^\| ([\d, ]+) \| `(\w+)` \|", text, flags=re.MULTILINE)
    table = {code: {*map(int, statuses.split(", "))} for statuses, code in rows}
    known = {error.code: {status.value} for error, status in STATUS.items()}
    assert table == known | STATUS_BEFORE_THE_APPLICATION


def test_the_figures_are_those_of_the_last_bench() -> None:
    row = re.compile(r"^\| ([^|]+) \| ([\d.]+) \|", re.MULTILINE)
    measured = {*row.findall((ROOT / "tests/bench/RESULTS.md").read_text())}
    shown = {*row.findall(section(README, "Figures"))}
    assert shown
    assert shown - measured == set()


def test_every_metric_is_explained(client: httpx.Client) -> None:
    text = section((ROOT / "docs/operating.md").read_text(), "Monitoring")
    explained = re.findall(r"^\| `(\w+)", text, flags=re.MULTILINE)
    assert {*re.findall(r"# TYPE (\w+)", client.get("/metrics").text)} == {*explained}


def _default(value: object, *, required: bool) -> str:
    return "" if required else "unset" if value is None else str(value)
