"""Behaviour of all paths."""

import re

import httpx
import pytest

from tests.api.wire import SHORT_WAV, refused, wire
from tests.conftest import User


@pytest.mark.parametrize(
    "path", ["/nothing", "/users/1", "/record/x", "/..%2f..%2fetc%2fpasswd", "/%00", "/.env"]
)
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "DELETE", "PATCH"])
def test_an_unknown_path_is_not_found(client: httpx.Client, method: str, path: str) -> None:
    answer = client.request(method, path)
    if method == "HEAD":
        assert answer.status_code == 404
    else:
        refused(answer, 404, "not_found")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/users"),
        ("PUT", "/record"),
        ("PUT", "/records"),
        ("PATCH", "/records/3f0e6f2c-0000-4000-8000-000000000000"),
        ("POST", "/health/live"),
        ("DELETE", "/metrics"),
    ],
)
def test_a_wrong_method_gets_the_allowed_ones(client: httpx.Client, method: str, path: str) -> None:
    answer = client.request(method, path)
    refused(answer, 405, "method_not_allowed")
    assert answer.headers["Allow"]


def test_page_and_docs_need_no_cdn(
    client: httpx.Client,
) -> None:
    page = client.get("/")
    assert "<html" in page.text
    assert page.headers["Cache-Control"] == "no-cache"
    for path in ("/docs",):
        page = client.get(path)
        assert page.status_code == 200
        scripts = re.findall(r'(?:src|href)="([^"]+\.(?:js|css))"', page.text)
        assert scripts
        for script in scripts:
            assert script.startswith("/")
            assert client.get(script).is_success
    assert set(client.get("/openapi.json").json()["paths"]) >= {
        "/users",
        "/record",
        "/records/{record_id}",
    }


@pytest.mark.parametrize("path", ["/records/", "/record/", "/users/", "/health/live/"])
def test_trailing_slashes_are_not_redirected(client: httpx.Client, path: str) -> None:
    refused(client.post(f"{path}?token=secret"), 404, "not_found")


@pytest.mark.parametrize("range_", ["x", "bytes=99999999-", "bytes=0-1"])
@pytest.mark.parametrize("path", ["/", "/static-offline-docs/swagger-ui.css", "/health/live"])
def test_other_paths_ignore_ranges(client: httpx.Client, path: str, range_: str) -> None:
    assert client.get(path, headers={"Range": range_}).status_code == 200


@pytest.mark.parametrize("host", ["audio.example", "audio.example:8443", "[::1]:80"])
def test_links_use_the_requested_host(user: User, host: str) -> None:
    files = {"wav_file": ("x.wav", SHORT_WAV)}
    answer = user.client.post(
        "/record", params=user.credentials, files=files, headers={"Host": host}
    )
    assert answer.json()["status_link"].startswith(f"http://{host}/records/")


@pytest.mark.parametrize("host", [b"", b"a b", b"<script>", b"\xff", b"x:y", b"a/b@c#"])
def test_an_odd_host_is_harmless(service_url: str, host: bytes) -> None:
    with wire(service_url) as connection:
        connection.send(b"GET /records/x HTTP/1.1\r\nHost: %s\r\n\r\n" % host)
        refused(connection.answer(), 422, "bad_request")


@pytest.mark.parametrize("path", ["/", "/docs"])
def test_pages_have_a_content_security_policy(client: httpx.Client, path: str) -> None:
    policy = client.get(path).headers["Content-Security-Policy"]
    directives = dict(part.strip().partition(" ")[::2] for part in policy.split(";"))
    assert directives["default-src"] == "'none'"
    assert directives["frame-ancestors"] == "'none'"
    assert ("'unsafe-inline'" in policy) == (path != "/")
    assert "http" not in policy


@pytest.mark.parametrize("path", ["/", "/docs", "/health/live", "/nothing", "/record", "/metrics"])
def test_every_answer_has_security_headers(client: httpx.Client, path: str) -> None:
    headers = client.get(path).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"


def test_malformed_requests_get_security_headers(service_url: str) -> None:
    with wire(service_url) as connection:
        connection.send(b"GARBAGE\r\n\r\n")
        headers = connection.answer().headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("path", ["/health/live", "/nothing", "/records", "/openapi.json"])
def test_json_is_never_stored(client: httpx.Client, path: str) -> None:
    assert client.get(path).headers["Cache-Control"] == "no-store"


def test_an_mp3_has_security_headers_and_is_revalidated(user: User) -> None:
    answer = user.client.get(user.upload(SHORT_WAV).json()["download_link"])
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cache-Control"] == "private, no-cache"
