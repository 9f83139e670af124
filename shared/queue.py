"""The task queue: Celery on Redis. A task carries an id and is only a hint that there is work; the rows are the truth.

So nothing here tries to make delivery reliable: a message may be lost or come twice, and publishing may fail. Claims in
the database keep work from being done twice, and the sweeper publishes again what was lost.

Queues: `clips` for short records, so that none waits behind a long recording's segments, and `segments` for those; for
what a dead worker left of either, `clips-again` and `segments-again`. Workers look at those first, and at clips before
segments. One process takes clips alone. `sweep` is the sweeper's own.
"""

from typing import Any

from celery import Celery, signals
from kombu.exceptions import OperationalError
from redis import Redis

from shared import log
from shared.settings import get_settings

CLIPS = "clips"
SEGMENTS = "segments"
RETRY_QUEUE = {CLIPS: "clips-again", SEGMENTS: "segments-again"}
BY_PRIORITY = (*RETRY_QUEUE.values(), *RETRY_QUEUE)
SWEEP = "sweep"

RUN_JOB = "run_job"
SWEEP_ROWS = "sweep_rows"
SWEEP_FILES = "sweep_files"

SWEEP_FILES_INTERVAL_S = 3600
SOCKET_TIMEOUT_S = 2
VISIBILITY_TIMEOUT_S = 24 * 3600
"""Redelivery is the sweeper's business, so Redis waits longer than any task may take."""


app = Celery("wav2mp3")


@app.add_defaults
def _configuration() -> dict[str, Any]:
    settings = get_settings()
    return {
        "broker_url": settings.redis_url.get_secret_value(),
        "task_serializer": "json",
        "accept_content": ["json"],
        "task_ignore_result": True,
        "task_default_queue": SEGMENTS,
        "task_publish_retry": False,
        "worker_send_task_events": True,
        # a task is acknowledged when it begins, and none is taken before a process is free: Celery 5.7 exits when Redis
        # goes away while it holds messages that are not acknowledged
        "task_acks_late": False,
        "worker_disable_prefetch": True,
        "worker_prefetch_multiplier": 1,
        "worker_hijack_root_logger": False,
        "worker_redirect_stdouts": False,
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,
        "broker_connection_timeout": SOCKET_TIMEOUT_S,
        "broker_transport_options": {
            "visibility_timeout": VISIBILITY_TIMEOUT_S,
            "queue_order_strategy": "priority",
            "socket_timeout": SOCKET_TIMEOUT_S,
            "socket_connect_timeout": SOCKET_TIMEOUT_S,
            "health_check_interval": 10,
            # of a first connection: who publishes does not wait, and a worker has retries of its own
            "max_retries": 0,
        },
        "beat_schedule": {
            SWEEP_ROWS: _every(settings.sweep_interval_s, SWEEP_ROWS, SWEEP),
            # its time grows with the volume, so it is ordinary work: the sweeper of rows must never wait for it
            SWEEP_FILES: _every(SWEEP_FILES_INTERVAL_S, SWEEP_FILES, SEGMENTS),
        },
    }


def _every(interval_s: float, task: str, queue: str) -> dict[str, Any]:
    return {
        "task": task,
        "schedule": interval_s,
        "options": {"queue": queue, "expires": interval_s},
    }


@signals.setup_logging.connect
def _configure_logging(**_: object) -> None:
    log.configure(get_settings().log_level)


def publish(job_id: int, queue: str) -> bool:
    """Publish a task that runs a job. Return False when Redis does not take it: then the sweeper publishes it later."""
    try:
        app.send_task(RUN_JOB, args=[str(job_id)], queue=queue)
    except OperationalError:
        return False
    return True


def length(queue: str) -> int:
    """How many tasks wait on a queue. Raises redis.RedisError."""
    with connect() as redis:
        return int(redis.llen(queue))


def connect() -> Redis:
    url = get_settings().redis_url.get_secret_value().replace("redis+socket://", "unix://")
    return Redis.from_url(
        url, socket_timeout=SOCKET_TIMEOUT_S, socket_connect_timeout=SOCKET_TIMEOUT_S
    )
