"""The Python API, and the package."""

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import soundfile
from wav2mp3 import Client, Wav2mp3Error

from tests.client.conftest import RATE_HZ, Command
from tests.conftest import ROOT, User
from tests.wavs import build, sine

UPLOAD = """
import sys; from pathlib import Path
from wav2mp3 import Client, Wav2mp3Error
try:
    Client(sys.argv[1], "user", "token", patience_s=0).upload("big.wav")
except Wav2mp3Error:
    print(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])
"""
BIG_BYTES = 300 * 2**20
MEMORY_BYTES = 100 * 2**20


@pytest.fixture
def api(service_url: str, user: User) -> Iterator[Client]:
    with closing(Client(service_url, user.id, user.token)) as client:
        yield client


def test_python_converts_with_options(api: Client, tmp_path: Path) -> None:
    wav = tmp_path / "song.wav"
    wav.write_bytes(build(sine(RATE_HZ, 2), sample_rate_hz=RATE_HZ))
    stages = []
    record = api.convert(
        wav,
        tmp_path / "song.mp3",
        channels=1,
        quality=0,
        watch=lambda stage, _: stages.append(stage),
    )
    made = soundfile.info(tmp_path / "song.mp3")
    assert (made.frames, made.channels) == (RATE_HZ, 1)
    assert record.status == "done"
    assert record.warnings == [
        "The 2 channels were mixed to mono and scaled so that nothing clips."
    ]
    assert {"uploading", "downloading"} <= set(stages)
    assert list(api.records()) == []


def test_python_gets_the_services_sentence(api: Client, tmp_path: Path) -> None:
    (tmp_path / "song.wav").write_text("no WAV")
    with pytest.raises(Wav2mp3Error, match=r"\.$") as raised:
        api.convert(tmp_path / "song.wav")
    assert raised.value.code == "not_a_wav"


def test_an_mp3_never_replaces_its_source(api: Client, tmp_path: Path) -> None:
    wav = tmp_path / "song.mp3"
    wav.write_bytes(build(sine(RATE_HZ), sample_rate_hz=RATE_HZ))
    with pytest.raises(Wav2mp3Error, match="would replace its source"):
        api.convert(wav)


def test_a_large_upload_takes_little_memory(command: Command) -> None:
    with (command.folder / "big.wav").open("wb") as big:
        big.truncate(BIG_BYTES)
    with socket.create_server(("127.0.0.1", 0)) as sink:
        reader = threading.Thread(target=_drain, args=(sink,))
        reader.start()
        url = f"http://127.0.0.1:{sink.getsockname()[1]}"
        ran = subprocess.run(
            [sys.executable, "-c", UPLOAD, url],
            cwd=command.folder,
            env=command.environment,
            check=True,
            capture_output=True,
        )
        reader.join()
    assert 10 * 2**20 < int(ran.stdout) * 2**10 < MEMORY_BYTES


def _drain(sink: socket.socket) -> None:
    """Read one upload and close the connection without an answer."""
    connection, _ = sink.accept()
    with connection:
        count = 0
        while count < BIG_BYTES:
            count += len(connection.recv(2**20))


def test_the_package_installs_the_command(tmp_path: Path) -> None:
    options = ("--no-deps", "--no-build-isolation", "--python", sys.executable)
    install = (sys.executable, "-m", "uv", "pip", "install", "--target", tmp_path, *options)
    subprocess.run([*install, ROOT / "client"], check=True, capture_output=True)
    shown = subprocess.run(
        [tmp_path / "bin" / "wav2mp3", "convert", "--help"],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        check=True,
        capture_output=True,
        text=True,
    )
    assert "wav2mp3 convert *.wav --quality 0 --out mp3" in shown.stdout
    assert (tmp_path / "wav2mp3" / "py.typed").exists()
