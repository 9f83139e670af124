"""A post to receivers that do not answer as they should, and to addresses that must not be reached."""

import os
import shutil
import socket
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from shared.allowed_hosts import AllowedHosts
from tests.receiver import raw, receiving, status
from worker.deliveries.post import DeliveryFailed, post

TIMEOUT_S = 1
BODY = "the body"


def _post(url: str, allowed: str | None = "127.0.0.1") -> int:
    return post(url, BODY, {"webhook-id": "msg_1"}, AllowedHosts(allowed), TIMEOUT_S)


def _fail(url: str, allowed: str | None = "127.0.0.1") -> DeliveryFailed:
    with pytest.raises(DeliveryFailed) as failure:
        _post(url, allowed)
    assert str(failure.value).endswith(".")
    return failure.value


@pytest.mark.parametrize("code", [200, 202, 204, 299])
def test_2xx_is_success(code: int) -> None:
    with receiving(status(code)) as receiver:
        assert _post(f"{receiver.url}?a=%2F%41+b") == code
        (request,) = receiver.requests
    assert (request.path, request.body) == ("/hook?a=%2F%41+b", BODY.encode())
    assert receiver.url.split("/")[2] == request.headers["host"]


@pytest.mark.parametrize("code", [400, 404, 410, 429, 500, 503])
def test_other_answers_are_failures(code: int) -> None:
    with receiving(status(code)) as receiver:
        failure = _fail(receiver.url)
    assert failure.status == code
    assert str(code) in str(failure)


@pytest.mark.parametrize("code", [301, 302, 307, 308])
def test_redirects_are_not_followed(code: int) -> None:
    with receiving() as inward, receiving(status(code, Location=inward.url)) as receiver:
        failure = _fail(receiver.url)
        assert inward.requests == []
    assert failure.status == code
    assert "Redirects are not followed" in str(failure)


@pytest.mark.parametrize("answer", ["hang", "drip"])
def test_a_slow_receiver_is_given_up(answer: str) -> None:
    with receiving() as receiver:
        receiver.answers = [getattr(receiver, answer)]
        began_s = time.monotonic()
        failure = _fail(receiver.url)
        assert time.monotonic() - began_s < 10 * TIMEOUT_S
    assert failure.status is None
    assert "1 s" in str(failure)


def test_the_body_of_an_answer_is_not_read() -> None:
    with receiving() as receiver:
        receiver.answers = [receiver.drip_body]
        assert _post(receiver.url) == 200


def test_a_receiver_that_is_down_is_a_failure() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
    assert "connection" in str(_fail(url))


def test_an_unknown_host_is_a_failure() -> None:
    assert "unknown" in str(_fail("http://no-such-host.invalid/"))


@pytest.mark.parametrize(
    "content", [b"", b"SSH-2.0-OpenSSH\r\n", b"HTTP/1.1 200 OK\r\n" + b"a" * 10**6]
)
def test_a_non_http_answer_is_a_failure(content: bytes) -> None:
    with receiving(raw(content)) as receiver:
        failure = _fail(receiver.url)
    assert failure.status is None


def test_https_to_a_plain_http_receiver_fails() -> None:
    with receiving() as receiver:
        assert "TLS" in str(_fail(receiver.url.replace("http:", "https:")))
        assert receiver.requests == []


POST_ONCE = """
import sys
from shared.allowed_hosts import AllowedHosts
from worker.deliveries.post import DeliveryFailed, post
try:
    print(post(sys.argv[1], "", {}, AllowedHosts("127.0.0.0/8,::1"), 10))
except DeliveryFailed as failure:
    print(failure)
"""


@pytest.mark.exhaustive
@pytest.mark.slow
def test_a_company_ca_is_trusted_for_its_hosts(tmp_path: Path) -> None:
    """SSL_CERT_FILE adds the CA. It is read when the process starts."""
    certificate = _certificate(tmp_path / "localhost.pem")
    trusting = os.environ | {"SSL_CERT_FILE": str(certificate)}
    with receiving(certificate=certificate) as receiver:
        by_address = receiver.url.replace("http:", "https:")
        by_name = by_address.replace("127.0.0.1", "localhost")
        assert _post_once(by_name, trusting) == "204"
        assert len(receiver.requests) == 1
        assert "certificate is not valid" in _post_once(by_address, trusting)
        assert "certificate is not valid" in _post_once(by_name, dict(os.environ))
        assert len(receiver.requests) == 1


def _certificate(path: Path) -> Path:
    """Write a certificate for localhost that is its own CA, with its key."""
    openssl = shutil.which("openssl")
    if openssl is None:
        assert "CI" not in os.environ, "CI must have openssl"
        pytest.skip("there is no openssl on this machine")
    subject = ("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost")
    request = (openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *subject)
    files = ("-keyout", str(path), "-out", str(path.with_suffix(".crt")))
    subprocess.run([*request, *files], check=True, stderr=subprocess.DEVNULL)
    path.write_text(path.read_text() + path.with_suffix(".crt").read_text())
    return path


def _post_once(url: str, environment: dict[str, str]) -> str:
    command = [sys.executable, "-c", POST_ONCE, url]
    return subprocess.check_output(command, env=environment, text=True).strip()


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "127.1",
        "2130706433",
        "0x7f000001",
        "017700000001",
        "0.0.0.0",
        "user:password@127.0.0.1",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::]",
        "LOCALHOST.",
    ],
)
def test_no_spelling_of_a_private_address_is_reached(host: str) -> None:
    with receiving() as receiver:
        url = receiver.url.replace("127.0.0.1", host)
        assert _fail(url, allowed=None).status is None
        assert receiver.requests == []


def test_another_port_than_the_allowed_one_is_refused() -> None:
    with receiving() as receiver, receiving() as other:
        allowed = receiver.url.split("/")[2]
        assert _post(receiver.url, allowed) == 204
        assert "private" in str(_fail(other.url, allowed))
        assert other.requests == []


def test_an_allowed_name_may_have_a_private_address() -> None:
    with receiving() as receiver:
        url = receiver.url.replace("127.0.0.1", "localhost")
        assert _post(url, "localhost") == 204
        _fail(receiver.url, "localhost")


def test_a_proxy_of_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with receiving() as receiver, receiving() as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        assert _post(receiver.url) == 204
        assert proxy.requests == []
