"""Clients made from /openapi.json in two languages compile, and upload, wait and download.

Without node the TypeScript client is skipped, but not in CI.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from mutagen.mp3 import MP3

from tests.conftest import ROOT
from tests.wavs import build, sine

pytestmark = pytest.mark.exhaustive

HERE = Path(__file__).parent
TIMEOUT_S = 300
MYPY_CACHE = ROOT / ".mypy_cache" / "generated_clients"
"""Keeps the types of the libraries. mypy reads changed files again."""


@pytest.fixture
def folder(client: httpx.Client, tmp_path: Path) -> Path:
    """A folder with this one's files, the description and a WAV."""
    shutil.copytree(HERE, tmp_path, dirs_exist_ok=True)
    (tmp_path / "openapi.json").write_bytes(client.get("/openapi.json").content)
    (tmp_path / "song.wav").write_bytes(build(sine(44100)))
    return tmp_path


def test_a_generated_python_client_converts(folder: Path, service_url: str) -> None:
    generate = ["openapi-python-client", "generate", "--fail-on-warning", "--meta=none"]
    said = _run(folder, *generate, "--path=openapi.json", "--output-path=generated")
    assert said.strip() == "Generating generated"
    mypy = (sys.executable, "-m", "mypy", "--config-file=mypy.ini", f"--cache-dir={MYPY_CACHE}")
    _run(folder, *mypy, "convert.py")
    _run(folder, sys.executable, "convert.py", service_url, "song.wav", "song.mp3")
    _check_mp3(folder, title="Python")


def test_a_generated_typescript_client_converts(folder: Path, service_url: str) -> None:
    if shutil.which("npm") is None:
        assert "CI" not in os.environ, "CI must have node and npm"
        pytest.skip("there is no npm on this machine")
    _run(folder, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
    assert _run(folder, "node", "generate.mjs", "openapi.json", "schema.ts") == ""
    _run(folder, "npx", "tsc")
    _run(folder, "node", "built/convert.js", service_url, "song.wav", "song.mp3")
    _check_mp3(folder, title="TypeScript")


def _run(folder: Path, *command: str) -> str:
    """Return all output of a successful command."""
    programs = Path(sys.executable).parent
    environment = os.environ | {
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        # a machine's proxy cannot reach the service
        "NO_PROXY": "127.0.0.1,localhost",
    }
    done = subprocess.run(
        command,
        check=False,
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=TIMEOUT_S,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def _check_mp3(folder: Path, title: str) -> None:
    mp3 = MP3(folder / "song.mp3")
    assert (round(mp3.info.bitrate, -3), str(mp3["TIT2"])) == (128_000, title)  # type: ignore[attr-defined]
