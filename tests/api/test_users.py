import json
import re

import httpx
import pytest

from tests.api.wire import refused, wire

JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    "media_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""]
)
def test_only_json_creates_a_user(client: httpx.Client, media_type: str) -> None:
    """Web pages of other sites may send these types without asking."""
    headers = {"Content-Type": media_type} if media_type else {}
    answer = client.post("/users", content=b'{"name": "eve"}', headers=headers)
    refused(answer, 415, "not_json")


def test_a_new_user_gets_credentials(client: httpx.Client) -> None:
    answer = client.post("/users", json={"name": "Клара"})
    assert answer.status_code == 201
    assert set(answer.json()) == {"id", "token"}
    assert re.fullmatch("[0-9a-f]{64}", answer.json()["token"])


@pytest.mark.parametrize(
    "body",
    [
        '{"name": ""}',
        '{"name": "  "}',
        "{}",
        '{"name": null}',
        '{"name": 5}',
        json.dumps({"name": "a" * 201}),
        '{"name": "a\\u0000b"}',
        '{"name": "\\ud800"}',
        '{"name": "a"',
        "[]",
        "",
        "[" * 10_000,
    ],
)
def test_an_invalid_name_is_refused(client: httpx.Client, body: str) -> None:
    answer = client.post("/users", content=body, headers=JSON)
    refused(answer, 422, "bad_request")


@pytest.mark.parametrize("body", ["", "name=x", '{"name": "a"'])
def test_invalid_json_is_explained(client: httpx.Client, body: str) -> None:
    answer = client.post("/users", content=body, headers={"Content-Type": "application/json"})
    detail = refused(answer, 422, "bad_request")
    assert detail.startswith("The body is not valid JSON: ")


def test_invalid_utf8_is_refused(client: httpx.Client) -> None:
    refused(client.post("/users", content=b'{"name": "\xff"}', headers=JSON), 422, "bad_request")


def test_a_large_body_is_refused(service_url: str) -> None:
    with wire(service_url) as connection:
        connection.send(
            b"POST /users HTTP/1.1\r\nHost: wire\r\nContent-Type: application/json; charset=utf-8\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n"
        )
        connection.send_chunks([b" " * 2**16] * 20)
        refused(connection.answer(), 413, "upload_too_large")


def test_names_need_not_be_unique(client: httpx.Client) -> None:
    first, second = (client.post("/users", json={"name": "twin"}).json() for _ in range(2))
    assert first["id"] != second["id"]
    assert first["token"] != second["token"]
