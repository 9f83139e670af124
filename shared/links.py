"""Links to a record. If LINK_TTL_S is set, a link is signed: it opens the record without a token until it expires.

A signature is an HMAC-SHA256 of the kind of link, the record's id and the time of expiry. The first key signs; all
keys are accepted. To rotate, put a new key first, and remove the old one once its links have expired.
"""

import hmac
import time
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from enum import StrEnum
from hashlib import sha256
from uuid import UUID

from shared.errors import BadSignature, LinkExpired
from shared.settings import Settings

STEPS = 10
"""Links of one record stay the same for this part of their lifetime, so that browsers may cache by them."""


class LinkKind(StrEnum):
    STATUS = "status"
    """Opens the record, its events and its waveform."""
    DOWNLOAD = "download"
    """Opens the MP3."""


class LinkSigner:
    def __init__(self, keys: Sequence[str], ttl_s: int) -> None:
        self._keys = [key.encode() for key in keys]
        self._ttl_s = ttl_s

    def sign(self, kind: LinkKind, record_id: UUID, now_s: float) -> str:
        """Return the query of a link. It expires after the lifetime or at most a tenth earlier."""
        step_s = max(1, self._ttl_s // STEPS)
        expires_s = int(now_s + self._ttl_s) // step_s * step_s
        signature = _signature(self._keys[0], kind, record_id, expires_s)
        return f"expires={expires_s}&signature={signature}"

    def check(
        self, kind: LinkKind, record_id: UUID, expires_s: int, signature: str, now_s: float
    ) -> None:
        """Check a link's signature and time. Raises BadSignature, LinkExpired."""
        sent = signature.encode(errors="replace")
        expected = [_signature(key, kind, record_id, expires_s).encode() for key in self._keys]
        # Compare every key, so that the response time does not show which key matches.
        if True not in [hmac.compare_digest(each, sent) for each in expected]:
            raise BadSignature
        if now_s >= expires_s:
            raise LinkExpired


def link_signer(settings: Settings) -> LinkSigner | None:
    """Return the signer of the links, or None if links do not expire."""
    if settings.link_ttl_s is None:
        return None
    return LinkSigner(settings.signing_keys, settings.link_ttl_s)


class LinksToRecords:
    """Builds absolute links. `signer` is None if they do not expire."""

    def __init__(self, base_url: str, signer: LinkSigner | None) -> None:
        self._base = base_url.rstrip("/")
        self._signer = signer

    def status(self, record_id: UUID) -> str:
        return self._of_record(record_id, "")

    def events(self, record_id: UUID) -> str:
        return self._of_record(record_id, "/events")

    def waveform(self, record_id: UUID) -> str:
        return self._of_record(record_id, "/waveform")

    def download(self, record_id: UUID, user_id: UUID) -> str:
        link = f"{self._base}/record?id={record_id}&user_id={user_id}"
        return link + self._query("&", LinkKind.DOWNLOAD, record_id)

    def _of_record(self, record_id: UUID, path: str) -> str:
        query = self._query("?", LinkKind.STATUS, record_id)
        return f"{self._base}/records/{record_id}{path}{query}"

    def _query(self, separator: str, kind: LinkKind, record_id: UUID) -> str:
        if self._signer is None:
            return ""
        return separator + self._signer.sign(kind, record_id, time.time())


def _signature(key: bytes, kind: LinkKind, record_id: UUID, expires_s: int) -> str:
    message = f"{kind}\n{record_id}\n{expires_s}".encode()
    return urlsafe_b64encode(hmac.digest(key, message, sha256)).decode().rstrip("=")
