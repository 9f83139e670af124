"""A core for each of a worker's processes, where it has as many of them as there are cores, and is the only worker.

ffmpeg's threads hand each other every frame. Where several ffmpegs encode one recording, each kept to one core, they
are done 8 % sooner than where the scheduler spreads them. One alone is better spread.
"""

import os
from typing import Any

from billiard.process import current_process
from celery import signals

_workers: list[Any] = []


@signals.worker_init.connect
def _remember(sender: Any, **_: object) -> None:
    _workers.append(sender)


def own_core() -> int | None:
    """The core of this pool process; None where processes and cores are not one to one, or cannot be told."""
    if not _workers or not hasattr(os, "sched_getaffinity"):
        return None
    cores = sorted(os.sched_getaffinity(0))
    place = getattr(current_process(), "index", None)
    return cores[place] if place is not None and _workers[0].concurrency == len(cores) else None
