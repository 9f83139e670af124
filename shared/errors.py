"""All errors that users can see. They know nothing of HTTP: `api/problems.py` gives each class its status.

`code` is stable, for programs. `message` is for a person: one or two sentences that say what to do, without server
paths and without the output of other programs. Code that raises an error may pass a more precise message as `detail`.
"""

from typing import Self
from uuid import UUID


def format_bytes(size_bytes: int) -> str:
    for unit_bytes, unit in ((10**9, "GB"), (10**6, "MB"), (10**3, "kB")):
        if size_bytes >= unit_bytes:
            return f"{size_bytes / unit_bytes:.1f} {unit}"
    return f"{size_bytes} bytes"


class Wav2mp3Error(Exception):
    """Base class. Raised directly for an unexpected error."""

    code = "internal_error"
    message = "Something went wrong inside the service. Try again; if it happens again, tell the operator."

    def __init__(self, detail: str | None = None) -> None:
        super().__init__(detail or self.message)

    @property
    def detail(self) -> str:
        return str(self.args[0])


class BadCredentials(Wav2mp3Error):
    code = "bad_credentials"
    message = "The user id and the token do not belong together. Correct them, or create a user with POST /users."


class RegistrationClosed(Wav2mp3Error):
    """REGISTRATION is closed, and the request does not have the ADMIN_TOKEN."""

    code = "registration_closed"
    message = (
        "Only the operator of this service creates users. "
        "Ask the operator for a user id and a token, and send both."
    )


class TokenNotFound(Wav2mp3Error):
    """The id is unknown or revoked, or the token belongs to another user."""

    code = "token_not_found"
    message = "You have no such token. GET /users/me/tokens lists the ids of your tokens."


class LastToken(Wav2mp3Error):
    """Without any token, nobody could reach the user's records."""

    code = "last_token"
    message = "This is your only token, and without it nobody could reach your records. Create another one first."


class TooManyTokens(Wav2mp3Error):
    code = "too_many_tokens"
    message = "You have as many tokens as a user may have. Revoke one that you no longer use."


class BadSignature(Wav2mp3Error):
    """The link was changed, or its key was removed from LINK_KEYS."""

    code = "bad_signature"
    message = "The signature of this link is wrong. Use the link unchanged, or send your token."


class LinkExpired(Wav2mp3Error):
    code = "link_expired"
    message = "This link has expired. The owner of the record gets a new link from GET /records/{id}, with the token."


class RecordNotFound(Wav2mp3Error):
    """The id is unknown, or the record belongs to another user."""

    code = "record_not_found"
    message = "There is no such record. Check the id in the link."


class RecordGone(Wav2mp3Error):
    """The record is a tombstone, or it became one during the request."""

    code = "record_gone"
    message = "This record was deleted or has expired. Upload the WAV again."


class RecordNotReady(Wav2mp3Error):
    """The download waited as long as it may, and the MP3 is not finished."""

    code = "record_not_ready"
    message = "The MP3 is not ready yet. Try again after the number of seconds in Retry-After."


class NoWaveform(Wav2mp3Error):
    """The record is not done, or an older release converted it."""

    code = "no_waveform"
    message = (
        "This record has no waveform: it is not done yet, or an older release converted it. "
        "Try again once its status is done, or upload the WAV again."
    )


class RecordUnfinished(Wav2mp3Error):
    """Only a failed record can be converted again."""

    code = "record_unfinished"
    message = "This record is not finished yet. Wait until it is done or failed, or delete it and upload the WAV again."


class SourceGone(Wav2mp3Error):
    """The source was deleted when the record was done, or it vanished from the media volume."""

    code = "source_gone"
    message = (
        "The service no longer has the WAV of this record. Upload it again, with if_exists=replace."
    )


class FilenameTaken(Wav2mp3Error):
    """`record_id` is the record with this filename, or None if it was deleted in the meantime."""

    code = "filename_taken"
    message = (
        "You already have a record with this filename. "
        "Upload with if_exists=replace or if_exists=rename, or delete that record."
    )

    def __init__(self, detail: str | None = None, record_id: UUID | None = None) -> None:
        super().__init__(detail)
        self.record_id = record_id


class StillUploading(FilenameTaken):
    """Another upload of this filename is running. `renewals` grows while that upload makes progress."""

    message = (
        "A file with this name is still uploading. "
        "Wait for that upload. If its connection was lost, try again after the number of seconds in Retry-After."
    )

    def __init__(self, record_id: UUID | None, renewals: int) -> None:
        super().__init__(record_id=record_id)
        self.renewals = renewals


class UploadReplaced(Wav2mp3Error):
    """The upload was silent for some seconds, and its row is gone."""

    code = "upload_replaced"
    message = (
        "This upload paused for too long and lost its filename, probably to a newer upload of the same file. "
        "Check your records before you upload it again."
    )


