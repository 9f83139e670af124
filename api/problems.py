"""Turns every error into an answer: an RFC 9457 problem, on every path."""

from collections.abc import Mapping
from http import HTTPStatus

import psycopg2
import sqlalchemy.exc
import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from api.http import allowed_methods, status_title
from api.invalid_requests import explain
from api.problem_answers import ProblemResponse
from api.schemas import FilenameTakenProblem, NotReadyProblem, Problem
from shared import errors
from shared.errors import Wav2mp3Error

STATUS: dict[type[Wav2mp3Error], HTTPStatus] = {
    errors.BadCredentials: HTTPStatus.UNAUTHORIZED,
    errors.RegistrationClosed: HTTPStatus.FORBIDDEN,
    errors.BadSignature: HTTPStatus.FORBIDDEN,
    errors.RecordNotFound: HTTPStatus.NOT_FOUND,
    errors.TokenNotFound: HTTPStatus.NOT_FOUND,
    errors.NoWaveform: HTTPStatus.NOT_FOUND,
    errors.UploadTimeout: HTTPStatus.REQUEST_TIMEOUT,
    errors.RecordNotReady: HTTPStatus.CONFLICT,
    errors.RecordUnfinished: HTTPStatus.CONFLICT,
    errors.FilenameTaken: HTTPStatus.CONFLICT,
    errors.StillUploading: HTTPStatus.CONFLICT,
    errors.RequestInProgress: HTTPStatus.CONFLICT,
    errors.LastToken: HTTPStatus.CONFLICT,
    errors.TooManyTokens: HTTPStatus.CONFLICT,
    errors.LinkExpired: HTTPStatus.GONE,
    errors.RecordGone: HTTPStatus.GONE,
    errors.SourceGone: HTTPStatus.GONE,
    errors.UploadReplaced: HTTPStatus.GONE,
    errors.UploadTooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    errors.NotJson: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    errors.NotMultipart: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    errors.NotAWav: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    errors.BadRange: HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE,
    errors.BadUpload: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.BadOptions: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.NoWebhookSecret: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.UnknownParameter: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.BadRequest: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.KeyReused: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.BadWav: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.EncodeFailed: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.TooLong: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.Mp3TooLarge: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.SourceLost: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.TooManyPending: HTTPStatus.TOO_MANY_REQUESTS,
    errors.TooManyWaiting: HTTPStatus.TOO_MANY_REQUESTS,
    errors.ShuttingDown: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.TooManyPendingInAll: HTTPStatus.TOO_MANY_REQUESTS,
    errors.TooManyNewUsers: HTTPStatus.TOO_MANY_REQUESTS,
    errors.TooManyBadCredentials: HTTPStatus.TOO_MANY_REQUESTS,
    errors.UserStorageBusy: HTTPStatus.INSUFFICIENT_STORAGE,
    errors.UserStorageFull: HTTPStatus.INSUFFICIENT_STORAGE,
    errors.ServiceStorageBusy: HTTPStatus.INSUFFICIENT_STORAGE,
    errors.ServiceStorageFull: HTTPStatus.INSUFFICIENT_STORAGE,
    errors.NoSpace: HTTPStatus.INSUFFICIENT_STORAGE,
    errors.Unavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.StorageUnavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.NotReady: HTTPStatus.SERVICE_UNAVAILABLE,
    Wav2mp3Error: HTTPStatus.INTERNAL_SERVER_ERROR,
}
HEADERS: dict[type[Wav2mp3Error], Mapping[str, str]] = {
    errors.BadCredentials: {"WWW-Authenticate": "Bearer"},
    errors.RecordNotReady: {"Retry-After": "5"},
    errors.RecordUnfinished: {"Retry-After": "5"},
    errors.StillUploading: {"Retry-After": "5"},
    errors.RequestInProgress: {"Retry-After": "2"},
    errors.TooManyPending: {"Retry-After": "30"},
    errors.TooManyWaiting: {"Retry-After": "5"},
    errors.ShuttingDown: {"Retry-After": "5"},
    errors.TooManyPendingInAll: {"Retry-After": "30"},
    errors.Unavailable: {"Retry-After": "5"},
    errors.StorageUnavailable: {"Retry-After": "30"},
    errors.NotReady: {"Retry-After": "5"},
    errors.NoSpace: {"Retry-After": "60"},
    errors.UserStorageBusy: {"Retry-After": "5"},
    errors.ServiceStorageBusy: {"Retry-After": "5"},
    errors.ServiceStorageFull: {"Retry-After": "60"},
}
DATABASE_ERRORS: dict[str, type[Wav2mp3Error]] = {
    "08": errors.Unavailable,  # connection exception
    "25006": errors.Unavailable,  # read-only transaction, during a failover
    "25P03": errors.Unavailable,  # idle in transaction for too long, because this process was stopped
    "28": errors.Unavailable,  # invalid authorization: the password changes
    "3D": errors.Unavailable,  # invalid catalog name: the database is being restored
    "42703": errors.Unavailable,  # undefined column: a newer release has changed the database, and starts now
    "42P01": errors.Unavailable,  # undefined table: the same
    "40": errors.Unavailable,  # transaction rollback: serialization failure, deadlock
    "53": errors.Unavailable,  # insufficient resources: disk full, out of memory, too many connections
    "55P03": errors.Unavailable,  # lock not available
    "57": errors.Unavailable,  # operator intervention: shutdown, crash, start-up, statement timeout
    "58": errors.Unavailable,  # system error: I/O
}
"""The error for a SQLSTATE or a class of SQLSTATEs (PostgreSQL, appendix A). Others are bugs of this service."""
LOST_CONNECTIONS = (
    psycopg2.OperationalError,
    psycopg2.InterfaceError,
    PoolTimeout,
    sqlalchemy.exc.OperationalError,
    sqlalchemy.exc.InterfaceError,
)
"""Errors without an SQLSTATE: libpq or the pool could not reach PostgreSQL."""
STATUS_OF_CODE = {error.code: status for error, status in STATUS.items()}

