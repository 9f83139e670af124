"""The errors of the client."""


class Wav2mp3Error(Exception):
    """A failure. Its message says what to do. `code` is a stable code of the service or of the client."""

    def __init__(
        self,
        detail: str,
        code: str = "",
        *,
        record_id: str | None = None,
        is_temporary: bool = False,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(detail)
        self.code = code
        self.record_id = record_id
        """The record that already has the filename, if `code` is filename_taken."""
        self.is_temporary = is_temporary
        self.retry_after_s = retry_after_s


class Stopped(Exception):
    """The user interrupted the command."""
