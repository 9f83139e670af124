"""Prints the result of each file, and at the end the failures and the counts."""

from collections import Counter
from dataclasses import asdict

from wav2mp3.batch import Result
from wav2mp3.text import complain, length, printable, say, say_json, size

LABELS = {"done": "converted", "skipped": "skipped", "failed": "failed"}


class Report:
    """Call `add` for each file, then `finish`."""

    def __init__(self, *, is_json: bool, is_quiet: bool) -> None:
        self._is_json = is_json
        self._is_quiet = is_quiet
        self._counts: Counter[str] = Counter()
        self.failed: list[Result] = []

    def add(self, result: Result) -> None:
        conversion, record = result.conversion, result.record
        self._counts[result.status] += 1
        if result.status == "failed":
            self.failed.append(result)
        if self._is_json:
            paths = {"wav": str(conversion.wav), "mp3": str(conversion.mp3)}
            outcome = {"status": result.status, "error": result.error, "code": result.code}
            say_json(paths | outcome | {"record": record and asdict(record)})
        elif not self._is_quiet:
            say(_line(result))
        for warning in record.warnings if record else ():
            complain(f"{conversion.wav}: warning: {warning}")

    def finish(self) -> None:
        if self.failed:
            self._list_failures()
        # The line of a single file says as much.
        if self._counts.total() > 1 and not self._is_quiet:
            found = [(self._counts[status], label) for status, label in LABELS.items()]
            complain(", ".join(f"{count} {label}" for count, label in found if count))

    def _list_failures(self) -> None:
        complain("Failed:")
        names = [printable(str(result.conversion.wav)) for result in self.failed]
        width = max(map(len, names))
        for name, result in zip(names, self.failed, strict=True):
            complain(f"  {name:{width}}  {result.error}")


def _line(result: Result) -> str:
    conversion, record = result.conversion, result.record
    if record:
        figures = f"{length(record.duration_s)}, {size(record.mp3_bytes)}"
        return f"{conversion.wav} -> {conversion.mp3} ({figures})"
    return (
        f"{conversion.wav}: {'failed' if result.error else f'skipped, {conversion.mp3} is newer'}"
    )
