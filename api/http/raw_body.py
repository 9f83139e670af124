"""A body that is the file itself, read as if it were the only part of a form."""

from api.http.multipart import PartHead
from shared.errors import BadUpload


class RawBody:
    """Has the methods of `Multipart`. The head comes before the first byte, so that the upload can be refused early."""

    def __init__(self, head: PartHead) -> None:
        self._unsent: list[PartHead | bytes] = [head]
        self._is_empty = True

    def feed(self, chunk: bytes) -> list[PartHead | bytes]:
        events, self._unsent = self._unsent, []
        if chunk:
            events.append(chunk)
            self._is_empty = False
        return events

    def check_complete(self) -> None:
        """Check the end of the body. Raises BadUpload if the body is empty."""
        if self._is_empty:
            raise BadUpload("The body is empty. Send the WAV in it, as curl -T song.wav does.")
