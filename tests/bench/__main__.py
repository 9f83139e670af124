"""Compares the service with the same ffmpeg run by hand: time, size, memory. Run it with `make bench`.

A time is the median ratio of at least five rounds, after a warm-up round. Both sides take turns at starting. The
table goes to the screen and to tests/bench/RESULTS.md. `python -m tests.bench long clips` runs only these measurements.
"""

import platform
import signal
import sys
import tempfile
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import psutil

from local.stack import Stack
from tests.bench import crowds, listing, measures, polls, uploads
from tests.bench.measures import Bench, Figure

RESULTS = Path(__file__).with_name("RESULTS.md")
MEASURES: dict[str, Callable[[Bench], list[Figure]]] = {
    "polls": polls.status_polls,
    "waiting": polls.many_waiting,
    "crowds": crowds.bad_clients,
    "listing": listing.queued_records,
    "upload": uploads.big_upload,
    "size": measures.size,
    "memory": measures.memory,
    "wait": measures.wait_beside_a_long_recording,
    "short": measures.one_short_clip,
    "clips": measures.many_clips,
    "long": measures.long_recordings,
}


def main(names: list[str]) -> None:
    # A run that is terminated must stop its stack, as after Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    rows = [measures.HEADING]
    with tempfile.TemporaryDirectory(prefix="wav2mp3-bench-") as folder:
        # Under root, PostgreSQL runs as another user, who must be able to enter the folder.
        Path(folder).chmod(0o755)
        stack = Stack.on_free_ports(Path(folder) / "stack")
        with stack, Bench(stack, Path(folder)) as bench:
            for name in names or MEASURES:
                for figure in MEASURES[name](bench):
                    rows.append(figure.row())
                    print(rows[-1], flush=True)
                    if not names:
                        _write("\n".join(rows))


def _write(table: str) -> None:
    RESULTS.write_text(f"# Measured figures\n\n{_machine()}\n\n{table}\n")


def _machine() -> str:
    system = f"{platform.system()} {platform.machine()}, {psutil.cpu_count()} cores"
    memory_gb = psutil.virtual_memory().total / 1e9
    return (
        f"On {datetime.now().astimezone():%d %B %Y}: {system}, {memory_gb:.0f} GB of memory, "
        f"Python {platform.python_version()}, {measures.ffmpeg_version()}."
    )


if __name__ == "__main__":
    main(sys.argv[1:])
