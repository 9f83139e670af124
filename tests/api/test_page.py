"""The files of the web page."""

import re
from pathlib import Path

import httpx
import pytest

FOLDER = Path(__file__).resolve().parents[2] / "api" / "static"
FILES = sorted(path.relative_to(FOLDER).as_posix() for path in FOLDER.rglob("*.*"))


OWN_LINK = re.compile(r'(?:href|src)="([^"#]+\.\w+)"')


def test_every_file_is_kept_for_its_release(client: httpx.Client) -> None:
    links = OWN_LINK.findall(client.get("/").text)
    release = links[0].split("/")[0]
    assert {link.removeprefix(f"{release}/") for link in links} < set(FILES)
    for path in set(FILES) - {"index.html"}:
        answer = client.get(f"/{release}/{path}")
        assert answer.content == (FOLDER / path).read_bytes()
        assert "immutable" in answer.headers["Cache-Control"]


def test_a_file_of_another_release_is_not_found(client: httpx.Client) -> None:
    assert client.get("/0123456789abcdef/app.js").status_code == 404


@pytest.mark.parametrize("path", ["/", "/index.html", "/style/page.css"])
def test_a_known_file_is_not_sent_again(client: httpx.Client, path: str) -> None:
    first = client.get(path)
    again = client.get(path, headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["Cache-Control"] == "no-cache"
    another = client.get(path, headers={"If-None-Match": '"another"'})
    assert (another.status_code, another.content) == (200, first.content)
