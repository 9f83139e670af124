"""Errors of the database, as its clients see them."""

import httpx
import psycopg2
import psycopg2.errorcodes
import psycopg2.errors
import pytest
import sqlalchemy.exc
from sqlalchemy import create_engine, text

from api.problems import from_database_error, problem
from local.stack import Stack
from shared.errors import Unavailable, Wav2mp3Error
from tests.api.conftest import StartApi
from tests.api.wire import SHORT_WAV, refused
from tests.conftest import User, fresh_settings, migrate, new_database

TRANSIENT = {
    "CONNECTION_FAILURE", "READ_ONLY_SQL_TRANSACTION", "SERIALIZATION_FAILURE", "DEADLOCK_DETECTED", "DISK_FULL",
    "OUT_OF_MEMORY", "TOO_MANY_CONNECTIONS", "ADMIN_SHUTDOWN", "CRASH_SHUTDOWN", "CANNOT_CONNECT_NOW",
    "QUERY_CANCELED", "LOCK_NOT_AVAILABLE", "IO_ERROR", "IDLE_IN_TRANSACTION_SESSION_TIMEOUT", "INVALID_PASSWORD",
    "INVALID_CATALOG_NAME", "UNDEFINED_TABLE", "UNDEFINED_COLUMN",
}  # fmt: skip
BUGS = {
    "SYNTAX_ERROR", "UNIQUE_VIOLATION", "NUMERIC_VALUE_OUT_OF_RANGE", "INSUFFICIENT_PRIVILEGE",
    "FEATURE_NOT_SUPPORTED", "IN_FAILED_SQL_TRANSACTION", "DATA_CORRUPTED", "OBJECT_NOT_IN_PREREQUISITE_STATE",
}  # fmt: skip


class WithState(psycopg2.Error):
    """libpq sets the SQLSTATE of real ones."""

    def __init__(self, sqlstate: str | None) -> None:
        super().__init__()
        self.sqlstate = sqlstate

    @property
    def pgcode(self) -> str | None:  # type: ignore[override]
        return self.sqlstate


def wrapped(error: Exception) -> sqlalchemy.exc.DBAPIError:
    return sqlalchemy.exc.DBAPIError("SELECT 1", None, error)


@pytest.mark.parametrize(
    ("code", "title"),
    [
        ("upload_too_large", "Content Too Large"),
        ("bad_range", "Range Not Satisfiable"),
        ("bad_wav", "Unprocessable Content"),
        ("filename_taken", "Conflict"),
    ],
)
def test_titles_are_those_of_rfc_9110(code: str, title: str) -> None:
    assert problem(code, "").title == title


@pytest.mark.parametrize("name", sorted(TRANSIENT | BUGS))
def test_every_sqlstate_has_an_error(name: str) -> None:
    error = WithState(getattr(psycopg2.errorcodes, name))
    expected = Unavailable if name in TRANSIENT else Wav2mp3Error
    assert type(from_database_error(error)) is expected
    assert type(from_database_error(wrapped(error))) is expected


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (psycopg2.OperationalError(), Unavailable),
        (psycopg2.InterfaceError(), Unavailable),
        (psycopg2.DatabaseError(), Unavailable),
        (psycopg2.ProgrammingError(), Wav2mp3Error),
        (psycopg2.IntegrityError(), Wav2mp3Error),
    ],
)
def test_errors_without_sqlstate_have_one_too(
    error: Exception, expected: type[Wav2mp3Error]
) -> None:
    assert type(from_database_error(error)) is expected
    assert type(from_database_error(wrapped(error))) is expected


BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"
JAVA = "text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2"


@pytest.mark.parametrize("accept", [BROWSER, "text/html"])
def test_a_browser_gets_a_page(user: User, accept: str) -> None:
    record_id = user.upload(SHORT_WAV).json()["id"]
    user.client.delete(f"/records/{record_id}", params=user.credentials)
    link = f"/record?id={record_id}&user_id={user.id}"
    answer = user.client.get(link, headers={"Accept": accept})
    assert answer.status_code == 410
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'; base-uri")
    assert answer.headers["Cache-Control"] == "no-store"
    assert f"<p>{user.client.get(link).json()['detail']}</p>" in answer.text


def test_a_page_escapes_its_text_and_keeps_headers(client: httpx.Client) -> None:
    found = client.post("/records?<b>=1", headers={"Accept": BROWSER, "Authorization": "Bearer x"})
    assert "`&lt;b&gt;` is not a query parameter" in found.text
    assert client.get("/users", headers={"Accept": BROWSER}).headers["Allow"] == "OPTIONS, POST"


@pytest.mark.parametrize("accept", ["*/*", "application/json", JAVA])
def test_other_clients_get_json(client: httpx.Client, accept: str) -> None:
    refused(client.get("/nothing", headers={"Accept": accept}), 404, "not_found")


def test_an_exhausted_pool_is_unavailable() -> None:
    assert type(from_database_error(sqlalchemy.exc.TimeoutError())) is Unavailable
    assert type(from_database_error(sqlalchemy.exc.NoResultFound())) is Wav2mp3Error


def test_a_read_only_database_is_unavailable(
    stack: Stack, start_api: StartApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = new_database(stack)
    monkeypatch.setenv("DATABASE_URL", url)
    for name in ("REDIS_URL", "MEDIA_DIR"):
        monkeypatch.setenv(name, stack.environment[name])
    with fresh_settings():
        migrate()
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        database = connection.engine.url.database
        connection.execute(
            text(f"ALTER DATABASE {database} SET default_transaction_read_only = on")
        )
    engine.dispose()
    answer: httpx.Response = start_api({"DATABASE_URL": url}).client.post(
        "/users", json={"name": "alexander"}
    )
    refused(answer, 503, "unavailable")
    assert int(answer.headers["Retry-After"]) > 0
