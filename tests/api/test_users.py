import json

import httpx
import pytest

from tests.api.wire import refused, wire


def test_a_new_user_gets_an_id_and_a_token(client: httpx.Client) -> None:
    answer = client.post("/users", json={"name": "Клара"})
    assert answer.status_code == 201
    assert set(answer.json()) == {"id", "token"}
    assert len(answer.json()["token"]) >= 32


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
def test_a_name_that_is_none_is_refused(client: httpx.Client, body: str) -> None:
    answer = client.post("/users", content=body, headers={"Content-Type": "application/json"})
    refused(answer, 422, "bad_request")


def test_a_body_that_is_no_utf8_is_refused(client: httpx.Client) -> None:
    refused(client.post("/users", content=b'{"name": "\xff"}'), 422, "bad_request")


def test_a_body_larger_than_any_name_is_refused_and_not_kept(service_url: str) -> None:
    with wire(service_url) as connection:
        connection.send(b"POST /users HTTP/1.1\r\nHost: wire\r\nTransfer-Encoding: chunked\r\n\r\n")
        connection.send_chunks([b" " * 2**16] * 20)
        refused(connection.answer(), 413, "upload_too_large")


def test_two_users_of_one_name_are_two(client: httpx.Client) -> None:
    first, second = (client.post("/users", json={"name": "twin"}).json() for _ in range(2))
    assert first["id"] != second["id"]
    assert first["token"] != second["token"]
