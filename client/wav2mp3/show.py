"""Shows progress on stderr. A terminal gets a bar for each running file and one for all; a file or pipe gets lines."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Column

from wav2mp3.batch import Conversion
from wav2mp3.service import Watch
from wav2mp3.text import complain, printable

STAGES = {
    "uploading": (0.0, 0.5),
    "queued": (0.5, 0.0),
    "converting": (0.5, 0.4),
    "downloading": (0.9, 0.1),
}
"""For each stage: the share of a file's work that is done when the stage begins, and the share of the stage."""
LABELS = {"queued": "in the queue", "waiting": "waiting for the service"}
ANNOUNCED = ("uploading", "converting", "waiting")


class Display:
    def __init__(self, conversions: Sequence[Conversion], *, quiet: bool) -> None:
        console = Console(stderr=True)
        has_bars = console.is_terminal and not quiet
        self._has_lines = not has_bars and not quiet
        name_column = Column(ratio=1, no_wrap=True, overflow="ellipsis")
        self.progress = Progress(
            TextColumn("{task.description}", markup=False, table_column=name_column),
            TextColumn("{task.fields[stage]}"),
            BarColumn(20),
            TaskProgressColumn(),
            TimeRemainingColumn(compact=True),
            console=console,
            disable=not has_bars,
            expand=True,
            # Lines on stdout appear above the bars, unless stdout is a pipe or a file.
            redirect_stdout=sys.stdout.isatty(),
            transient=True,
        )
        self._sizes = {conversion: _size_bytes(conversion) for conversion in conversions}
        self._finished = 0
        self._total = self.progress.add_task("", total=sum(self._sizes.values()), stage="")
        self._show_count()

    @contextmanager
    def watch(self, conversion: Conversion) -> Iterator[Watch]:
        """Show one file while it is converted."""
        task = self.progress.add_task(printable(conversion.wav.name), total=1.0, stage="")
        done, announced = 0.0, ""

        def advance(share: float) -> None:
            nonlocal done
            self.progress.update(task, completed=share)
            self.progress.advance(self._total, (share - done) * self._sizes[conversion])
            done = share

        def watch(stage: str, fraction: float) -> None:
            nonlocal announced
            label = LABELS.get(stage, stage)
            if self._has_lines and stage in ANNOUNCED and stage != announced:
                complain(f"{conversion.wav}: {label}")
                announced = stage
            self.progress.update(task, stage=label)
            if stage in STAGES:
                begin, share = STAGES[stage]
                advance(begin + share * fraction)

        try:
            yield watch
            advance(1.0)
        finally:
            self.progress.remove_task(task)

    def count_finished(self) -> None:
        self._finished += 1
        self._show_count()

    def _show_count(self) -> None:
        files = "file" if len(self._sizes) == 1 else "files"
        count = f"{self._finished} of {len(self._sizes)} {files} finished"
        self.progress.update(self._total, description=count)


def _size_bytes(conversion: Conversion) -> int:
    with suppress(OSError):
        return conversion.wav.stat().st_size
    return 0
