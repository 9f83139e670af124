"""`make migration` writes the migration of a changed model, in a copy of the code."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

pytestmark = pytest.mark.exhaustive

MODELS = Path("shared/db/models.py")


@pytest.mark.slow
def test_a_new_column_gets_its_migration(tmp_path: Path) -> None:
    for folder in ("local", "shared"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    models = tmp_path / MODELS
    name = "    filename: Mapped[str]\n"
    models.write_text(models.read_text().replace(name, f"{name}    rating: Mapped[int | None]\n"))
    before = set((tmp_path / "shared/db/migrations/versions").glob("*.py"))
    subprocess.run(
        [sys.executable, "-m", "local.migration", "add_rating"], cwd=tmp_path, check=True
    )
    (written,) = set((tmp_path / "shared/db/migrations/versions").glob("*.py")) - before
    assert written.name.endswith("_add_rating.py")
    assert 'op.add_column("records", sa.Column("rating"' in written.read_text()
    assert 'op.drop_column("records", "rating")' in written.read_text()
