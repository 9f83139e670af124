"""The source of an upload: written while it arrives, looked at as soon as there is something to see.

Everything here blocks: it is for use in a thread. `path` is created; nobody may write to it but its `SourceWriter`.
"""

import errno
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from shared import media, mp3_options, wav
from shared.errors import NoSpace, UploadTooLarge
from shared.settings import Settings

SYNC_BYTES = 64 * 2**20
"""Bytes are brought to the disk in such steps: what is left for the end takes less than an upload's lease."""


class SourceWriter:
    """`write` until all is there, then `finish`; or `abandon`."""

    def __init__(self, path: Path, options: mp3_options.Options, settings: Settings) -> None:
        self._path = path
        self._options = options
        self._settings = settings
        with _noticing_no_space():
            media.make_folder(path.parent)
            self._file = path.open("x+b")
        self.size_bytes = 0
        self._synced_bytes = 0
        self._has_good_start = False
        self._next_look_bytes = 0

    def write(self, arrived: bytearray) -> None:
        """Raises UploadTooLarge, NoSpace, NotAWav, BadWav, BadOptions."""
        self.size_bytes += len(arrived)
        if self.size_bytes > self._settings.max_upload_bytes:
            raise UploadTooLarge
        if media.free_bytes(self._path.parent) < self._settings.min_free_bytes:
            raise NoSpace
        with _noticing_no_space():
            self._file.write(arrived)
            self._file.flush()
            if self.size_bytes - self._synced_bytes >= SYNC_BYTES:
                media.sync(self._file)
                self._synced_bytes = self.size_bytes
        if not self._has_good_start and self.size_bytes >= self._next_look_bytes:
            self._look_at_start()

    def _look_at_start(self) -> None:
        fmt = wav.check_start(self._file, self.size_bytes)
        self._file.seek(self.size_bytes)
        self._has_good_start = fmt is not None
        # A compressed stream may have another rate than its fmt says.
        if fmt is not None and fmt.is_raw:
            mp3_options.choose_sample_rate_hz(self._options, fmt.sample_rate_hz)
        # Twice the bytes before the next look: however slowly a header arrives, looking takes linear time.
        self._next_look_bytes = 2 * self.size_bytes

    def finish(self) -> wav.WavInfo:
        """The source is whole, and durable when this returns. Raises NoSpace, NotAWav, BadWav."""
        info = wav.read_wav(self._file, self.size_bytes)
        with _noticing_no_space():
            media.sync(self._file)
            self._file.close()
            media.sync_folder(self._path.parent)
        return info

    def abandon(self) -> None:
        self._path.unlink(missing_ok=True)
        with suppress(OSError):  # closing writes what a full disk did not take
            self._file.close()


@contextmanager
def _noticing_no_space() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise NoSpace from error
        raise
