"""Requests with wrong values are refused in plain words."""

import httpx
import pytest

from tests.api.wire import SHORT_WAV, refused
from tests.conftest import User

JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    ("path", "sentences"),
    [
        ("/records/new", "`record_id` must be a UUID. Use the id or the link unchanged."),
        ("/record", "`id` is missing."),
        ("/records?limit=many", "`limit` must be a whole number."),
        ("/records?limit=1000", "`limit` must be at most 100."),
        ("/records?limit=0", "`limit` must be at least 1."),
        (
            "/records?limit=1.5&before=x",
            "`limit` must be a whole number. `before` must be a UUID. Use the id or the link unchanged.",
        ),
    ],
)
def test_a_wrong_value_gets_a_plain_sentence(user: User, path: str, sentences: str) -> None:
    headers = {"Authorization": f"Bearer {user.token}"}
    detail = refused(user.client.get(path, headers=headers), 422, "bad_request")
    assert detail == f"{sentences} See /docs."


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("gain_db", "loud", "`gain_db` must be a number."),
        ("gain_db", "nan", "`gain_db` must be a number."),
        ("if_exists", "ask", "`if_exists` must be 'fail', 'replace' or 'rename'."),
        ("title", "t" * 1001, "`title` must have at most 1000 characters."),
        ("tag_charset", "", "`tag_charset` must not be empty."),
        ("tag_charset", "ü", "`tag_charset` has a character that is not allowed."),
    ],
)
def test_a_wrong_option_gets_a_plain_sentence(
    user: User, name: str, value: str, sentence: str
) -> None:
    answer = user.upload(SHORT_WAV, **{name: value})
    assert refused(answer, 422, "bad_request") == f"{sentence} See /docs."


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"{}", "`name` is missing."),
        (b'{"name": 1}', "`name` must be text."),
        (b'{"name": ""}', "`name` must not be empty."),
        (b"[]", "The body must be a JSON object."),
    ],
)
def test_a_wrong_body_gets_a_plain_sentence(
    client: httpx.Client, body: bytes, sentence: str
) -> None:
    answer = client.post("/users", content=body, headers=JSON)
    assert refused(answer, 422, "bad_request") == f"{sentence} See /docs."
