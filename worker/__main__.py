"""Starts one process of the worker's code: `python -m worker main|clips|deliveries|sweeper|flower`.

The first three are Celery workers. `main` takes every job that converts, WORKER_CONCURRENCY at a time. `clips` is one
process that takes short recordings only, so that they never wait, even while long CBR recordings occupy every process
of `main`. `deliveries` sends webhooks, in threads, because they wait for receivers.
"""

import gc

# The imports below make many objects and almost no garbage. Collecting it would take an eighth of a start.
gc.disable()

import socket
import sys
from argparse import ArgumentParser
from importlib import import_module
from typing import NoReturn

from shared.queue import ALL, BY_PRIORITY, CLIPS, DELIVERIES, RETRY_QUEUE, app
from shared.settings import get_settings

QUEUES = {
    "main": BY_PRIORITY,
    "clips": (RETRY_QUEUE[CLIPS], CLIPS),
    "deliveries": (DELIVERIES,),
}
MODULES = {
    "main": ("worker.tasks", "worker.heartbeat"),
    "clips": ("worker.tasks", "worker.heartbeat"),
    "deliveries": ("worker.deliveries", "worker.heartbeat"),
}
"""The modules that register a Celery worker's tasks and heartbeat. Others would only cost time and memory."""
DELIVERY_THREADS = 16
"""Each thread uses up to two of the 20 connections in the database pool, and only for a moment."""
MAX_FLOWER_TASKS = 10_000


def main() -> None:
    options = _parser().parse_args()
    match options.role:
        case "main":
            # "auto" is Celery's word for the processors that this process may use.
            _start_worker("main", options.name, str(get_settings().worker_concurrency or "auto"))
        case "clips":
            _start_worker("clips", options.name, "1")
        case "deliveries":
            _start_worker("deliveries", options.name, str(DELIVERY_THREADS), "threads")
        case "sweeper":
            from worker import sweeper  # noqa: PLC0415 -- the other roles do not need it

            _collect_garbage()
            sweeper.run()
        case "flower":
            _start_flower(options.host, options.port)


def _parser() -> ArgumentParser:
    parser = ArgumentParser(prog="python -m worker", description="Start a process of wav2mp3.")
    roles = parser.add_subparsers(dest="role", required=True, metavar="ROLE")
    for role, takes in (
        ("main", "every job that converts"),
        ("clips", "short recordings only"),
        ("deliveries", "webhooks only"),
    ):
        worker = roles.add_parser(role, help=f"a Celery worker that takes {takes}")
        worker.add_argument("--name", default=role, help="unique among the workers of this host")
    roles.add_parser("sweeper", help="repairs the damage of a crash, and deletes old files")
    flower = roles.add_parser("flower", help="shows workers and tasks on a web page")
    flower.add_argument("--host", default="127.0.0.1", help="address to listen on")
    flower.add_argument("--port", default=5555, type=int)
    return parser


def _start_worker(role: str, name: str, concurrency: str, pool: str = "prefork") -> NoReturn:
    for module in MODULES[role]:
        import_module(module)
    # not `app.worker_main`, which imports every command of Celery, and Flower
    worker = app.Worker(
        queues=QUEUES[role],
        hostname=f"{name}@{socket.gethostname()}",
        concurrency=concurrency,
        pool=pool,
        without_gossip=True,
        without_mingle=True,
    )
    _collect_garbage()
    worker.start()
    sys.exit(worker.exitcode)


def _start_flower(host: str, port: int) -> None:
    from flower.views import BaseHandler  # noqa: PLC0415 -- the other roles do not need it

    # Flower asks the workers for their queues only when it starts, and so misses the queues of later workers.
    BaseHandler.get_active_queue_names = lambda _handler: sorted(ALL)
    _collect_garbage()
    app.start(["flower", f"--address={host}", f"--port={port}", f"--max-tasks={MAX_FLOWER_TASKS}"])


def _collect_garbage() -> None:
    """Collect garbage from now on, but never visit the objects of the modules, which would also copy them in forks."""
    gc.freeze()
    gc.enable()


if __name__ == "__main__":
    main()
