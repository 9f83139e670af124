"""What `make` and the embedded stack do before anything runs."""

import os
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from local.stack import Stack
from tests.conftest import ROOT

SECRETS = {"FLOWER_BASIC_AUTH", "POSTGRES_PASSWORD", "REDIS_PASSWORD"}


@pytest.mark.parametrize("begun", ["", "RETENTION_H=24", "REDIS_PASSWORD=\nAPI_PORT=8001\n"])
def test_an_env_that_somebody_began_is_completed_once_and_kept(tmp_path: Path, begun: str) -> None:
    shutil.copy(ROOT / "Makefile", tmp_path)
    env = tmp_path / ".env"
    env.write_text(begun)
    make = [shutil.which("make") or "make", "env"]
    written = []
    for _ in range(2):
        subprocess.run(make, cwd=tmp_path, check=True)
        written.append(env.read_text())
    assert written[0] == written[1]
    assert set(begun.split()) <= set(written[0].split())
    values = dict(line.split("=", 1) for line in written[0].splitlines() if "=" in line)
    assert all(values[name] for name in SECRETS)
    assert values["API_PORT"] == ("8001" if "API_PORT" in begun else "8000")
    assert stat.S_IMODE(env.stat().st_mode) == stat.S_IRUSR | stat.S_IWUSR


@pytest.mark.parametrize(
    ("data_dir", "is_inside"), [("data", True), ("a" * 120, False), ("with blanks", False)]
)
def test_sockets_are_where_their_paths_fit(data_dir: str, is_inside: bool) -> None:
    stack = Stack(Path("/srv", data_dir))
    assert (stack.data_dir in stack.runtime_dir.parents) == is_inside
    assert len(os.fsencode(stack.runtime_dir / "postgres" / ".s.PGSQL.5432")) <= 103
    assert " " not in str(stack.runtime_dir)
