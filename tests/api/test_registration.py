"""REGISTRATION=closed: only the operator's token creates users."""

import httpx
import pytest

from tests.api.conftest import AnotherApi, StartApi
from tests.api.wire import SHORT_WAV, refused, wire
from tests.conftest import User

ADMIN_TOKEN = "the operator's token"
BODY = {"name": "clara"}


@pytest.fixture(scope="module")
def closed(start_api: StartApi) -> AnotherApi:
    limits = {"MAX_NEW_USERS_PER_HOUR": "1", "MAX_BAD_CREDENTIALS_PER_MINUTE": "50"}
    return start_api({"REGISTRATION": "closed", "ADMIN_TOKEN": ADMIN_TOKEN} | limits)


def create(api: AnotherApi, **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return api.client.post("/users", json=BODY, headers=named)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": "Bearer wrong"},
        {"x_admin_token": "wrong"},
        {"x_admin_token": f"{ADMIN_TOKEN}x"},
        {"authorization": f"Basic {ADMIN_TOKEN}"},
        {"authorization": "Bearer \xff"},
        {"x_admin_token": ""},
    ],
    ids=str,
)
def test_a_closed_service_creates_no_users(closed: AnotherApi, headers: dict[str, str]) -> None:
    sent = {name: value.encode("latin-1") for name, value in headers.items()}
    detail = refused(create(closed, **sent), 403, "registration_closed")  # type: ignore[arg-type]
    assert "Ask the operator" in detail


@pytest.mark.parametrize(
    "headers", [{"authorization": f"Bearer {ADMIN_TOKEN}"}, {"x_admin_token": ADMIN_TOKEN}]
)
def test_the_operator_creates_users_without_a_limit(
    closed: AnotherApi, headers: dict[str, str]
) -> None:
    for _ in range(3):
        answer = create(closed, **headers)
        assert answer.status_code == 201, answer.text
    user = User(closed.client, **answer.json())
    assert user.upload(SHORT_WAV).status_code == 202


def test_existing_users_are_not_affected(closed: AnotherApi, user: User) -> None:
    assert closed.client.get("/users/me", params=user.credentials).status_code == 200


def test_a_users_token_creates_no_users(closed: AnotherApi, user: User) -> None:
    refused(create(closed, authorization=f"Bearer {user.token}"), 403, "registration_closed")


def test_the_operators_token_is_not_a_users_token(closed: AnotherApi) -> None:
    headers = {"Authorization": f"Bearer {ADMIN_TOKEN}"}
    refused(closed.client.get("/records", headers=headers), 401, "bad_credentials")


def test_a_refused_body_is_not_read(closed: AnotherApi) -> None:
    with wire(closed.url) as connection:
        connection.send(
            b"POST /users HTTP/1.1\r\nHost: wire\r\nContent-Type: application/json\r\n"
            b"Content-Length: 20\r\n\r\n"
        )
        refused(connection.answer(), 403, "registration_closed")


def test_guesses_are_limited(start_api: StartApi) -> None:
    api = start_api(
        {
            "REGISTRATION": "closed",
            "ADMIN_TOKEN": ADMIN_TOKEN,
            "MAX_BAD_CREDENTIALS_PER_MINUTE": "1",
        }
    )
    statuses = [create(api, x_admin_token="guess").status_code for _ in range(3)]
    assert statuses[-1] == 429
    assert create(api, x_admin_token=ADMIN_TOKEN).status_code == 201


def test_the_description_says_who_creates_users(closed: AnotherApi, client: httpx.Client) -> None:
    def security(of: httpx.Client) -> list[dict[str, list[str]]] | None:
        description = of.get("/openapi.json").json()
        found: list[dict[str, list[str]]] | None = description["paths"]["/users"]["post"].get(
            "security"
        )
        for scheme in found or []:
            assert scheme.keys() <= description["components"]["securitySchemes"].keys()
        return found

    assert security(closed.client) == [{"admin_bearer": []}, {"admin_header": []}]
    assert security(client) is None


def test_the_log_has_no_secret(closed: AnotherApi, user: User) -> None:
    create(closed, x_admin_token="a wrong guess")
    create(closed, x_admin_token=ADMIN_TOKEN)
    closed.client.get("/users/me", params=user.credentials)
    log = closed.log()
    assert '"/users"' in log
    for secret in (ADMIN_TOKEN, "a wrong guess", user.token):
        assert secret not in log
