"""Every endpoint with another user's credentials, with none and with malformed ones."""

import httpx
import pytest

from tests.api.wire import SHORT_WAV, refused
from tests.conftest import User

OPEN = {
    "POST /users",
    "GET /health/live",
    "GET /health/ready",
    "GET /metrics",
    # The id of a record is its credential.
    "GET /records/{record_id}",
    "GET /records/{record_id}/events",
}
OWNED = {"POST /record", "GET /records", "DELETE /records/{record_id}"}
"""They need a user's token."""
LINKS = {"GET /record"}
"""They need the ids of a record and of its user."""
MALFORMED = [
    {"Authorization": "Bearer"},
    {"Authorization": "Basic YTpi"},
    {"Authorization": "Bearer a b"},
    {"Authorization": b"Bearer \xff\xfe"},
    {"Authorization": "Bearer " + "x" * 10_000},
    {"token": ""},
    {"token": "'; DROP TABLE users; --"},
    {"token": "null"},
]


@pytest.fixture(scope="module")
def owner(client: httpx.Client) -> User:
    created = client.post("/users", json={"name": "owner"}).json()
    return User(client, created["id"], created["token"])


@pytest.fixture(scope="module")
def record_id(owner: User) -> str:
    return str(owner.wait(owner.upload(SHORT_WAV).json()["id"])["id"])


def call(client: httpx.Client, operation: str, record_id: str, **options: object) -> httpx.Response:
    method, path = operation.split()
    files = {"wav_file": ("x.wav", SHORT_WAV)} if method == "POST" else None
    return client.request(method, path.format(record_id=record_id), files=files, **options)  # type: ignore[arg-type]


def test_every_endpoint_is_listed_here(client: httpx.Client) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    operations = {f"{method.upper()} {path}" for path, item in paths.items() for method in item}
    assert operations == OPEN | OWNED | LINKS


@pytest.mark.parametrize("operation", sorted(OWNED))
def test_no_credentials_are_refused(client: httpx.Client, record_id: str, operation: str) -> None:
    answer = call(client, operation, record_id)
    refused(answer, 401, "bad_credentials")
    assert answer.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("headers", MALFORMED, ids=str)
@pytest.mark.parametrize("operation", sorted(OWNED))
def test_malformed_credentials_are_refused(
    client: httpx.Client, record_id: str, operation: str, headers: dict[str, str]
) -> None:
    refused(call(client, operation, record_id, headers=headers), 401, "bad_credentials")


@pytest.mark.parametrize("operation", sorted(OWNED))
def test_ids_and_tokens_of_two_users_are_refused(
    client: httpx.Client, user: User, owner: User, record_id: str, operation: str
) -> None:
    for user_id, token in ((owner.id, user.token), (user.id, owner.token), ("x", owner.token)):
        params = {"user_id": user_id, "token": token}
        refused(call(client, operation, record_id, params=params), 401, "bad_credentials")


def test_another_user_reaches_no_record(user: User, owner: User, record_id: str) -> None:
    deleted = call(user.client, "DELETE /records/{record_id}", record_id, params=user.credentials)
    refused(deleted, 404, "record_not_found")
    for name in ("user_id", "user"):
        answer = user.client.get("/record", params={"id": record_id, name: user.id})
        refused(answer, 404, "record_not_found")
    assert user.client.get("/records", params=user.credentials).json()["records"] == []
    assert len(user.client.get("/records", params=owner.credentials).json()["records"]) == 1


@pytest.mark.parametrize(
    "query", [{}, {"user_id": ""}, {"user_id": "x"}, {"user": "null"}, {"user_id": "' OR 1=1"}]
)
def test_a_link_without_its_user_is_refused(
    client: httpx.Client, record_id: str, query: dict[str, str]
) -> None:
    refused(client.get("/record", params={"id": record_id} | query), 422, "bad_request")


@pytest.mark.parametrize("operation", sorted(OPEN - {"POST /users"}))
def test_open_endpoints_ignore_credentials(
    client: httpx.Client, record_id: str, operation: str
) -> None:
    headers = {"Authorization": "Bearer wrong"}
    assert call(client, operation, record_id, headers=headers).status_code == 200
