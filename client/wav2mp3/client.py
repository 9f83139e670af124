"""The Python API: convert files, and list, download and delete records.

An interrupted conversion leaves a hidden file beside the MP3: the bytes that have arrived, under a name with the
record's id. The next conversion of the same file with the same options continues there.
"""

import hashlib
import io
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Unpack
from uuid import uuid4

from wav2mp3 import login
from wav2mp3.errors import Wav2mp3Error
from wav2mp3.record import Options, Record
from wav2mp3.service import Service, Watch, WatchedFile, ignore

PAGE_LIMIT = 100
HOLD_S = 1
"""The time for which the service may hold an answer about an unfinished record."""
GONE = ("record_gone", "record_not_found")
ID_CHARS = 36
KEY_CHARS = 12
DOWNLOAD = "download"
"""The key of a download without a conversion."""


class Client:
    """One user of one service. An argument that is missing comes from the environment or from `wav2mp3 login`."""

    def __init__(
        self,
        url: str | None = None,
        user_id: str | None = None,
        token: str | None = None,
        *,
        patience_s: float = 300,
    ) -> None:
        self.login = login.find(url, user_id, token)
        self.service = Service(self.login.url, self.login.token, patience_s)

    def close(self) -> None:
        self.service.close()

    def check(self) -> None:
        """Raise Wav2mp3Error unless the service answers and knows the user."""
        self.service.call("GET", "/records", params={"user_id": self.login.user_id, "limit": 1})

    def convert(
        self,
        wav: str | Path,
        mp3: str | Path | None = None,
        *,
        keep: bool = False,
        watch: Watch = ignore,
        **options: Unpack[Options],
    ) -> Record:
        """Save the MP3 of a WAV, by default beside it, and delete the record unless `keep`.

        Raises Wav2mp3Error, and OSError if a file cannot be read or written.
        """
        source = Path(wav)
        target = Path(mp3) if mp3 else source.with_suffix(".mp3")
        if target.resolve() == source.resolve():
            raise Wav2mp3Error("The MP3 would replace its source. Choose another name.", "bad_name")
        key = self._key(source, options)
        partial = self._unfinished(target, key, keep=keep)
        if partial is not None:
            try:
                return self._finish(partial, target, keep=keep, watch=watch)
            except Wav2mp3Error as error:
                # The record of the earlier run was deleted or has expired.
                if error.code not in GONE:
                    raise
        partial = self._begin(source, target, key, options, watch)
        return self._finish(partial, target, keep=keep, watch=watch)

    def upload(
        self,
        wav: str | Path,
        filename: str | None = None,
        *,
        watch: Watch = ignore,
        **options: Unpack[Options],
    ) -> str:
        """Upload a WAV and return its record's id."""
        name = (filename or Path(wav).name).encode(errors="replace").decode()
        # With this header the service recognises a repeated upload if the first answer was lost.
        headers = {"Idempotency-Key": str(uuid4())}
        query = {"user_id": self.login.user_id, **options}

        def attempt() -> str:
            with WatchedFile(wav, watch, self.service) as file:
                form = {"wav_file": (name, file, "audio/wav")}
                accepted = self.service.request(
                    "POST", "/record", params=query, headers=headers, files=form
                )
            return str(accepted["id"])

        return self.service.persist(attempt, watch)

    def wait(self, record_id: str, *, watch: Watch = ignore) -> Record:
        """Return the record once it is done or failed."""
        while True:
            record = self.record(record_id, hold_s=HOLD_S, watch=watch)
            if record.status in ("done", "failed"):
                return record
            watch(record.status, record.progress)
            self.service.pause(0.1)

    def download(self, record_id: str, mp3: str | Path, *, watch: Watch = ignore) -> Record:
        """Wait for a record and save its MP3. The record stays."""
        partial = _partial_path(Path(mp3), DOWNLOAD, record_id)
        return self._finish(partial, Path(mp3), keep=True, watch=watch)

    def record(self, record_id: str, *, hold_s: int = 0, watch: Watch = ignore) -> Record:
        """Return a record. The service may hold the answer for `hold_s` until the record is done or failed."""
        headers = {"Prefer": f"wait={hold_s}"}
        answer = self.service.call("GET", f"/records/{record_id}", watch, headers=headers)
        return Record.from_json(answer)

    def records(self, filename: str | None = None) -> Iterator[Record]:
        """Yield the user's records, newest first. With `filename`, yield only records of this name."""
        query = {"limit": str(PAGE_LIMIT)} | ({"filename": filename} if filename else {})
        while True:
            page = self.service.call("GET", "/records", params=query)
            for answer in page["records"]:
                if filename in (None, answer["filename"]):
                    yield Record.from_json(answer)
            if page["next"] is None:
                return
            query["before"] = page["records"][-1]["id"]

    def delete(self, record_id: str) -> None:
        """Cancel or delete a record. Do nothing if it is already gone."""
        try:
            self.service.call("DELETE", f"/records/{record_id}")
        except Wav2mp3Error as error:
            if error.code not in GONE:
                raise

    def _key(self, source: Path, options: Options) -> str:
        """Return the key of a conversion. Another file, a changed file or other options have another key."""
        stat = source.stat()
        file = (str(source.resolve()), stat.st_size, stat.st_mtime_ns)
        return _digest(repr((self.login.url, self.login.user_id, file, sorted(options.items()))))

    def _unfinished(self, target: Path, key: str, *, keep: bool) -> Path | None:
        """Return the unfinished file of this conversion. Remove the files of other conversions to the same MP3."""
        found = None
        any_key = (
            "?" * KEY_CHARS
        )  # longer than DOWNLOAD: a record that is only downloaded must stay
        for partial in target.parent.glob(_partial_path(target, any_key, "*").name):
            record_id = partial.stem[-ID_CHARS:]
            if partial == _partial_path(target, key, record_id):
                found = partial
                continue
            if not keep:
                with suppress(Wav2mp3Error):
                    self.delete(record_id)
            partial.unlink(missing_ok=True)
        return found

    def _begin(self, source: Path, target: Path, key: str, options: Options, watch: Watch) -> Path:
        """Upload the source, under another name if its name is taken. Return the unfinished file."""
        target.parent.mkdir(parents=True, exist_ok=True)
        own_name = f"{source.stem}-{key}{source.suffix}"
        for filename in (source.name, own_name):
            try:
                record_id = self.upload(source, filename, watch=watch, **options)
                break
            except Wav2mp3Error as error:
                # A record with the same name may be of another file. No other conversion has this unique name.
                is_own = filename == own_name
                if error.code != "filename_taken" or (is_own and error.record_id is None):
                    raise
                record_id = str(error.record_id)
        watch("queued", 0)
        partial = _partial_path(target, key, record_id)
        partial.touch()
        return partial

    def _finish(self, partial: Path, target: Path, *, keep: bool, watch: Watch) -> Record:
        """Wait for the record of an unfinished file and save its MP3."""
        record_id = partial.stem[-ID_CHARS:]
        try:
            record = self.wait(record_id, watch=watch)
            if record.status == "done":
                self._fetch(record, partial, watch)
                partial.replace(target)
        except Wav2mp3Error as error:
            if error.code in GONE:
                partial.unlink(missing_ok=True)
            raise
        partial.unlink(missing_ok=True)
        if not keep:
            self.delete(record_id)
        if record.error:
            raise Wav2mp3Error(record.error["detail"], record.error["code"])
        return record

    def _fetch(self, record: Record, partial: Path, watch: Watch) -> None:
        """Write the bytes of a record's MP3 that `partial` lacks."""
        size_bytes = record.mp3_bytes or 0

        def attempt() -> None:
            partial.touch()
            with partial.open("r+b") as file:
                have_bytes = file.seek(0, io.SEEK_END)
                if have_bytes == size_bytes:
                    return
                is_begun = 0 < have_bytes < size_bytes
                wanted = {"Range": f"bytes={have_bytes}-"} if is_begun else {}
                with self.service.stream("GET", record.download_link, headers=wanted) as answer:
                    file.seek(have_bytes if answer.status_code == 206 else 0)
                    file.truncate()
                    for block in self.service.blocks(answer):
                        file.write(block)
                        watch("downloading", file.tell() / size_bytes)
                file.flush()
                os.fsync(file.fileno())

        self.service.persist(attempt, watch)
        if partial.stat().st_size != size_bytes:
            partial.unlink()
            raise Wav2mp3Error("The MP3 did not arrive completely. Try again.", "incomplete")


def _partial_path(target: Path, key: str, record_id: str) -> Path:
    # Short, because the MP3's own name may be as long as the file system allows.
    return target.parent / f".wav2mp3-{_digest(target.name)}-{key}-{record_id}.partial"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()[:KEY_CHARS]
