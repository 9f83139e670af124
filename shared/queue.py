"""The task queue: Celery on Redis. A task carries an id and only hints that there is work; the rows are the truth.

Nothing here tries to make delivery reliable: a task may be lost or arrive twice, and publishing may fail. A claim in
the database prevents double work, and the sweeper publishes lost tasks again.

Queues: `clips` for short records, so that they never wait for a long recording, and `segments` for long ones. Each has
a retry queue for the jobs of a dead worker, which workers read first. Assemble jobs use the retry queue of `clips`, so
that an encoded record is finished first. `deliveries` is for webhooks: they and conversions never wait for each other.
`worker/__main__.py` says which process reads which queues.
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
"""Retried jobs first, and short records before long ones."""

DELIVERIES = "deliveries"

RUN_JOB = "run_job"
DELIVER = "deliver"

SOCKET_TIMEOUT_S = 2
VISIBILITY_TIMEOUT_S = 24 * 3600
"""Longer than any task: the sweeper repeats lost tasks, so Redis must not."""


app = Celery("wav2mp3")


@app.add_defaults
def _configuration() -> dict[str, Any]:
    return {
        "broker_url": get_settings().redis_url.get_secret_value(),
        "task_serializer": "json",
        "accept_content": ["json"],
        "task_ignore_result": True,
        "task_default_queue": SEGMENTS,
        "task_publish_retry": False,
        "worker_send_task_events": True,
        # A task is acknowledged when it starts, and fetched only when a process is free: Celery 5.7 exits if Redis goes
        # away while it holds unacknowledged messages.
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
            # Applies to the first connection only: publishers must not block, and workers retry on their own.
            "max_retries": 0,
        },
    }


@signals.setup_logging.connect
def _configure_logging(**_: object) -> None:
    log.configure(get_settings().log_level)


def publish(job_id: int, queue: str) -> bool:
    """Publish a task that runs a job. Return False if Redis does not take it; the sweeper publishes it later."""
    try:
        app.send_task(DELIVER if queue == DELIVERIES else RUN_JOB, args=[str(job_id)], queue=queue)
    except OperationalError:
        return False
    return True


def length(queue: str) -> int:
    """Return the number of tasks on a queue. Raises redis.RedisError."""
    with connect() as redis:
        return int(redis.llen(queue))


def connect(timeout_s: float = SOCKET_TIMEOUT_S, **options: Any) -> Redis:
    url = get_settings().redis_url.get_secret_value().replace("redis+socket://", "unix://")
    return Redis.from_url(
        url, socket_timeout=timeout_s, socket_connect_timeout=timeout_s, **options
    )
