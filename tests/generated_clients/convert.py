"""Convert a WAV with the generated client: python convert.py http://localhost:8000 song.wav song.mp3"""

import sys
from http import HTTPStatus
from pathlib import Path
from uuid import UUID

import httpx
from generated import AuthenticatedClient, Client
from generated.api.records import create_record, download_mp3, get_record
from generated.api.users import create_user
from generated.models import (
    CreateRecordBitrateKbps,
    CreateRecordIfExists,
    NewUser,
    RecordAccepted,
    RecordStatus,
    RecordView,
    UploadForm,
    UserCreated,
)
from generated.types import File


def main(url: str, wav: Path, mp3: Path) -> None:
    user = create_user.sync(client=Client(url), body=NewUser("python"))
    assert isinstance(user, UserCreated), user
    client = AuthenticatedClient(url, user.token, timeout=httpx.Timeout(60))
    with wav.open("rb") as opened:
        accepted = create_record.sync(
            client=client,
            body=UploadForm(File(opened, wav.name)),
            title="Python",
            bitrate_kbps=CreateRecordBitrateKbps.VALUE_128,
            if_exists=CreateRecordIfExists.RENAME,
        )
    assert isinstance(accepted, RecordAccepted), accepted
    wait(client, accepted.id)
    answer = download_mp3.sync_detailed(accepted.id, client=client)
    assert answer.status_code == HTTPStatus.OK, answer.parsed
    assert isinstance(answer.parsed, File)
    mp3.write_bytes(answer.parsed.payload.read())


def wait(client: AuthenticatedClient, record_id: UUID) -> None:
    record = None
    while record is None or record.status != RecordStatus.DONE:
        record = get_record.sync(record_id, client=client, prefer="wait=30")
        assert isinstance(record, RecordView), record
        assert record.status != RecordStatus.FAILED, record.error


main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
