"""Signatures of links that open one record without a token, until they expire.

A signature is an HMAC-SHA256 of the kind of link, the record's id and the time of expiry. The first key signs; every
key opens. To rotate, put a new key first, and remove the old one once its links have expired.
"""

import hmac
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from enum import StrEnum
from hashlib import sha256
from uuid import UUID

from shared.errors import BadSignature, LinkExpired

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
        """Raises BadSignature, LinkExpired."""
        sent = signature.encode(errors="replace")
        expected = [_signature(key, kind, record_id, expires_s).encode() for key in self._keys]
        # Every key is compared, so that the time tells nothing.
        if True not in [hmac.compare_digest(each, sent) for each in expected]:
            raise BadSignature
        if now_s >= expires_s:
            raise LinkExpired


def _signature(key: bytes, kind: LinkKind, record_id: UUID, expires_s: int) -> str:
    message = f"{kind}\n{record_id}\n{expires_s}".encode()
    return urlsafe_b64encode(hmac.digest(key, message, sha256)).decode().rstrip("=")
