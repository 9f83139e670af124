"""The proxy configurations of docs/operating.md, as printed but for ports and certificate.

Without Caddy, nginx or openssl these tests are skipped, but not in CI.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from local.machine import free_port, is_answering
from tests.browser.conftest import frozen_workers  # noqa: F401 -- a fixture
from tests.conftest import ROOT
from tests.pages import programs
from tests.waiting import until
from tests.wavs import build, sine

pytestmark = pytest.mark.exhaustive

GUIDE = (ROOT / "docs/operating.md").read_text()
HOST = "audio.example.com"
CADDY_OPTIONS = "{\n\tadmin off\n\tauto_https disable_redirects\n}\n"
# Everything that nginx writes is in the folder of the test, so that it runs as any user.
NGINX_OPTIONS = """daemon off;
pid nginx.pid;
error_log error.log;
events {}
http {
access_log access.log;
client_body_temp_path body;
proxy_temp_path proxy;
fastcgi_temp_path fastcgi;
uwsgi_temp_path uwsgi;
scgi_temp_path scgi;
%s}
"""
TIMEOUT_S = 60


class Proxy:
    """A proxy before the service, in a folder of its own."""

    def __init__(self, name: str, service_url: str, folder: Path) -> None:
        self.url = f"https://{HOST}:{free_port()}"
        self._folder = folder
        _make_certificate(folder)
        written = programs(GUIDE, name)[0].replace("127.0.0.1:8000", urlsplit(service_url).netloc)
        configure = {"caddy": self._configure_caddy, "nginx": self._configure_nginx}[name]
        self._process = subprocess.Popen(configure(written), cwd=folder)

    def _configure_caddy(self, written: str) -> list[str]:
        tls = f"\ttls {self._folder}/cert.pem {self._folder}/key.pem\n"
        site = written.replace(f"{HOST} {{\n", f"{self.url} {{\n{tls}")
        (self._folder / "Caddyfile").write_text(CADDY_OPTIONS + site)
        return ["caddy", "run", "--config", "Caddyfile"]

    def _configure_nginx(self, written: str) -> list[str]:
        ports = {"80": str(free_port()), "443": str(urlsplit(self.url).port)}
        for port, free in ports.items():
            written = written.replace(f"    listen [::]:{port}", f"    # listen [::]:{port}")
            written = written.replace(f"listen {port}", f"listen 127.0.0.1:{free}")
        written = written.replace(f"/etc/letsencrypt/live/{HOST}/fullchain.pem", "cert.pem")
        written = written.replace(f"/etc/letsencrypt/live/{HOST}/privkey.pem", "key.pem")
        written = written.replace("/var/log/nginx/wav2mp3.log", "access.log")
        (self._folder / "nginx.conf").write_text(NGINX_OPTIONS % written)
        return ["nginx", "-p", str(self._folder), "-e", "error.log", "-c", "nginx.conf"]

    def curl(self, path: str, *arguments: str) -> str:
        done = subprocess.run(
            self.command(path, *arguments), check=False, capture_output=True, timeout=TIMEOUT_S
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.decode()

    def command(self, path: str, *arguments: str) -> list[str]:
        # All requests are made by this host's name, which leads to this machine.
        there = ["--connect-to", "::127.0.0.1:", "--cacert", str(self._folder / "cert.pem")]
        return ["curl", "-sS", "--noproxy", "*", *there, *arguments, self.url + path]

    def is_ready(self) -> bool:
        assert self._process.poll() is None
        return is_answering(urlsplit(self.url).port or 0)

    def logs(self) -> str:
        return "".join(path.read_text() for path in self._folder.glob("*.log"))

    def stop(self) -> None:
        self._process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(TIMEOUT_S)


@pytest.fixture(params=["caddy", "nginx"])
def proxy(request: pytest.FixtureRequest, service_url: str, tmp_path: Path) -> Iterator[Proxy]:
    for program in (request.param, "openssl", "curl"):
        if shutil.which(program) is None:
            assert "CI" not in os.environ, f"CI must have {program}"
            pytest.skip(f"there is no {program} on this machine")
    proxy = Proxy(request.param, service_url, tmp_path)
    until(proxy.is_ready)
    yield proxy
    proxy.stop()


def test_a_proxy_passes_uploads_and_downloads(proxy: Proxy, tmp_path: Path) -> None:
    (tmp_path / "song.wav").write_bytes(build(sine(3_000_000)))
    user = _create_user(proxy)
    accepted = json.loads(
        proxy.curl(f"/records?token={user['token']}", "-F", f"wav_file=@{tmp_path / 'song.wav'}")
    )
    assert accepted["status_link"].startswith(f"https://{HOST}")
    mp3 = tmp_path / "song.mp3"
    proxy.curl(f"/records/{accepted['id']}/mp3", "--fail", "-o", str(mp3))
    assert mp3.read_bytes().startswith(b"ID3")
    assert user["token"] not in proxy.logs()


def test_a_proxy_passes_events_as_they_happen(
    proxy: Proxy,
    tmp_path: Path,
    frozen_workers: AbstractContextManager[None],  # noqa: F811
) -> None:
    (tmp_path / "song.wav").write_bytes(build(sine(44100)))
    token = _create_user(proxy)["token"]
    with frozen_workers:
        accepted = json.loads(
            proxy.curl(f"/records?token={token}", "-F", f"wav_file=@{tmp_path / 'song.wav'}")
        )
        events = proxy.command(f"/records/{accepted['id']}/events", "--no-buffer")
        following = subprocess.Popen(events, stdout=subprocess.PIPE, text=True)
        assert following.stdout is not None
        first = next(line for line in following.stdout if line.startswith("event:"))
        assert first == "event: queued\n"
    with following:
        assert "event: done\n" in following.stdout


def test_a_proxy_hides_the_metrics(proxy: Proxy) -> None:
    for path in ("/metrics", "/health/ready"):
        assert proxy.curl(path, "-o", os.devnull, "-w", "%{http_code}") == "404"


def _create_user(proxy: Proxy) -> dict[str, str]:
    user: dict[str, str] = json.loads(proxy.curl("/users", "--json", '{"name": "alexander"}'))
    return user


def _make_certificate(folder: Path) -> None:
    names = ["-subj", f"/CN={HOST}", "-addext", f"subjectAltName=DNS:{HOST}"]
    files = ["-keyout", "key.pem", "-out", "cert.pem", "-days", "2"]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", *files, *names]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
