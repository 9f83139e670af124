"""The Celery task that delivers one event. The receiver may get it twice, with the same `webhook-id`.

A delivery that fails becomes ready again after a pause, and the sweeper publishes it. After about a day it is given up.
"""

import random

import structlog

from shared import db, queue
from shared.allowed_hosts import AllowedHosts
from shared.errors import LeaseLost
from shared.queue import app
from shared.settings import Settings, get_settings
from worker.deliveries.message import body, headers
from worker.deliveries.post import DeliveryFailed, post
from worker.fair_claims import claim_fairly
from worker.lease import Lease

Claim = db.deliveries.DeliveryClaim

PAUSES_S = (5, 30, 120, 600, 1800, 3600, 2 * 3600, 4 * 3600, 8 * 3600, 8 * 3600)
"""The pause after each attempt except the last. Together about a day."""
MAX_ATTEMPTS = len(PAUSES_S) + 1
JITTER = 0.1
"""Pauses differ by up to this fraction, so that a receiver that was down does not get all deliveries at once."""
GONE = 410
"""With this status, the receiver asks for no more attempts."""

log = structlog.get_logger(__name__)


@app.task(name=queue.DELIVER)
def deliver(job_id: str) -> None:
    claim = claim_fairly(int(job_id), db.deliveries.claim)
    if claim is None:
        return
    settings = get_settings()
    try:
        with Lease(lambda: _renew(claim), settings.lease_s) as lease:
            status = _post(claim, settings)
            lease.check()
    except LeaseLost:
        log.info("lease lost", **_log_fields(claim))
    except DeliveryFailed as failure:
        _retry_later(claim, failure)
    except Exception:
        log.exception("attempt failed", **_log_fields(claim))
        _retry_later(claim, DeliveryFailed("Something went wrong inside the service."))
    else:
        with db.transaction() as session:
            db.deliveries.mark_delivered(session, claim, status=status)
        log.info("delivered", status=status, **_log_fields(claim))


def _renew(claim: Claim) -> bool:
    with db.transaction() as session:
        return db.deliveries.renew(session, claim)


def _post(claim: Claim, settings: Settings) -> int:
    if claim.attempt > MAX_ATTEMPTS:
        raise DeliveryFailed("The service was interrupted during the last attempt.")
    text = body(claim, settings)
    allowed = AllowedHosts(settings.webhook_allowed_hosts)
    return post(claim.url, text, headers(claim, text), allowed, settings.webhook_timeout_s)


def _retry_later(claim: Claim, failure: DeliveryFailed) -> None:
    is_last = failure.status == GONE or claim.attempt >= MAX_ATTEMPTS
    jitter = random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 -- not a secret
    pause_s = None if is_last else PAUSES_S[claim.attempt - 1] * jitter
    error = str(failure)
    with db.transaction() as session:
        db.deliveries.mark_failed(
            session, claim, status=failure.status, error=error, pause_s=pause_s
        )
    log.warning("not delivered", error=error, pause_s=pause_s, **_log_fields(claim))


def _log_fields(claim: Claim) -> dict[str, str | int]:
    # Not the URL, which may contain a password.
    return {
        "record_id": str(claim.record["id"]),
        "job_id": claim.job_id,
        "type": claim.event,
        "attempt": claim.attempt,
    }
