"""Tokens: each proves its user, and one always remains."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import event, update

from shared import db
from shared.db import Identity, Token
from shared.errors import LastToken, TokenNotFound, TooManyTokens
from tests.shared.db.rows import add_user

pytestmark = pytest.mark.usefixtures("database")


def add(user_id: UUID, name: str = "a token") -> tuple[UUID, str]:
    with db.transaction() as session:
        secret = str(uuid4())
        return db.tokens.create(session, user_id, name, secret).id, secret


def identify(secret: str) -> Identity | None:
    with db.transaction() as session:
        return db.tokens.identify(session, secret)


def revoke(user_id: UUID, token_id: UUID) -> None:
    with db.transaction() as session:
        db.tokens.revoke(session, user_id, token_id)


def listed(user_id: UUID) -> list[Token]:
    with db.transaction() as session:
        return list(db.tokens.of_user(session, user_id))


def test_each_token_proves_its_user() -> None:
    user_id, other_id = add_user(), add_user()
    (first, secret), (second, other_secret) = add(user_id), add(user_id)
    add(other_id)
    assert identify(secret) == (user_id, first)
    assert identify(other_secret) == (user_id, second)
    assert identify("unknown") is None
    assert [token.id for token in listed(user_id)] == [first, second]


def test_a_secret_is_not_stored() -> None:
    user_id = add_user()
    _, secret = add(user_id)
    (token,) = listed(user_id)
    assert secret.encode() not in token.token_hash
    assert len(token.token_hash) == 32


def test_a_revoked_token_proves_nothing() -> None:
    user_id = add_user()
    (first, secret), _ = add(user_id), add(user_id)
    revoke(user_id, first)
    assert identify(secret) is None
    with pytest.raises(TokenNotFound):
        revoke(user_id, first)


def test_the_last_token_is_not_revoked() -> None:
    user_id = add_user()
    token_id, secret = add(user_id)
    with pytest.raises(LastToken):
        revoke(user_id, token_id)
    assert identify(secret) == (user_id, token_id)


def test_anothers_token_is_not_found() -> None:
    user_id, other_id = add_user(), add_user()
    add(user_id)
    add(user_id)
    token_id, secret = add(other_id)
    for unknown in (token_id, uuid4()):
        with pytest.raises(TokenNotFound):
            revoke(user_id, unknown)
    assert identify(secret) is not None


def outcome(function: Callable[..., object], *arguments: object) -> type[Exception] | None:
    try:
        function(*arguments)
    except (LastToken, TooManyTokens) as error:
        return type(error)
    return None


def test_one_of_two_racing_revocations_is_refused() -> None:
    for _ in range(5):
        user_id = add_user()
        ids = [add(user_id)[0] for _ in range(2)]
        with ThreadPoolExecutor(2) as threads:
            outcomes = list(threads.map(lambda each, of=user_id: outcome(revoke, of, each), ids))
        assert set(outcomes) == {None, LastToken}
        assert len(listed(user_id)) == 1


def test_the_number_of_tokens_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(db.tokens, "MAX_TOKENS", 3)
    user_id = add_user()
    with ThreadPoolExecutor(6) as threads:
        outcomes = list(threads.map(lambda _: outcome(add, user_id), range(6)))
    assert outcomes.count(None) == 3
    assert outcomes.count(TooManyTokens) == 3


def test_a_use_is_noted_once_a_day() -> None:
    user_id = add_user()
    token_id, secret = add(user_id)
    (token,) = listed(user_id)
    assert token.last_used_on is None
    assert count_updates(lambda: identify(secret)) == 1
    (token,) = listed(user_id)
    today = token.last_used_on
    assert today is not None
    assert abs(today - token.created_at.date()) <= timedelta(days=1)
    assert count_updates(lambda: identify(secret)) == 0
    with db.transaction() as session:
        yesterday = today - timedelta(days=1)
        session.execute(update(Token).where(Token.id == token_id).values(last_used_on=yesterday))
    assert identify(secret) == (user_id, token_id)
    (token,) = listed(user_id)
    assert token.last_used_on == today


def count_updates(act: Callable[[], object]) -> int:
    statements: list[str] = []

    def note(*arguments: object) -> None:
        statements.append(str(arguments[2]))

    engine = db.get_engine()
    event.listen(engine, "before_cursor_execute", note)
    act()
    event.remove(engine, "before_cursor_execute", note)
    return sum(each.startswith("UPDATE") for each in statements)