CLIENT_CLOSED_REQUEST = 499
"""A status of nginx that HTTP does not define."""

log = structlog.get_logger(__name__)


def problem(code: str, detail: str) -> Problem:
    """Return the problem for an error's code, for example the code in a failed record's row."""
    status = STATUS_OF_CODE.get(code, HTTPStatus.INTERNAL_SERVER_ERROR)
    return Problem(title=status_title(status), status=status, code=code, detail=detail)


def install(app: FastAPI) -> None:
    app.add_exception_handler(Wav2mp3Error, _handle_error)
    app.add_exception_handler(HTTPException, _handle_http_exception)
    app.add_exception_handler(RequestValidationError, _handle_invalid_request)
    app.add_exception_handler(SQLAlchemyError, _handle_database_error)
    app.add_exception_handler(psycopg2.Error, _handle_database_error)
    app.add_exception_handler(ClientDisconnect, _handle_disconnect)
    app.add_exception_handler(Exception, _handle_unexpected)


def answer(error: Wav2mp3Error) -> ASGIApp:
    """Return an application that answers every request with this error."""

    async def send_problem(scope: Scope, receive: Receive, send: Send) -> None:
        await _handle_error(Request(scope), error)(scope, receive, send)

    return send_problem


def failure_response(code: str | None, detail: str | None) -> ProblemResponse:
    """Return the answer for a failed record, from its row."""
    return ProblemResponse(problem(code or "", detail or ""))


def _handle_error(_: Request, error: Exception) -> ProblemResponse:
    assert isinstance(error, Wav2mp3Error)
    body = problem(error.code, error.detail)
    if isinstance(error, errors.FilenameTaken):
        body = FilenameTakenProblem(**body.model_dump(), record_id=error.record_id)
    if isinstance(error, errors.NotReady):
        body = NotReadyProblem(**body.model_dump(), **error.components)
    headers = dict(HEADERS.get(type(error), {}))
    if isinstance(error, errors.TooManyRequests):
        headers["Retry-After"] = str(error.retry_after_s)
    if isinstance(error, errors.BadRange):
        headers["Content-Range"] = f"bytes */{error.size_bytes}"
    return ProblemResponse(body, headers)


def _handle_http_exception(request: Request, error: Exception) -> ProblemResponse:
    assert isinstance(error, HTTPException)
    status = HTTPStatus(error.status_code)
    sentence, headers = f"{status.description or status.phrase}.", error.headers
    if status == HTTPStatus.NOT_FOUND:
        sentence = "There is no such path."
    if status == HTTPStatus.METHOD_NOT_ALLOWED:
        # A mount has changed the root path.
        scope = {**request.scope, "root_path": request.scope.get("app_root_path", "")}
        allowed = allowed_methods(request.app.router, scope)
        headers = {"Allow": ", ".join(allowed)}
        named = [method for method in allowed if method not in ("HEAD", "OPTIONS")]
        sentence = f"This path has {' and '.join(named)}."
    body = Problem(
        title=status_title(status),
        status=status,
        code=status.name.lower(),
        detail=f"{sentence} The calls of this service are described at /docs.",
    )
    return ProblemResponse(body, headers)


def _handle_invalid_request(request: Request, error: Exception) -> ProblemResponse:
    assert isinstance(error, RequestValidationError)
    return _handle_error(request, errors.BadRequest(f"{explain(error.errors())} See /docs."))


def from_database_error(error: BaseException | None) -> Wav2mp3Error:
    """Return our error for one of SQLAlchemy or psycopg2."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    sqlstate = getattr(cause, "pgcode", None)
    if sqlstate is None:
        # libpq raises the base class itself if PostgreSQL closes the connection during an answer.
        is_lost = isinstance(cause, LOST_CONNECTIONS) or type(cause) is psycopg2.DatabaseError
        return errors.Unavailable() if is_lost else Wav2mp3Error()
    found = DATABASE_ERRORS.get(sqlstate) or DATABASE_ERRORS.get(sqlstate[:2], Wav2mp3Error)
    return found()


def _handle_database_error(request: Request, error: Exception) -> ProblemResponse:
    answer = from_database_error(error)
    log.error("database error", code=answer.code, path=request.url.path, exc_info=error)
    return _handle_error(request, answer)


def _handle_disconnect(_: Request, __: Exception) -> Response:
    """Return an answer that nobody receives. Its status appears in the access log."""
    return Response(status_code=CLIENT_CLOSED_REQUEST)


def _handle_unexpected(request: Request, error: Exception) -> ProblemResponse:
    log.error("unexpected error", path=request.url.path, exc_info=error)
    return _handle_error(request, Wav2mp3Error())
