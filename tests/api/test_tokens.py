"""`GET /users/me`, and the additional tokens of a user."""

from datetime import UTC, datetime, timedelta

import httpx
import pytest

from tests.api.conftest import StartApi
from tests.api.wire import SHORT_WAV, refused
from tests.conftest import User, new_user

TOKENS = "/users/me/tokens"
JSON = {"Content-Type": "application/json"}


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def add(user: User, name: str = "laptop") -> User:
    """Return the same user with another token."""
    created = user.client.post(TOKENS, json={"name": name}, headers=bearer(user.token))
    assert created.status_code == 201, created.text
    assert created.json()["name"] == name
    return User(user.client, user.id, created.json()["token"])


def listed(user: User) -> list[dict[str, object]]:
    answer = user.client.get(TOKENS, headers=bearer(user.token))
    assert answer.status_code == 200, answer.text
    tokens: list[dict[str, object]] = answer.json()["tokens"]
    return tokens


def revoke(user: User, token_id: object) -> httpx.Response:
    return user.client.delete(f"{TOKENS}/{token_id}", headers=bearer(user.token))


def test_a_user_sees_limits_and_use(user: User) -> None:
    def me() -> dict[str, object]:
        shown: dict[str, object] = user.client.get("/users/me", headers=bearer(user.token)).json()
        return shown

    new = me()
    assert (new["id"], new["name"]) == (user.id, "alexander")
    assert (new["stored_bytes"], new["pending_records"]) == (0, 0)
    assert new["max_upload_bytes"] == 64 * 2**30
    assert new["max_stored_bytes"] is None
    record_id = user.upload(SHORT_WAV).json()["id"]
    assert user.wait(record_id)["status"] == "done"
    later = me()
    mp3 = user.client.get(f"/records/{record_id}/mp3").content
    assert (later["stored_bytes"], later["pending_records"]) == (len(mp3), 0)


def test_limits_are_those_of_the_settings(start_api: StartApi) -> None:
    settings = {"MAX_UPLOAD_BYTES": "5000", "MAX_STORED_BYTES": "7000", "MAX_PENDING_RECORDS": "3"}
    user = start_api(settings).user()
    shown = user.client.get("/users/me", params=user.credentials).json()
    assert {name: shown[name.lower()] for name in settings} == {
        name: int(value) for name, value in settings.items()
    }


def test_every_token_of_a_user_works(user: User) -> None:
    for other in (add(user), add(user, "Телефон")):
        record_id = other.upload(SHORT_WAV, f"{other.token}.wav").json()["id"]
        found = user.client.get("/records", params=user.credentials).json()["records"]
        assert record_id in [each["id"] for each in found]
        archive = user.client.get("/records.zip", headers=bearer(other.token))
        assert archive.status_code in (200, 404, 409)
        deleted = user.client.delete(f"/records/{record_id}", headers={"token": other.token})
        assert deleted.status_code == 204


def test_tokens_are_listed_without_secrets(user: User) -> None:
    other = add(user)
    answer = user.client.get(TOKENS, headers=bearer(other.token))
    assert user.token not in answer.text
    assert other.token not in answer.text
    first, second = answer.json()["tokens"]
    assert [each["name"] for each in (first, second)] == ["first", "laptop"]
    assert [each["is_current"] for each in (first, second)] == [False, True]
    now = datetime.now(UTC)
    for each in (first, second):
        assert abs(now - datetime.fromisoformat(each["created_at"])) < timedelta(minutes=5)
        assert each["last_used_on"] in {str(now.date()), str((now - timedelta(days=1)).date())}


def test_a_revoked_token_is_refused_everywhere(user: User) -> None:
    record_id = user.upload(SHORT_WAV).json()["id"]
    user.wait(record_id)
    other = add(user)
    assert len(listed(other)) == 2
    assert revoke(user, listed(user)[1]["id"]).status_code == 204
    headers = bearer(other.token)
    refused(other.upload(SHORT_WAV, "new.wav"), 401, "bad_credentials")
    for method, path in (
        ("GET", "/records"),
        ("GET", "/records.zip"),
        ("GET", "/users/me"),
        ("GET", TOKENS),
        ("POST", TOKENS),
        ("DELETE", f"/records/{record_id}"),
        ("POST", f"/records/{record_id}/retry"),
    ):
        refused(user.client.request(method, path, headers=headers), 401, "bad_credentials")
    assert user.client.get("/records", params=user.credentials).status_code == 200


def test_the_first_token_can_be_replaced(user: User) -> None:
    other = add(user)
    assert revoke(other, listed(other)[0]["id"]).status_code == 204
    refused(user.client.get("/users/me", params=user.credentials), 401, "bad_credentials")
    assert len(listed(other)) == 1


def test_a_token_may_revoke_itself_but_not_the_last(user: User) -> None:
    other = add(user)
    first, second = listed(user)
    assert revoke(other, second["id"]).status_code == 204
    detail = refused(revoke(user, first["id"]), 409, "last_token")
    assert "Create another one first" in detail
    assert len(listed(user)) == 1


def test_anothers_token_is_not_found(client: httpx.Client, user: User) -> None:
    eve = new_user(client)
    add(eve)
    refused(revoke(user, listed(eve)[0]["id"]), 404, "token_not_found")
    assert len(listed(eve)) == 2


def test_the_number_of_tokens_is_limited(user: User) -> None:
    for _ in range(99):
        add(user)
    answer = user.client.post(TOKENS, json={"name": "one more"}, headers=bearer(user.token))
    refused(answer, 409, "too_many_tokens")


@pytest.mark.parametrize(
    "body", ['{"name": ""}', "{}", '{"name": "a\\u0000"}', "[]", '{"name": "a']
)
def test_a_token_needs_a_name(user: User, body: str) -> None:
    headers = JSON | bearer(user.token)
    refused(user.client.post(TOKENS, content=body, headers=headers), 422, "bad_request")


def test_only_json_creates_a_token(user: User) -> None:
    """Web pages of other sites may send other types without asking."""
    answer = user.client.post(TOKENS, content=b'{"name": "eve"}', headers=bearer(user.token))
    refused(answer, 415, "not_json")
