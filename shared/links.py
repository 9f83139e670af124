"""The links of a record, in the API's answers and in webhooks."""

import time
from uuid import UUID

from shared.signed_links import LinkKind, LinkSigner


class RecordLinks:
    """Builds absolute links on a base URL. With a signer, they are signed and expire."""

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
        return link + self._signature("&", LinkKind.DOWNLOAD, record_id)

    def _of_record(self, record_id: UUID, path: str) -> str:
        signature = self._signature("?", LinkKind.STATUS, record_id)
        return f"{self._base}/records/{record_id}{path}{signature}"

    def _signature(self, separator: str, kind: LinkKind, record_id: UUID) -> str:
        if self._signer is None:
            return ""
        return separator + self._signer.sign(kind, record_id, time.time())
