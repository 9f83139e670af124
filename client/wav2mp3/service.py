"""HTTP calls of one service.

An error answer becomes a Wav2mp3Error. `persist` repeats an attempt if the connection is lost
or the service is busy.
"""

import io
import itertools
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import httpx

from wav2mp3.errors import Stopped, Wav2mp3Error

TEMPORARY = (408, 429, 502, 503, 504)
FIRST_PAUSE_S = 0.5
MAX_PAUSE_S = 30.0
TIMEOUT = httpx.Timeout(60, connect=10)
LOOPBACK = ("localhost", "127.0.0.1", "::1")

T = TypeVar("T")
Watch = Callable[[str, float], object]
"""Receives the stage (uploading, queued, converting, downloading, waiting) and its finished fraction."""


def ignore(_stage: str, _fraction: float) -> None:
    """Ignore the progress."""


def checked_url(text: str) -> str:
    """Return the address with its scheme and without a slash at the end. Raises Wav2mp3Error."""
    url = (text if "://" in text else f"http://{text}").rstrip("/")
    try:
        parsed = httpx.URL(url)
        is_usable = parsed.scheme in ("http", "https") and bool(parsed.host)
    except httpx.InvalidURL:
        is_usable = False
    if not is_usable:
        raise Wav2mp3Error(f"{text} is not an address. Write it as http://host:8000.", "bad_url")
    return url


class Service:
    def __init__(self, url: str, token: str | None = None, patience_s: float = 300) -> None:
        self.url = checked_url(url)
        self.stop = threading.Event()
        """Once this event is set, every call ends with Stopped."""
        self._base = httpx.URL(self.url)
        self._token = token
        self._patience_s = patience_s
        self._lost_at: float | None = None
        self._http = httpx.Client(
            base_url=self.url,
            auth=self._authorize,
            timeout=TIMEOUT,
            # A proxy of the caller's shell cannot reach this machine.
            trust_env=self._base.host not in LOOPBACK,
            headers={"Accept-Encoding": "identity", "User-Agent": "wav2mp3-client"},
        )

    def _authorize(self, request: httpx.Request) -> httpx.Request:
        """Add the token, unless a link leads to another host."""
        to, base = request.url, self._base
        if self._token and (to.scheme, to.host, to.port) == (base.scheme, base.host, base.port):
            request.headers["Authorization"] = f"Bearer {self._token}"
        return request

    def close(self) -> None:
        self._http.close()

    def call(
        self,
        method: str,
        path: str,
        watch: Watch = ignore,
        **arguments: Any,
    ) -> Any:
        """Return the JSON of an answer, or None if it has no body."""
        return self.persist(lambda: self.request(method, path, **arguments), watch)

    def request(self, method: str, path: str, **arguments: Any) -> Any:
        """Call once. Raises httpx.TransportError, Wav2mp3Error."""
        with self.stream(method, path, **arguments) as response:
            content = response.read()
        try:
            return response.json() if content else None
        except ValueError:
            raise self._error(response) from None

    @contextmanager
    def stream(self, method: str, path: str | None, **arguments: Any) -> Iterator[httpx.Response]:
        """Call once and leave the body to the caller. Raises httpx.TransportError, Wav2mp3Error."""
        with self._http.stream(method, path or "", **arguments) as response:
            if not response.is_success:
                response.read()
                raise self._error(response)
            self._lost_at = None
            yield response

    def blocks(self, response: httpx.Response) -> Iterator[bytes]:
        """Yield the body as it arrives."""
        for block in response.iter_raw():
            self._lost_at = None
            self.pause(0)
            yield block

    def pause(self, seconds: float) -> None:
        if self.stop.wait(seconds):
            raise Stopped

    def persist(self, attempt: Callable[[], T], watch: Watch = ignore) -> T:
        """Repeat an attempt that may succeed later. Give up after `patience_s` without any answer."""
        for number in itertools.count():
            try:
                return attempt()
            except httpx.TransportError as lost:
                error = Wav2mp3Error(
                    f"There is no answer from {self.url} ({lost}). Check the address, and check that the service runs.",
                    "no_answer",
                    is_temporary=True,
                )
            except Wav2mp3Error as refused:
                error = refused
            if not error.is_temporary:
                self._lost_at = None
                raise error
            pause_s = error.retry_after_s or min(FIRST_PAUSE_S * 2**number, MAX_PAUSE_S)
            now = time.monotonic()
            self._lost_at = self._lost_at or now
            if now + pause_s > self._lost_at + self._patience_s:
                raise error
            watch("waiting", 0)
            self.pause(pause_s)
        raise AssertionError

    def _error(self, response: httpx.Response) -> Wav2mp3Error:
        """Return the service's own sentence, or explain an answer that is not from the service."""
        status, location = response.status_code, response.headers.get("Location")
        try:
            problem = response.json()
            detail, code = problem["detail"], problem["code"]
        except (ValueError, TypeError, KeyError):
            problem, code = {}, "foreign_answer"
            detail = f"{self.url} answered {status}, which is not an answer of wav2mp3. Check the address."
            if response.has_redirect_location:
                detail = f"{self.url} redirects to {location}. Log in with that address."
        retry_after = response.headers.get("Retry-After", "")
        return Wav2mp3Error(
            detail,
            code,
            record_id=problem.get("record_id"),
            is_temporary=status in TEMPORARY or retry_after.isdecimal(),
            retry_after_s=float(retry_after) if retry_after.isdecimal() else None,
        )


class WatchedFile(io.FileIO):
    """Reports how much of the file was read."""

    def __init__(self, path: str | Path, watch: Watch, service: Service) -> None:
        super().__init__(path)
        self._watch = watch
        self._service = service
        self._size_bytes = os.fstat(self.fileno()).st_size

    def read(self, size: int | None = -1) -> bytes:
        self._service.pause(0)
        block = super().read(-1 if size is None else size) or b""
        self._watch("uploading", self.tell() / max(self._size_bytes, 1))
        return block
