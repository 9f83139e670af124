"""The README agrees with the code."""

import re

from shared.settings import Settings
from tests.conftest import ROOT

README = (ROOT / "README.md").read_text()


def test_the_settings_table_matches_the_class() -> None:
    rows = re.findall(r"^\| `([A-Z_]+)` \| (.*) \| (.*) \|$", README, flags=re.MULTILINE)
    fields = Settings.model_fields.items()
    assert rows == [
        (name.upper(), _default(field.default, required=field.is_required()), field.description)
        for name, field in fields
    ]


def test_every_linked_file_exists() -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", README)
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


def _default(value: object, *, required: bool) -> str:
    return "" if required else "unset" if value is None else str(value)
