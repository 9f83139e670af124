"""Ends an attempt that failed: the job becomes ready again, or its record fails.

An error of the media volume does not count as an attempt.
"""

from pathlib import Path
from traceback import extract_tb

import structlog
from sqlalchemy.orm import Session

from shared import db
from shared.errors import BadWav, EncodeFailed, Mp3TooLarge, NotAWav, SourceLost, Wav2mp3Error
from shared.settings import Settings

Claim = db.claims.Claim

STORAGE_PAUSE_S = 5
"""A job waits this much longer after each error of the media volume."""

FINAL_ERRORS = (BadWav, Mp3TooLarge, NotAWav, SourceLost)
"""Errors that another attempt cannot avoid."""

log = structlog.get_logger(__name__)


def end(claim: Claim, error: Exception, settings: Settings) -> None:
    """Make the job ready again, or fail its record if another attempt cannot help."""
    if isinstance(error, Wav2mp3Error):
        _log_known_error(claim, error)
    else:
        log.error("attempt failed", exc_info=error, **log_fields(claim))
    with db.transaction() as session:
        reason = _requeue_or_fail(session, claim, error, settings)
    if reason:
        log.error("record failed", code=reason.code, **log_fields(claim))


def wait_for_storage(claim: Claim, error: OSError) -> None:
    """Make the job ready again after a pause."""
    pause_s = min(STORAGE_PAUSE_S * (claim.storage_waits + 1), db.jobs.MAX_PAUSE_S)
    log.warning("waiting for storage", error=str(error), pause_s=pause_s, **log_fields(claim))
    with db.transaction() as session:
        db.jobs.wait_for_storage(session, claim, pause_s=pause_s)


def _log_known_error(claim: Claim, error: Wav2mp3Error) -> None:
    raised = extract_tb(error.__traceback__)[-1]
    place = f"{Path(raised.filename).name}:{raised.lineno}"
    log.warning(
        "attempt failed", code=error.code, detail=error.detail, place=place, **log_fields(claim)
    )


def _requeue_or_fail(
    session: Session, claim: Claim, error: Exception, settings: Settings
) -> Wav2mp3Error | None:
    """Return the reason if the record fails, otherwise None."""
    attempts = claim.attempt - claim.storage_waits
    is_last = isinstance(error, FINAL_ERRORS) or attempts >= settings.max_attempts
    if not db.jobs.requeue(session, claim) or not is_last:
        return None
    reason = error if isinstance(error, Wav2mp3Error) else EncodeFailed()
    failed = db.records.fail(session, claim.record_id, reason, retention_h=settings.retention_h)
    return reason if failed else None


def log_fields(claim: Claim) -> dict[str, str | int]:
    return {
        "record_id": str(claim.record_id),
        "user_id": str(claim.user_id),
        "job_id": claim.job_id,
        "kind": claim.kind,
        "attempt": claim.attempt,
    }
