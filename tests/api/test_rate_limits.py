"""Limits per client address. The tests choose their address, because the API believes a proxy on this machine."""

import signal
import subprocess
from itertools import count

import httpx
import pytest

from local.stack import Stack
from tests.api.conftest import AnotherApi, StartApi
from tests.api.wire import eventually, refused

LIMIT = 3
LIMITS = {
    "MAX_NEW_USERS_PER_HOUR": str(LIMIT),
    "MAX_BAD_CREDENTIALS_PER_MINUTE": str(LIMIT),
}
ADDRESSES = (f"198.51.100.{number}" for number in count(1))


@pytest.fixture(scope="module")
def limited(start_api: StartApi) -> AnotherApi:
    return start_api(LIMITS)


@pytest.fixture
def address() -> str:
    return next(ADDRESSES)


def create_user(api: AnotherApi, address: str) -> httpx.Response:
    return api.client.post("/users", json={"name": "eve"}, headers={"X-Forwarded-For": address})


def list_records(api: AnotherApi, address: str, **credentials: str) -> httpx.Response:
    headers = {"X-Forwarded-For": address}
    return api.client.get("/records", params=credentials, headers=headers)


def test_new_users_are_limited_per_address(limited: AnotherApi, address: str) -> None:
    assert [create_user(limited, address).status_code for _ in range(LIMIT)] == [201] * LIMIT
    answer = create_user(limited, address)
    refused(answer, 429, "too_many_new_users")
    assert 0 < int(answer.headers["Retry-After"]) <= 3600
    assert create_user(limited, next(ADDRESSES)).status_code == 201


def test_invalid_names_are_not_counted(limited: AnotherApi, address: str) -> None:
    for _ in range(LIMIT + 1):
        answer = limited.client.post("/users", json={}, headers={"X-Forwarded-For": address})
        refused(answer, 422, "bad_request")
    assert create_user(limited, address).status_code == 201


def test_an_ipv6_network_is_one_address(limited: AnotherApi) -> None:
    answers = [create_user(limited, f"2001:db8::{number:x}") for number in range(LIMIT + 1)]
    refused(answers[-1], 429, "too_many_new_users")
    assert create_user(limited, "2001:db8:0:1::1").status_code == 201


def test_bad_credentials_are_limited_per_address(limited: AnotherApi, address: str) -> None:
    for bad in ({}, {"token": "unknown"}, {"user_id": "nobody"}):
        refused(list_records(limited, address, **bad), 401, "bad_credentials")
    answer = list_records(limited, address, token="unknown")
    refused(answer, 429, "too_many_bad_credentials")
    assert 0 < int(answer.headers["Retry-After"]) <= 60
    refused(list_records(limited, next(ADDRESSES)), 401, "bad_credentials")


def test_good_credentials_always_pass(limited: AnotherApi, address: str) -> None:
    created = create_user(limited, address).json()
    for _ in range(LIMIT + 1):
        last = list_records(limited, address)
    refused(last, 429, "too_many_bad_credentials")
    for _ in range(LIMIT + 1):
        assert list_records(limited, address, token=created["token"]).status_code == 200


def test_the_limit_of_new_users_is_described(limited: AnotherApi) -> None:
    paths = limited.client.get("/openapi.json").json()["paths"]
    assert "429" in paths["/users"]["post"]["responses"]


def test_an_unknown_proxy_is_not_believed(start_api: StartApi) -> None:
    api = start_api({"MAX_NEW_USERS_PER_HOUR": "4", "FORWARDED_ALLOW_IPS": "192.0.2.1"})
    answers = [create_user(api, next(ADDRESSES)) for _ in range(5)]
    refused(answers[-1], 429, "too_many_new_users")


def test_without_redis_nothing_is_limited(start_api: StartApi, address: str) -> None:
    api = start_api({**LIMITS, "REDIS_URL": "redis://127.0.0.1:1/0"})
    answers = [create_user(api, address) for _ in range(LIMIT + 1)]
    assert {answer.status_code for answer in answers} == {201}
    assert "rate limits are off" in api.log()


def test_a_frozen_redis_delays_nobody(
    start_api: StartApi, stack: Stack, redis: subprocess.Popen[bytes], address: str
) -> None:
    url = f"redis+socket://{stack.runtime_dir}/test.sock"
    api = start_api({"MAX_NEW_USERS_PER_HOUR": "1", "REDIS_URL": url})
    create_user(api, address)
    refused(create_user(api, address), 429, "too_many_new_users")
    redis.send_signal(signal.SIGSTOP)
    try:
        assert {create_user(api, address).status_code for _ in range(20)} == {201}
        assert api.log().count("rate limits are off") < 10  # not each request waited for Redis
    finally:
        redis.send_signal(signal.SIGCONT)
    eventually(lambda: create_user(api, address).status_code == 429)
