"""The files of the web page."""

from pathlib import Path

import httpx
import pytest

FOLDER = Path(__file__).resolve().parents[2] / "api" / "static"
FILES = sorted(path.relative_to(FOLDER).as_posix() for path in FOLDER.rglob("*.*"))


def test_every_file_is_served_unchanged(client: httpx.Client) -> None:
    assert FILES
    for path in FILES:
        assert client.get(f"/{path}").content == (FOLDER / path).read_bytes()


@pytest.mark.parametrize("path", ["/", "/index.html", "/style/page.css"])
def test_a_known_file_is_not_sent_again(client: httpx.Client, path: str) -> None:
    first = client.get(path)
    again = client.get(path, headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["Cache-Control"] == "no-cache"
    another = client.get(path, headers={"If-None-Match": '"another"'})
    assert (another.status_code, another.content) == (200, first.content)
