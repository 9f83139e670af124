"""CORS_ORIGINS: web pages of these origins may call the API."""

import httpx
import pytest

from tests.api.conftest import AnotherApi, StartApi
from tests.api.wire import SHORT_WAV, refused, wire
from tests.conftest import User

ORIGIN, OTHER = "https://app.example", "http://localhost:3000"
FOREIGN = "https://evil.example"


@pytest.fixture(scope="module")
def api(start_api: StartApi) -> AnotherApi:
    limits = {"MAX_NEW_USERS_PER_HOUR": "2"}
    return start_api({"CORS_ORIGINS": f"{ORIGIN}, {OTHER}"} | limits)


@pytest.fixture(scope="module")
def open_to_all(start_api: StartApi) -> AnotherApi:
    return start_api({"CORS_ORIGINS": "*"})


def preflight(
    client: httpx.Client, path: str, method: str, headers: str = "", origin: str = ORIGIN
) -> httpx.Response:
    asked = {"Origin": origin, "Access-Control-Request-Method": method}
    if headers:
        asked["Access-Control-Request-Headers"] = headers
    return client.options(path, headers=asked)


@pytest.mark.parametrize("origin", [ORIGIN, OTHER])
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
def test_a_preflight_is_answered(api: AnotherApi, origin: str, method: str) -> None:
    names = "authorization, content-type, prefer, last-event-id, idempotency-key, range, token"
    answer = preflight(api.client, "/records/x", method, names, origin)
    assert answer.status_code == 200
    assert answer.headers["Access-Control-Allow-Origin"] == origin
    assert method in answer.headers["Access-Control-Allow-Methods"]
    assert answer.headers["Access-Control-Allow-Headers"] == names
    assert "Access-Control-Allow-Credentials" not in answer.headers


def test_another_origin_is_refused(api: AnotherApi) -> None:
    answer = preflight(api.client, "/records", "GET", origin=FOREIGN)
    refused(answer, 403, "origin_not_allowed")
    assert "Access-Control-Allow-Origin" not in answer.headers
    plain = api.client.get("/health/live", headers={"Origin": FOREIGN})
    assert plain.status_code == 200
    assert "Access-Control-Allow-Origin" not in plain.headers
    assert "Origin" in plain.headers["Vary"]


def test_scripts_may_read_the_headers(api: AnotherApi, user: User) -> None:
    mine = User(api.client, user.id, user.token)
    headers = {"Origin": ORIGIN}
    accepted = api.client.post(
        "/record",
        params=mine.credentials,
        files={"wav_file": ("a.wav", SHORT_WAV)},
        headers=headers,
    )
    exposed = accepted.headers["Access-Control-Expose-Headers"].split(", ")
    assert {"Location", "Retry-After", "Preference-Applied", "Content-Disposition"} <= {*exposed}
    assert accepted.headers["Access-Control-Allow-Origin"] == ORIGIN
    mp3 = api.client.get(accepted.json()["download_link"], headers=headers)
    assert mp3.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert {"Accept", "Origin"} <= {
        name
        for value in api.client.get(
            f"/records/{accepted.json()['id']}/waveform", headers=headers
        ).headers.get_list("Vary")
        for name in value.split(", ")
    }


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing", 404),
        ("GET", "/records", 401),
        ("POST", "/users", 415),
        ("PUT", "/records", 405),
        ("GET", "/records/x", 422),
        ("GET", "/record?id=7c9e6679-7425-40de-944b-e07fc1f90ae7&user_id=x", 422),
    ],
)
def test_errors_can_be_read(api: AnotherApi, method: str, path: str, status: int) -> None:
    answer = api.client.request(method, path, headers={"Origin": ORIGIN})
    assert answer.status_code == status
    assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN


def test_rate_limits_can_be_read(api: AnotherApi) -> None:
    for _ in range(3):
        answer = api.client.post("/users", json={"name": "x"}, headers={"Origin": ORIGIN})
    refused(answer, 429, "too_many_new_users")
    assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert "Retry-After" in answer.headers["Access-Control-Expose-Headers"]


def test_every_origin_may_be_allowed(open_to_all: AnotherApi) -> None:
    answer = open_to_all.client.get("/health/live", headers={"Origin": FOREIGN})
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    answer = preflight(open_to_all.client, "/records", "DELETE", "authorization", FOREIGN)
    assert answer.headers["Access-Control-Allow-Origin"] == "*"


def test_malformed_requests_can_be_read(open_to_all: AnotherApi) -> None:
    """The middleware does not see malformed requests."""
    with wire(open_to_all.url) as connection:
        connection.send(b"GARBAGE\r\n\r\n")
        answer = connection.answer()
    assert answer.status_code == 400
    assert answer.headers["Access-Control-Allow-Origin"] == "*"


def test_no_origin_is_allowed_by_default(client: httpx.Client) -> None:
    for answer in (
        client.get("/health/live", headers={"Origin": ORIGIN}),
        preflight(client, "/records", "DELETE"),
    ):
        assert not [name for name in answer.headers if name.startswith("access-control")]
