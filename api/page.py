"""The files of the web page. They are kept in memory, because each start of the page asks for many of its 50 files.

The page names its files with the release in their paths, so that a browser asks for each file once per release, and
never mixes files of two releases. The release is a hash of all files.
"""

import hashlib
import re
from collections.abc import Mapping
from mimetypes import guess_type
from pathlib import Path
from typing import NamedTuple

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Match, Mount
from starlette.staticfiles import NotModifiedResponse, StaticFiles
from starlette.types import Scope

FOLDER = Path(__file__).parent / "static"
INDEX = "index.html"
OWN_FILE = re.compile(rb'((?:href|src)=")([\w/]+\.(?:css|js|svg)")')
ASK_AGAIN = "no-cache"
KEEP = "public, max-age=31536000, immutable"


class _File(NamedTuple):
    content: bytes
    headers: Headers


class PageRoute(Mount):
    """Matches the files of the web page alone. A mount at "/" would hide the 405 answers of other routes."""

    def __init__(self) -> None:
        page = _Page()
        super().__init__("/", page)
        self._paths = {"/", *(f"/{path}" for path in page.files)}

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        return super().matches(scope) if scope["path"] in self._paths else (Match.NONE, {})


class _Page(StaticFiles):
    def __init__(self) -> None:
        super().__init__(directory=FOLDER)
        self.files = _files()

    async def get_response(self, path: str, scope: Scope) -> Response:
        if scope["method"] not in ("GET", "HEAD"):
            raise HTTPException(status_code=405, headers={"Allow": "GET, HEAD"})
        file = self.files[INDEX if path == "." else path]
        if self.is_not_modified(file.headers, Headers(scope=scope)):
            return NotModifiedResponse(file.headers)
        return Response(file.content, headers=dict(file.headers))


def _files() -> dict[str, _File]:
    """Return each file by its path, and once more by its path in the release."""
    paths = sorted(path for path in FOLDER.rglob("*") if path.is_file())
    contents = {path.relative_to(FOLDER).as_posix(): path.read_bytes() for path in paths}
    release = _release(contents)
    contents[INDEX] = OWN_FILE.sub(rb"\g<1>%b/\2" % release.encode(), contents[INDEX])
    found = {path: _file(path, content, release, ASK_AGAIN) for path, content in contents.items()}
    kept = {path: _file(path, content, release, KEEP) for path, content in contents.items()}
    return found | {f"{release}/{path}": file for path, file in kept.items()}


def _release(contents: Mapping[str, bytes]) -> str:
    digest = hashlib.sha256(repr(sorted(contents)).encode())
    for _, content in sorted(contents.items()):
        digest.update(hashlib.sha256(content).digest())
    return digest.hexdigest()[:16]


def _file(path: str, content: bytes, release: str, cache_control: str) -> _File:
    headers = {"ETag": f'"{release}"', "Cache-Control": cache_control}
    return _File(
        content, Response(content, media_type=guess_type(path)[0], headers=headers).headers
    )
