"""LINK_TTL_S: links are signed and expire, and a record's id alone opens nothing."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from urllib.parse import parse_qs, urlencode, urlsplit, urlunsplit
from uuid import UUID

import httpx
import pytest

from local.stack import Stack
from shared.links import LinkKind, LinkSigner
from tests.api.conftest import AnotherApi, StartApi
from tests.api.test_credentials import OF_ONE_RECORD
from tests.api.wire import SHORT_WAV, refused
from tests.conftest import User
from tests.waiting import until

KEY, OLD_KEY = "a key of the operator", "the key of last month"
TTL_S = 1000
STATUS_PATHS = ["/records/{id}", "/records/{id}/events", "/records/{id}/waveform"]
DOWNLOAD_PATHS = ["/records/{id}/mp3", "/record?id={id}&user_id={user_id}"]
PATHS = STATUS_PATHS + DOWNLOAD_PATHS


@pytest.fixture(scope="module")
def api(start_api: StartApi) -> AnotherApi:
    return start_api({"LINK_TTL_S": str(TTL_S), "LINK_KEYS": f"{KEY},{OLD_KEY}"})


@pytest.fixture(scope="module")
def owner(api: AnotherApi) -> User:
    return api.user()


@pytest.fixture(scope="module")
def record(owner: User) -> dict[str, str]:
    """A finished record."""
    accepted = owner.upload(SHORT_WAV)
    link = accepted.json()["status_link"]
    shown: dict[str, str] = owner.client.get(link, headers={"Prefer": "wait=30"}).json()
    assert shown["status"] == "done"
    return shown


@pytest.fixture
def open_path(record: dict[str, str], owner: User) -> Callable[..., httpx.Response]:
    """Return a function that calls a path of the record with more parameters."""

    def send(path: str, method: str = "GET", **sent: str | int) -> httpx.Response:
        url = path.format(id=record["id"], user_id=owner.id)
        headers = (
            {"Authorization": str(sent.pop("authorization"))} if "authorization" in sent else {}
        )
        query = ("&" if "?" in url else "?") + urlencode(sent) if sent else ""
        return owner.client.request(method, url + query, headers=headers)

    return send


Open = Callable[..., httpx.Response]


def signed(kind: LinkKind, record_id: str, key: str = KEY, age_s: float = 0) -> dict[str, str]:
    """Return the parameters of a link that was made `age_s` ago."""
    query = LinkSigner([key], TTL_S).sign(kind, UUID(record_id), time.time() - age_s)
    return {name: values[0] for name, values in parse_qs(query).items()}


def kind_of(path: str) -> LinkKind:
    return LinkKind.STATUS if path in STATUS_PATHS else LinkKind.DOWNLOAD


def changed(link: str, **values: str | None) -> str:
    """Return a link with other parameters. None removes one."""
    parts = urlsplit(link)
    query = {name: found[0] for name, found in parse_qs(parts.query).items()} | values
    sent = {name: value for name, value in query.items() if value is not None}
    return urlunsplit(parts._replace(query=urlencode(sent)))


@pytest.mark.parametrize("path", PATHS)
def test_the_id_alone_opens_nothing(open_path: Open, path: str) -> None:
    answer = open_path(path)
    assert "The id alone does not open this record" in refused(answer, 401, "bad_credentials")
    assert open_path(path, "HEAD").status_code == 401


@pytest.mark.parametrize("path", PATHS)
def test_an_unknown_id_looks_like_a_known_one(owner: User, path: str) -> None:
    answer = owner.client.get(path.format(id=UUID(int=5), user_id=owner.id))
    refused(answer, 401, "bad_credentials")


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "spelling", ["{}", "{{{}}}", "urn:uuid:{}", "{} ", "URN:UUID:{}", "0x{}", "x"]
)
def test_another_spelling_of_the_id_opens_nothing(
    owner: User, record: dict[str, str], path: str, spelling: str
) -> None:
    hexadecimal = record["id"].replace("-", "").upper()
    for spelt in (spelling.format(record["id"]), spelling.format(hexadecimal)):
        answer = owner.client.get(path.format(id=spelt, user_id=owner.id))
        assert answer.status_code in (401, 422), answer.text


def test_every_call_of_one_record_is_tested() -> None:
    named = {path.partition("?")[0].replace("{id}", "{record_id}") for path in PATHS}
    assert {("GET", path) for path in named} == OF_ONE_RECORD


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("key", [KEY, OLD_KEY])
def test_a_signed_link_opens(open_path: Open, record: dict[str, str], path: str, key: str) -> None:
    link = signed(kind_of(path), record["id"], key)
    answer = open_path(path, **link)
    assert answer.status_code == 200, answer.text
    assert open_path(path, "HEAD", **link).status_code == 200


@pytest.mark.parametrize("path", PATHS)
def test_an_expired_link_is_gone(open_path: Open, record: dict[str, str], path: str) -> None:
    expired = signed(kind_of(path), record["id"], age_s=TTL_S + 1)
    refused(open_path(path, **expired), 410, "link_expired")


@pytest.mark.parametrize("path", PATHS)
def test_a_changed_link_is_forbidden(open_path: Open, record: dict[str, str], path: str) -> None:
    kind, record_id = kind_of(path), record["id"]
    good = signed(kind, record_id)
    other_kind = LinkKind.DOWNLOAD if kind == LinkKind.STATUS else LinkKind.STATUS
    for wrong in (
        good | {"expires": str(int(good["expires"]) + 1)},
        good | {"expires": "9" * 30},
        good | {"expires": f"{good['expires']}.0"},
        good | {"expires": "٣"},
        good | {"signature": good["signature"][:-1]},
        good | {"signature": ""},
        good | {"signature": "подпись"},
        {"expires": good["expires"]},
        {"signature": good["signature"]},
        signed(other_kind, record_id),
        signed(kind, str(UUID(int=5))),
        signed(kind, record_id, "a key of somebody else"),
    ):
        refused(open_path(path, **wrong), 403, "bad_signature")


def test_a_download_link_needs_its_own_user(record: dict[str, str], owner: User) -> None:
    link = record["download_link"]
    other = changed(link, user_id=str(UUID(int=5)))
    refused(owner.client.get(other), 404, "record_not_found")
    refused(owner.client.get(changed(link, id=str(UUID(int=5)))), 403, "bad_signature")


@pytest.mark.parametrize("path", PATHS)
def test_the_owners_token_opens(open_path: Open, owner: User, path: str) -> None:
    assert open_path(path, token=owner.token).status_code == 200
    assert open_path(path, authorization=f"Bearer {owner.token}").status_code == 200
    # an expired link works too, as on a page that was open overnight
    expired = {"expires": 1, "signature": "x", "token": owner.token}
    assert open_path(path, **expired).status_code == 200


@pytest.mark.parametrize("path", PATHS)
def test_another_token_opens_nothing(open_path: Open, user: User, path: str) -> None:
    refused(open_path(path, token=user.token), 404, "record_not_found")
    refused(open_path(path, token="unknown"), 401, "bad_credentials")
    refused(open_path(path, authorization="Basic eDp5"), 401, "bad_credentials")


def test_a_signed_link_ignores_other_credentials(open_path: Open, record: dict[str, str]) -> None:
    """A proxy may have credentials of its own."""
    link = signed(LinkKind.STATUS, record["id"])
    assert open_path(STATUS_PATHS[0], authorization="Basic eDp5", **link).status_code == 200


def test_a_record_has_fresh_links(record: dict[str, str], owner: User) -> None:
    for name in ("status_link", "events_link", "waveform_link", "download_link"):
        answer = owner.client.get(record[name])
        assert answer.status_code == 200, name
        expires_s = int(parse_qs(urlsplit(record[name]).query)["expires"][0])
        assert 0.8 * TTL_S < expires_s - time.time() <= TTL_S
    assert owner.client.head(record["download_link"]).status_code == 200
    ranged = owner.client.get(record["download_link"], headers={"Range": "bytes=0-2"})
    assert (ranged.status_code, ranged.content) == (206, b"ID3")


def test_every_answer_has_links_that_open(owner: User) -> None:
    accepted = owner.upload(SHORT_WAV, "new.wav")
    links = [accepted.headers["Location"], accepted.json()["status_link"]]
    for link in links:
        assert owner.client.get(link, headers={"Prefer": "wait=30"}).json()["status"] == "done"
    assert owner.client.get(accepted.json()["download_link"]).status_code == 200
    listed = owner.client.get("/records", params=owner.credentials).json()["records"]
    assert all(owner.client.get(each["status_link"]).is_success for each in listed)
    with owner.client.stream("GET", listed[0]["events_link"]) as events:
        data = next(line for line in events.iter_lines() if line.startswith("data: "))
    assert "signature=" in data


def test_a_stream_outlives_its_link(
    owner: User, frozen_workers: AbstractContextManager[None]
) -> None:
    with frozen_workers:
        record_id = owner.upload(SHORT_WAV, "waiting.wav").json()["id"]
        path = f"/records/{record_id}"
        query = LinkSigner([KEY], 3).sign(LinkKind.STATUS, UUID(record_id), time.time())
        with owner.client.stream("GET", f"{path}/events?{query}") as events:
            assert events.status_code == 200
            until(lambda: owner.client.get(f"{path}?{query}").status_code == 410)
            owner.client.delete(path, params=owner.credentials)
            assert "event: deleted" in list(events.iter_lines())


def test_links_stay_open_without_the_setting(
    record: dict[str, str], stack: Stack, owner: User
) -> None:
    """This includes the links of the first version, and signed links from the time when LINK_TTL_S was set."""
    for path in PATHS:
        url = stack.api_url + path.format(id=record["id"], user_id=owner.id)
        assert httpx.get(url, trust_env=False).status_code == 200
        signature = ("&" if "?" in url else "?") + "expires=1&signature=x"
        assert httpx.get(url + signature, trust_env=False).status_code == 200


def test_a_deleted_record_is_gone(owner: User) -> None:
    accepted = owner.upload(SHORT_WAV, "deleted.wav").json()
    path = f"/records/{accepted['id']}"
    assert owner.client.delete(path, params=owner.credentials).status_code == 204
    refused(owner.client.get(accepted["status_link"]), 410, "record_gone")
    refused(owner.client.get(path), 401, "bad_credentials")


def test_the_log_has_no_signature(api: AnotherApi, record: dict[str, str], owner: User) -> None:
    owner.client.get(record["status_link"])
    signature = parse_qs(urlsplit(record["status_link"]).query)["signature"][0]
    log = api.log()
    assert record["id"] in log
    assert not [secret for secret in (signature, KEY, OLD_KEY, owner.token) if secret in log]


def test_the_description_lets_clients_authenticate(api: AnotherApi, client: httpx.Client) -> None:
    def security(of: httpx.Client) -> list[object]:
        paths = of.get("/openapi.json").json()["paths"]
        found = (calls["get"] for calls in paths.values() if "get" in calls)
        return [each.get("security", [])[:1] for each in found]

    assert security(api.client).count([{}]) == 5
    assert security(client).count([{}]) == 0
