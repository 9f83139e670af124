"""Writes the source file of an upload and checks its header as early as possible.

All functions block: call them in a thread. A `SourceWriter` creates its file and must be the only writer.
"""

import os
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from pathlib import Path

import structlog

from api.volume import require_volume, translate_errors
from shared import media, mp3_options, wav
from shared.errors import NoSpace, UploadTooLarge
from shared.settings import Settings

SYNC_BYTES = 64 * 2**20
"""Call fsync after this many bytes, so that the final fsync is short enough to finish within the upload's lease."""
FIRST_CHECK_BYTES = 64 * 2**10
"""Enough for most headers, and not more, because a check searches all of these bytes."""
_SYNCS = ThreadPoolExecutor(4, "sync")
"""Threads that sync files while the files grow."""

log = structlog.get_logger(__name__)


class SourceWriter:
    """Call `write` for each slice, then `finish` or `abort`."""

    def __init__(self, path: Path, options: mp3_options.Options, settings: Settings) -> None:
        self._path = path
        self._options = options
        self._settings = settings
        with translate_errors():
            require_volume(settings.media_dir)
            self._file = media.create_source(settings.media_dir, path)
        self.size_bytes = 0
        self._syncing: Future[None] | None = None
        self._synced_bytes = 0
        self._is_header_checked = False
        self._next_check_bytes = 0

    def write(self, chunks: Sequence[bytes]) -> None:
        """Append a slice. Raises UploadTooLarge, NoSpace, StorageUnavailable, NotAWav, BadWav, BadOptions."""
        self.size_bytes += sum(map(len, chunks))
        if self.size_bytes > self._settings.max_upload_bytes:
            raise UploadTooLarge.than(self._settings.max_upload_bytes)
        with translate_errors():
            if media.free_bytes(self._path.parent) < self._settings.min_free_bytes:
                raise NoSpace
            self._file.writelines(chunks)
            self._file.flush()
            if self.size_bytes - self._synced_bytes >= SYNC_BYTES:
                self._begin_sync()
            if not self._is_header_checked and self.size_bytes >= self._next_check_bytes:
                self._check_header()

    def _begin_sync(self) -> None:
        """Begin a sync. Wait for the previous sync first, so that a slow disk slows the client down."""
        if self._syncing is not None:
            self._syncing.result()
        self._syncing = _SYNCS.submit(os.fsync, self._file.fileno())
        self._synced_bytes = self.size_bytes

    def _check_header(self) -> None:
        checked_bytes = min(self.size_bytes, max(self._next_check_bytes, FIRST_CHECK_BYTES))
        fmt = wav.check_start(self._file, checked_bytes)
        self._file.seek(self.size_bytes)
        self._is_header_checked = fmt is not None
        # The rate in `fmt ` is reliable for raw samples only; a compressed stream may have another.
        if fmt is not None and fmt.is_raw:
            mp3_options.choose_sample_rate_hz(self._options, fmt.sample_rate_hz)
        # Doubling makes the total time linear, even if the header arrives in tiny slices.
        self._next_check_bytes = 2 * checked_bytes

    def finish(self) -> wav.WavInfo:
        """Check the complete source and make it durable. Raises NoSpace, StorageUnavailable, NotAWav, BadWav."""
        with translate_errors():
            info = wav.read_wav(self._file, self.size_bytes)
            if self._syncing is not None:
                self._syncing.result()
            media.sync(self._file)
            self._file.close()
            media.sync_folder(self._path.parent)
        return info

    def abort(self) -> None:
        if self._syncing is not None:
            wait([self._syncing])
        try:
            self._path.unlink(missing_ok=True)
        except OSError as error:  # a read-only volume; the file sweep deletes it later
            log.warning("source not deleted", error=str(error))
        with suppress(OSError):  # close flushes, which fails on a full disk
            self._file.close()
