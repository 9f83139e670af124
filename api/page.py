"""The files of the web page. They are kept in memory, because each start of the page asks for all of its 50 files."""

from pathlib import Path
from typing import NamedTuple

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, Response
from starlette.routing import Match, Mount
from starlette.staticfiles import NotModifiedResponse, StaticFiles
from starlette.types import Scope

FOLDER = Path(__file__).parent / "static"
INDEX = "index.html"


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
        paths = (path for path in FOLDER.rglob("*") if path.is_file())
        self.files = {path.relative_to(FOLDER).as_posix(): _read(path) for path in paths}

    async def get_response(self, path: str, scope: Scope) -> Response:
        if scope["method"] not in ("GET", "HEAD"):
            raise HTTPException(status_code=405, headers={"Allow": "GET, HEAD"})
        file = self.files[INDEX if path == "." else path]
        if self.is_not_modified(file.headers, Headers(scope=scope)):
            return NotModifiedResponse(file.headers)
        return Response(file.content, headers=dict(file.headers))


def _read(path: Path) -> _File:
    headers = FileResponse(path, stat_result=path.stat()).headers
    # Browsers must ask for each file again, so that they never mix files of two releases.
    headers["Cache-Control"] = "no-cache"
    return _File(path.read_bytes(), headers)