class RequestInProgress(Wav2mp3Error):
    """A request with the same Idempotency-Key is running. If it uploads, `renewals` grows while it makes progress."""

    code = "request_in_progress"
    message = (
        "A request with this Idempotency-Key is still running. "
        "Send the request again after the number of seconds in Retry-After, to get the same answer."
    )

    def __init__(self, record_id: UUID | None, renewals: int) -> None:
        super().__init__()
        self.record_id = record_id
        self.renewals = renewals


class KeyReused(Wav2mp3Error):
    """The first request with this key had another path, filename, option or body."""

    code = "idempotency_key_reused"
    message = "Another request used this Idempotency-Key. Send a new key, or repeat the first request without changes."


class TooManyPending(Wav2mp3Error):
    """The user has MAX_PENDING_RECORDS unfinished records."""

    code = "too_many_pending"
    message = "Too many of your records are unfinished. Wait until some of them are done, then upload again."


class TooManyPendingInAll(Wav2mp3Error):
    """All users together have MAX_PENDING_RECORDS_IN_ALL unfinished records."""

    code = "too_many_pending_in_all"
    message = (
        "The service has too many unfinished records at the moment. "
        "Upload again after the number of seconds in Retry-After."
    )


class TooManyRequests(Wav2mp3Error):
    """Base class. A client address did something too often."""

    def __init__(self, retry_after_s: int) -> None:
        super().__init__()
        self.retry_after_s = retry_after_s


class TooManyNewUsers(TooManyRequests):
    """More than MAX_NEW_USERS_PER_HOUR from one address."""

    code = "too_many_new_users"
    message = (
        "Too many users were created from your network address. "
        "Use an existing user, or try again after the number of seconds in Retry-After."
    )


class TooManyBadCredentials(TooManyRequests):
    """More than MAX_BAD_CREDENTIALS_PER_MINUTE from one address. Good credentials are accepted meanwhile."""

    code = "too_many_bad_credentials"
    message = (
        "These credentials are wrong, and so were many others from your network address. "
        "Correct them, and try again after the number of seconds in Retry-After."
    )


class UploadTooLarge(Wav2mp3Error):
    code = "upload_too_large"
    message = "The file is larger than this service accepts. Split it, or ask the operator to raise MAX_UPLOAD_BYTES."

    @classmethod
    def than(cls, max_bytes: int) -> Self:
        """Return the error with the limit in its detail."""
        return cls(f"{cls.message} It accepts {format_bytes(max_bytes)} ({max_bytes} bytes).")


class TooManyWaiting(Wav2mp3Error):
    """The client's address, or all clients together, have too many requests that wait for a record."""

    code = "too_many_waiting"
    message = (
        "Too many requests wait for a record. Poll instead: leave out `Prefer`, or try again later."
    )


class NoSpace(Wav2mp3Error):
    """The media volume is full, or an upload would leave less than MIN_FREE_BYTES free."""

    code = "no_space"
    message = "The service has too little disk space left. Try again later, or tell the operator."


class UserStorageFull(Wav2mp3Error):
    """With this upload or retry, the user would store more than MAX_STORED_BYTES."""

    code = "user_storage_full"
    message = "Your records leave no room for this file. Delete records that you no longer need, then try again."

    def __init__(self, used_bytes: int, max_bytes: int) -> None:
        used = f"Your records use {format_bytes(used_bytes)} of {format_bytes(max_bytes)}."
        super().__init__(f"{self.message} {used}")


class UserStorageBusy(UserStorageFull):
    """There would be room without the user's unfinished records, which need less once they are finished."""

    message = (
        "Your other records leave no room for this file until they are converted. "
        "Try again after the number of seconds in Retry-After."
    )


class ServiceStorageFull(Wav2mp3Error):
    """With this upload, all users together would store more than MAX_STORED_BYTES_IN_ALL."""

    code = "service_storage_full"
    message = (
        "All users together have used the space that the operator allows. "
        "Delete records that you no longer need, or ask the operator to raise MAX_STORED_BYTES_IN_ALL."
    )


class ServiceStorageBusy(ServiceStorageFull):
    """There would be room without the unfinished records of all users."""

    message = (
        "The service has no room for this file until other records are converted. "
        "Try again after the number of seconds in Retry-After."
    )


class UploadTimeout(Wav2mp3Error):
    """The client sent nothing for UPLOAD_IDLE_TIMEOUT_S, or on average less than MIN_UPLOAD_BYTES_PER_S."""

    code = "upload_timeout"
    message = "The upload was aborted because its data arrived too slowly. Upload the file again."


class BadUpload(Wav2mp3Error):
    """The body is incomplete, malformed, or not a form with exactly one file."""

    code = "bad_upload"
    message = "The body is not a complete multipart/form-data upload. Send the WAV as the file `wav_file`."


