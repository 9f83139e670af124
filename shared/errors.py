"""Every way in which the service says no.

The errors know nothing of HTTP: `api/problems.py` gives each class its status. `code` is stable, for programs;
the message is one sentence or two for a person, and says what to do. It never holds a server path or the output of
another program. A docstring is its class's default message.
"""

import inspect
from uuid import UUID


class Wav2mp3Error(Exception):
    """Something went wrong inside the service. Try again; if it happens again, tell its operator."""

    code = "internal_error"

    def __init__(self, detail: str | None = None) -> None:
        super().__init__(detail or inspect.cleandoc(type(self).__doc__ or ""))

    @property
    def detail(self) -> str:
        return str(self.args[0])


class BadCredentials(Wav2mp3Error):
    """The user id and token do not belong together. Create a user with POST /users and send both."""

    code = "bad_credentials"


class RecordNotFound(Wav2mp3Error):
    """There is no such record. Check the id in the link."""

    code = "record_not_found"


class RecordGone(Wav2mp3Error):
    """This record was deleted or has expired. Upload the WAV again."""

    code = "record_gone"


class RecordNotReady(Wav2mp3Error):
    """The MP3 is not ready yet. Ask again after the time in Retry-After."""

    code = "record_not_ready"


class FilenameTaken(Wav2mp3Error):
    """You already have a record of this filename. Delete that record or rename the file."""

    code = "filename_taken"

    def __init__(self, detail: str | None = None, record_id: UUID | None = None) -> None:
        super().__init__(detail)
        self.record_id = record_id


class TooManyPending(Wav2mp3Error):
    """Too many of your records are still waiting. Wait until some are done, then upload again."""

    code = "too_many_pending"


class UploadTooLarge(Wav2mp3Error):
    """The file is larger than this service accepts. Split it, or ask the operator to raise MAX_UPLOAD_BYTES."""

    code = "upload_too_large"


class NoSpace(Wav2mp3Error):
    """The service has no room left for this upload. Try again later, or tell its operator."""

    code = "no_space"


class UploadTimeout(Wav2mp3Error):
    """The upload stopped arriving. Upload the file again."""

    code = "upload_timeout"


class BadUpload(Wav2mp3Error):
    """The body is not a complete multipart/form-data upload. Send the WAV as its part `wav_file`."""

    code = "bad_upload"


class NotMultipart(Wav2mp3Error):
    """The body must be multipart/form-data with the WAV as its part `wav_file`: curl -F 'wav_file=@song.wav'."""

    code = "not_multipart"


class BadOptions(Wav2mp3Error):
    """The conversion options contradict each other. The answer lists what is allowed."""

    code = "bad_options"


class BadRequest(Wav2mp3Error):
    """The request is not right. The calls and their parameters are described at /docs."""

    code = "bad_request"


class BadRange(Wav2mp3Error):
    """The MP3 is shorter than the range asked for. Ask again without Range."""

    code = "bad_range"

    def __init__(self, size_bytes: int) -> None:
        super().__init__()
        self.size_bytes = size_bytes


class Unavailable(Wav2mp3Error):
    """The service cannot reach its database just now. Try again in a few seconds."""

    code = "unavailable"


class NotReady(Wav2mp3Error):
    """A part of the service is not there just now. Uploads may be taken all the same; the logs say what is wrong."""

    code = "not_ready"

    def __init__(self, parts: dict[str, str]) -> None:
        super().__init__()
        self.parts = parts


class NotAWav(Wav2mp3Error):
    """This is not a WAV file. Upload a WAV (RIFF, RIFX, RF64, BW64 or W64)."""

    code = "not_a_wav"


class BadWav(Wav2mp3Error):
    """This WAV cannot be converted. Export it again from the program that made it."""

    code = "bad_wav"


class EncodeFailed(Wav2mp3Error):
    """The audio could not be encoded. Upload the WAV again; if it fails again, export it anew."""

    code = "encode_failed"


class SourceLost(Wav2mp3Error):
    """The source vanished from the media volume, or has another size than at upload."""

    code = "source_lost"
    message = (
        "The uploaded WAV is no longer on the service's disk, or it has changed. Upload it again."
    )


class LeaseLost(Wav2mp3Error):
    """Another worker holds this work now, or it was cancelled."""

    code = "lease_lost"
