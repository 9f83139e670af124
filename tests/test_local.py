"""The embedded stack and the `make` targets that need no installation, run as commands."""

import ast
import os
import re
import shutil
import stat
import subprocess
import sys
import tomllib
from collections.abc import Callable
from importlib.metadata import packages_distributions
from pathlib import Path

import numpy as np
import pytest
import soundfile

from local.__main__ import main as local_main
from local.arpeggio import write_arpeggio
from local.machine import StackError, free_port
from local.misspelt import describe_misspelt, known_names
from local.stack import Stack
from shared.settings import Settings
from tests.conftest import ROOT, User
from tests.wavs import build, sine
from tests.worker.mp3.mp3_material import decode

MAKE = shutil.which("make") or "make"
SECRETS = {
    "ADMIN_TOKEN",
    "FLOWER_BASIC_AUTH",
    "LINK_KEYS",
    "POSTGRES_PASSWORD",
    "REDIS_PASSWORD",
}

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs a module of `local` in an empty folder, with these variables."""

    def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", *arguments],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(ROOT)} | variables,
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def make(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        [MAKE, *arguments], cwd=folder, capture_output=True, text=True, check=True
    )
    return done.stdout


@pytest.mark.parametrize("begun", ["", "RETENTION_H=24", "REDIS_PASSWORD=\nAPI_PORT=8001\n"])
def test_make_completes_an_env_file_once(tmp_path: Path, begun: str) -> None:
    shutil.copy(ROOT / "Makefile", tmp_path)
    env = tmp_path / ".env"
    env.write_text(begun)
    written = []
    for _ in range(2):
        make(tmp_path, "env")
        written.append(env.read_text())
    assert written[0] == written[1]
    assert set(begun.split()) <= set(written[0].split())
    values = dict(line.split("=", 1) for line in written[0].splitlines() if "=" in line)
    assert all(values[name] for name in SECRETS)
    assert values["API_PORT"] == ("8001" if "API_PORT" in begun else "8000")
    assert stat.S_IMODE(env.stat().st_mode) == stat.S_IRUSR | stat.S_IWUSR


@pytest.mark.parametrize("target", ["down", "logs", "users"])
def test_make_without_set_up_installs_nothing(tmp_path: Path, target: str) -> None:
    shutil.copy(ROOT / "Makefile", tmp_path)
    assert "never started here" in make(tmp_path, target)
    assert [path.name for path in tmp_path.iterdir()] == ["Makefile"]


def test_make_demo_saves_an_mp3_and_prints_the_links_once(stack: Stack, tmp_path: Path) -> None:
    (tmp_path / ".venv").symlink_to(sys.prefix)
    (tmp_path / "local").symlink_to(ROOT / "local")
    shutil.copy(ROOT / "Makefile", tmp_path)
    # `--old-file`: do not install.
    said = make(tmp_path, "--old-file=.venv/runtime", "demo", *_ports(stack))
    assert len(decode(tmp_path / "demo.mp3", 2)) == 10 * 44_100
    assert said.count(f"{stack.api_url}/\n") == said.count("Flower ") == 1


def _ports(stack: Stack) -> list[str]:
    return [f"API_PORT={stack.api_port}", f"FLOWER_PORT={stack.flower_port}"]


def test_the_demo_converts_a_file_and_overwrites_none(
    stack: Stack, run: Run, tmp_path: Path
) -> None:
    song = tmp_path / "my song.wav"
    song.write_bytes(build(sine(44_100)))
    for name in ("my song.mp3", "my song-2.mp3"):
        done = run("local.demo", song.name, API_PORT=str(stack.api_port))
        assert f"my song.wav -> {name} (0:01, " in done.stdout, done.stderr
        assert len(decode(tmp_path / name, 1)) == 44_100


def test_the_demo_repeats_the_services_own_sentence(stack: Stack, run: Run, tmp_path: Path) -> None:
    (tmp_path / "song.wav").write_bytes(b"OggS" + bytes(100))
    done = run("local.demo", "song.wav", API_PORT=str(stack.api_port))
    assert done.returncode == 1
    assert "  song.wav  This is Ogg" in done.stderr


@pytest.mark.parametrize(
    ("file", "port", "sentence"),
    [
        ("missing.wav", None, "missing.wav cannot be used: No such file or directory."),
        ("", "0", "0 is not a port. Choose a number from 1 to 65535."),
        ("", "1", "The service does not answer"),
    ],
)
def test_the_demo_explains_why_it_failed(
    stack: Stack, run: Run, file: str, port: str | None, sentence: str
) -> None:
    done = run("local.demo", file, API_PORT=port or str(stack.api_port))
    assert done.returncode == 1
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_the_arpeggio_is_audible_and_not_clipped(tmp_path: Path) -> None:
    write_arpeggio(tmp_path / "a.wav")
    samples, rate_hz = soundfile.read(tmp_path / "a.wav")
    assert (samples.shape, rate_hz) == ((441_000, 2), 44_100)
    assert 0.2 < np.abs(samples).max() < 0.99


def test_a_running_stack_is_not_moved_to_other_ports(stack: Stack, run: Run) -> None:
    process_id = stack.pid("api")
    done = run("local", "start", API_PORT=str(free_port()), DATA_DIR=str(stack.data_dir))
    assert done.returncode == 1
    assert f"already runs with {' '.join(_ports(stack))}" in done.stderr
    assert "make down" in done.stderr
    assert stack.pid("api") == process_id


def test_a_wrong_setting_does_not_stop_the_service(stack: Stack) -> None:
    process_id = stack.pid("api")
    wrong = Stack(stack.data_dir, stack.api_port, stack.flower_port, {"LINK_TTL_S": "abc"})
    with pytest.raises(StackError) as refused:
        wrong.start()
    first, second = str(refused.value).splitlines()
    assert first == "The settings are not valid:"
    assert second.startswith("  LINK_TTL_S: Input should be a valid integer")
    assert stack.pid("api") == process_id


def test_a_misspelt_setting_is_named(
    stack: Stack,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / ".env").write_text("MAX_UPLOD_BYTES=5\nLEASE_S=5\nOTHER_PROGRAM=1\n")
    monkeypatch.setattr("local.__main__.ROOT", tmp_path)
    monkeypatch.setattr(sys, "argv", ["local", "start"])
    # It does not start, because the port is taken.
    monkeypatch.setenv("API_PORT", str(stack.api_port))
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "data"))
    assert local_main() == 1
    first, second = capsys.readouterr().err.splitlines()
    assert first == ".env: MAX_UPLOD_BYTES is not a setting. Did you mean MAX_UPLOAD_BYTES?"
    assert second.startswith("Another program uses port")


@pytest.mark.parametrize(
    "name", ["REDIS_HOST", "API_TOKEN", "POSTGRES_USER", "LOG_FILE", "MEDIA_ROOT", "SSL_CERT_FILE"]
)
def test_names_of_other_programs_are_accepted(name: str) -> None:
    assert list(describe_misspelt([name])) == []


def test_every_setting_is_known() -> None:
    own = {name.upper() for name in Settings.model_fields}
    of_make = {"API_PORT", "FLOWER_PORT", "DATA_DIR", *SECRETS}
    of_compose = {"API_ADDRESS", "WORKERS", "WORKER_MEMORY"}
    assert known_names() == own | of_make | of_compose | {"COMPOSE_PROJECT_NAME"}


def test_only_a_running_service_is_ready(stack: Stack, run: Run) -> None:
    assert run("local", "ready", API_PORT=str(stack.api_port)).returncode == 0
    assert run("local", "ready", API_PORT=str(free_port())).returncode == 1


def test_the_users_that_store_most_are_listed(stack: Stack, user: User, run: Run) -> None:
    user.convert(build(sine(44_100)))
    done = run("local", "users", DATA_DIR=str(stack.data_dir))
    head, first = done.stdout.splitlines()[:2]
    assert head.split() == ["stored", "records", "user_id", "name"]
    assert re.fullmatch(r" *[\d,.]+ MB +\d+  [0-9a-f-]{36}  '\w+'", first), first


def test_a_stopped_service_lists_no_users(run: Run, tmp_path: Path) -> None:
    done = run("local", "users", DATA_DIR=str(tmp_path / "data"))
    assert (done.returncode, done.stdout) == (1, "")
    assert "make run-local" in done.stderr


def test_stopping_a_stopped_stack_succeeds(run: Run, tmp_path: Path) -> None:
    done = run("local", "stop", DATA_DIR=str(tmp_path / "data"))
    assert (done.returncode, done.stdout) == (0, "The embedded stack was not running.\n")
    assert not (tmp_path / "data").exists()


def test_a_taken_port_is_refused_with_a_free_one(stack: Stack, run: Run, tmp_path: Path) -> None:
    data_dir = str(tmp_path / "data")
    done = run("local", "start", API_PORT=str(stack.api_port), DATA_DIR=data_dir)
    assert done.returncode == 1
    assert f"Another program uses port {stack.api_port}." in done.stderr
    assert re.search(r"for example API_PORT=\d+", done.stderr)


def test_local_imports_runtime_packages_only() -> None:
    """`make demo` and `make run-local` install no other packages."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    groups = project["dependency-groups"]
    required = [*project["project"]["dependencies"], *groups["local"]]
    names = {re.split(r"[\[>=;]", each)[0] for each in required}
    distributions = packages_distributions()
    imported = {name for path in (ROOT / "local").glob("*.py") for name in _imports(path)}
    used = {distributions[name][0] for name in imported if name in distributions}
    assert {"httpx", "psutil", "supervisor"} <= used <= names


def _imports(path: Path) -> set[str]:
    """Return the first part of the name of each module that a file imports."""
    modules: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            modules |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            modules.add(node.module.partition(".")[0])
    return modules


@pytest.mark.parametrize(
    ("data_dir", "is_inside"), [("data", True), ("a" * 120, False), ("with blanks", False)]
)
def test_socket_paths_are_short_and_safe(data_dir: str, is_inside: bool) -> None:
    stack = Stack(Path("/srv", data_dir))
    assert (stack.data_dir in stack.runtime_dir.parents) == is_inside
    assert len(os.fsencode(stack.runtime_dir / "postgres" / ".s.PGSQL.5432")) <= 103
    assert " " not in str(stack.runtime_dir)
