"""The real command, run as a user runs it, against the real service."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import soundfile

from local.stack import Stack
from tests.conftest import ROOT, User
from tests.wavs import build, sine
from tests.worker.processes import suspended

RATE_HZ = 44100
TIMEOUT_S = 120


@dataclass
class Command:
    """`wav2mp3` in a folder of its own."""

    folder: Path
    environment: dict[str, str]

    def run(self, *arguments: str | Path, **changed: str) -> "Ended":
        process = self.start(*arguments, errors_to=subprocess.PIPE, **changed)
        output, errors = process.communicate(timeout=TIMEOUT_S)
        assert "Traceback" not in errors
        return Ended(process.returncode, output, errors)

    def start(
        self, *arguments: str | Path, errors_to: int = subprocess.PIPE, **changed: str
    ) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "wav2mp3", *arguments],
            cwd=self.folder,
            env=self.environment | changed,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors_to,
            text=True,
        )

    def wav(self, name: str, frames: int = RATE_HZ) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(build(sine(frames), sample_rate_hz=RATE_HZ))
        return path

    def frames(self, name: str) -> int:
        return int(soundfile.info(self.folder / name).frames)

    def files(self) -> set[str]:
        """Every file but the WAVs and the login."""
        paths = (path.relative_to(self.folder) for path in self.folder.rglob("*") if path.is_file())
        return {str(path) for path in paths if path.suffix != ".wav" and path.parts[0] != "home"}


@dataclass(frozen=True)
class Ended:
    status: int
    output: str
    errors: str


@pytest.fixture
def command(tmp_path: Path, service_url: str, user: User) -> Command:
    """The command with the login of `user` in its environment."""
    login = {
        "WAV2MP3_URL": service_url,
        "WAV2MP3_USER_ID": user.id,
        "WAV2MP3_TOKEN": user.token,
    }
    home = {"HOME": str(tmp_path / "home"), "XDG_CONFIG_HOME": str(tmp_path / "home" / "config")}
    path = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT / "client")}
    return Command(tmp_path, login | home | path)


@contextmanager
def frozen_workers(stack: Stack) -> Iterator[None]:
    """Let every record wait."""
    with suspended(stack.pid("worker"), stack.pid("clips")):
        yield
