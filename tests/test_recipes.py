"""The recipes of README.md and docs/recipes.md, and the calls of docs/api.md, run as they are printed.

Without their programs, they are skipped.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from mutagen.mp3 import MP3

from local.machine import free_port, is_answering
from tests.conftest import ROOT, User
from tests.pages import README, programs, section
from tests.waiting import until
from tests.wavs import build, sine

pytestmark = pytest.mark.exhaustive

RECIPES = (ROOT / "docs/recipes.md").read_text()
GUIDE = (ROOT / "docs/api.md").read_text()
PRINTED_URL = "http://localhost:8000"
TIMEOUT_S = 120
PORT = free_port()
SHELL = ("sh", "-eu", "program.sh")
ODD_NAME = 'it\'s 1, 2; \u00e4 & "3\\4".wav'

Run = Callable[..., str]


@pytest.fixture
def run(user: User, tmp_path: Path) -> Run:
    """Return a function that runs a printed program in `tmp_path`, as the owner of `user`."""
    url = str(user.client.base_url).rstrip("/")
    command = tmp_path / "bin/wav2mp3"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m wav2mp3 "$@"\n')
    command.chmod(0o755)
    environment = os.environ | {
        "HOME": str(tmp_path),
        "XDG_CONFIG_HOME": str(tmp_path),
        "NO_PROXY": "127.0.0.1,localhost",
        "PATH": f"{command.parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT / "client"),
        "URL": url,
        "USER_ID": user.id,
        "TOKEN": user.token,
    }

    def run(program: str, *command: str) -> str:
        _require(command[0])
        name = next(each for each in command if each.startswith("program"))
        (tmp_path / name).write_text(program.replace(PRINTED_URL, url))
        done = subprocess.run(
            command,
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    return run


def test_the_tour_converts_a_song(run: Run, tmp_path: Path) -> None:
    run("".join(programs(section(README, "A tour in 60 seconds"), "sh")), *SHELL)
    assert _length_s(tmp_path / "song.mp3") == pytest.approx(10, abs=0.01)


def test_the_calls_of_the_api_guide_succeed(run: Run, tmp_path: Path) -> None:
    """One after the other, so that none refuses the file of an earlier one."""
    _write_wav(tmp_path / "song.wav")
    calls = re.findall(r"^    (curl (?:.*\\\n)*.*)$", GUIDE, re.MULTILINE)
    assert len(calls) == 4
    run("\n".join(['curl() { command curl --fail "$@"; }', *calls]), *SHELL)
    assert _length_s(tmp_path / "song.mp3") == pytest.approx(1, abs=0.01)


def test_one_call_converts_a_file(run: Run, tmp_path: Path) -> None:
    _write_wav(tmp_path / "song.wav")
    assert run(programs(section(README, "Recipes"), "sh")[0], *SHELL) == "200\n"
    assert _length_s(tmp_path / "song.mp3") == pytest.approx(1, abs=0.01)


def test_the_shell_converts_a_folder(run: Run, tmp_path: Path) -> None:
    for name in ("song.wav", ODD_NAME):
        _write_wav(tmp_path / name)
    (tmp_path / "text.wav").write_text("not audio")
    said = run(programs(section(README, "Recipes"), "sh")[1], *SHELL)
    assert said.startswith("text.wav: ")
    assert "not_a_wav" in said
    assert {each.name for each in tmp_path.glob("*.mp3")} == {"song.mp3", f"{ODD_NAME[:-4]}.mp3"}
    assert _length_s(tmp_path / "song.mp3") == pytest.approx(1, abs=0.01)


def test_the_command_converts_a_folder(run: Run, tmp_path: Path) -> None:
    _write_wav(tmp_path / "recordings/song.wav")
    run(programs(section(README, "Recipes"), "sh")[2], *SHELL)
    assert _length_s(tmp_path / "mp3/song.mp3") == pytest.approx(1, abs=0.01)


def test_options_are_fields_and_parameters(run: Run, tmp_path: Path, user: User) -> None:
    _write_wav(tmp_path / "song.wav")
    run(programs(section(README, "Options"), "sh")[0], *SHELL)
    record = user.client.get("/records", params=user.credentials).json()["records"][0]
    assert (record["options"]["quality"], record["options"]["title"]) == (0, "Some audio")


@pytest.mark.parametrize(
    ("page", "heading", "language", "command"),
    [
        (README, "Recipes", "python", [sys.executable, "program.py"]),
        (RECIPES, "JavaScript", "js", ["node", "program.mjs", "song.wav", "song.mp3"]),
        (RECIPES, "PHP", "php", ["php", "program.php", "song.wav", "song.mp3"]),
    ],
    ids=["python", "javascript", "php"],
)
def test_a_program_converts(
    run: Run, tmp_path: Path, page: str, heading: str, language: str, command: list[str]
) -> None:
    _write_wav(tmp_path / "song.wav")
    run(programs(section(page, heading), language)[0], *command)
    assert _length_s(tmp_path / "song.mp3") == pytest.approx(1, abs=0.01)


def test_a_receiver_prints_verified_events(run: Run, tmp_path: Path, user: User) -> None:
    answer = user.client.post("/users/me/webhook-secret", params=user.credentials)
    receiver, upload = (
        programs(section(RECIPES, "Webhook receiver"), language)[0].replace("9000", str(PORT))
        for language in ("python", "sh")
    )
    (tmp_path / "receive.py").write_text(receiver)
    _write_wav(tmp_path / "song.wav")
    with subprocess.Popen(
        [sys.executable, "receive.py"],
        cwd=tmp_path,
        env=os.environ | {"SECRET": answer.json()["secret"]},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        until(lambda: is_answering(PORT))
        forged = httpx.post(f"http://127.0.0.1:{PORT}/", json={"type": "record.done"})
        run(upload, *SHELL)
        assert process.stdout is not None
        event = process.stdout.readline()
        process.terminate()
    assert forged.status_code == 400
    assert event.startswith("record.done song.wav http")


def _require(program: str) -> None:
    if shutil.which(program) is None:
        assert "CI" not in os.environ, f"CI must have {program}"
        pytest.skip(f"there is no {program} on this machine")


def _write_wav(path: Path) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(build(sine(44100)))


def _length_s(mp3: Path) -> float:
    found: float = MP3(mp3).info.length  # type: ignore[attr-defined]
    return found