class NotMultipart(Wav2mp3Error):
    """The Content-Type is neither multipart/form-data with a usable boundary nor that of a WAV."""

    code = "not_multipart"
    message = (
        "Send the WAV in a multipart/form-data body as the file `wav_file`: curl -F 'wav_file=@song.wav'. "
        "Or send it as the body itself, with Content-Type: audio/wav."
    )


class NotJson(Wav2mp3Error):
    """The Content-Type is not application/json. Web pages of other sites may send every other type without asking."""

    code = "not_json"
    message = "Send the body as JSON, with the header Content-Type: application/json."


class BadOptions(Wav2mp3Error):
    """MP3 does not allow this combination of options. Always raised with the allowed values as `detail`."""

    code = "bad_options"
    message = "These conversion options cannot be combined. The allowed values are listed at /docs."


class NoWebhookSecret(Wav2mp3Error):
    """An upload has a callback URL, and its user has no secret that could sign the deliveries."""

    code = "no_webhook_secret"
    message = "Deliveries to a `callback_url` are signed. Create your secret first, with POST /users/me/webhook-secret."


class UnknownParameter(Wav2mp3Error):
    """A query parameter or form field that the call does not have. Always raised with the known ones as `detail`."""

    code = "unknown_parameter"
    message = "A parameter is unknown. The calls and their parameters are described at /docs."


class BadRequest(Wav2mp3Error):
    code = "bad_request"
    message = "The request is invalid. The calls and their parameters are described at /docs."


class BadRange(Wav2mp3Error):
    """No requested range overlaps the MP3, which has `size_bytes`."""

    code = "bad_range"
    message = "The requested range is outside the MP3. Request another range, or leave out the Range header."

    def __init__(self, size_bytes: int) -> None:
        super().__init__()
        self.size_bytes = size_bytes


class Unavailable(Wav2mp3Error):
    """PostgreSQL does not answer, or the connection pool is exhausted."""

    code = "unavailable"
    message = "The service cannot reach its database at the moment. Try again in a few seconds."


class ShuttingDown(Wav2mp3Error):
    """This process stops before it can answer."""

    code = "shutting_down"
    message = "The service is restarting. Send the request again after the number of seconds in Retry-After."


class NotReady(Wav2mp3Error):
    """The readiness check failed.

    `components` maps each component to "ok" or "not ready", and `reasons` those that are not ready to the reason.
    """

    code = "not_ready"
    message = (
        "Part of the service is unavailable, and `reasons` says why. Uploads may still be accepted."
    )

    def __init__(self, components: dict[str, str], reasons: dict[str, str]) -> None:
        super().__init__()
        self.components = components
        self.reasons = reasons


class NotAWav(Wav2mp3Error):
    code = "not_a_wav"
    message = "This is not a WAV file. Upload a WAV (RIFF, RIFX, RF64, BW64 or W64)."


class BadWav(Wav2mp3Error):
    """The file is a WAV, but it is damaged, empty or in an unsupported format."""

    code = "bad_wav"
    message = "This WAV cannot be converted. Export it again from the program that made it."


class EncodeFailed(Wav2mp3Error):
    """All attempts to encode or assemble failed, and no other error explains why."""

    code = "encode_failed"
    message = (
        "The audio could not be encoded. "
        "Upload the WAV again; if that fails too, export it again and upload the new file."
    )


class StorageUnavailable(Wav2mp3Error):
    code = "storage_unavailable"
    message = "The service cannot use its storage at the moment. Try again in a few minutes, or tell the operator."


class TooLong(Wav2mp3Error):
    code = "too_long"
    message = "The recording is longer than this service allows. Split it, or ask the operator to raise MAX_DURATION_S."

    def __init__(self, duration_s: float, max_duration_s: float) -> None:
        super().__init__(
            f"The recording lasts {duration_s / 3600:.1f} hours. The service allows {max_duration_s / 3600:.1f} hours."
            " Split it, or ask the operator to raise MAX_DURATION_S."
        )


class Mp3TooLarge(Wav2mp3Error):
    code = "mp3_too_large"
    message = "The MP3 would be larger than this service allows. Send a lower bitrate_kbps, or split the recording."

    def __init__(self, max_bytes: int) -> None:
        super().__init__(
            f"The MP3 could be larger than {max_bytes / 1e6:.0f} MB, the maximum of this service."
            " Send a lower bitrate_kbps or sample_rate_hz, or split the recording."
        )


class SourceLost(Wav2mp3Error):
    """The source vanished from the media volume, or has another size than at upload."""

    code = "source_lost"
    message = (
        "The uploaded WAV is no longer on the service's disk, or it has changed. Upload it again."
    )


class LeaseLost(Wav2mp3Error):
    """Another worker holds the lease now, or the record was deleted. Never shown to a user."""

    code = "lease_lost"
    message = "Another worker has taken over this work, or it was cancelled."
