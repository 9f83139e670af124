"""The real service for the tests: one embedded stack for the whole run, or the one that SERVICE_URL names."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from local.stack import Stack

ROOT = Path(__file__).resolve().parent.parent
TIMEOUT_S = 60


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """PostgreSQL, Valkey, workers and the API, on ports and data of their own. Leases are short, to see them end."""
    settings = {"LEASE_S": "3", "SWEEP_INTERVAL_S": "1", "UPLOAD_IDLE_TIMEOUT_S": "3"}
    with Stack.on_free_ports(tmp_path_factory.mktemp("stack"), settings) as stack:
        yield stack


@pytest.fixture(scope="session")
def service_url(request: pytest.FixtureRequest) -> str:
    """Where the service answers: SERVICE_URL, such as the composed stack's, or the embedded stack."""
    named = os.environ.get("SERVICE_URL")
    return named or request.getfixturevalue("stack").api_url


@pytest.fixture(scope="session")
def client(service_url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=service_url, timeout=TIMEOUT_S, trust_env=False) as client:
        yield client


@dataclass(frozen=True, slots=True)
class User:
    """A user of the service, and what its API says to what they send."""

    client: httpx.Client
    id: str
    token: str

    @property
    def credentials(self) -> dict[str, str]:
        return {"user_id": self.id, "token": self.token}

    def upload(
        self, wav: bytes, filename: str = "some_audio.wav", **options: str | int
    ) -> httpx.Response:
        return self.client.post(
            "/record",
            params=self.credentials | {name: str(value) for name, value in options.items()},
            files={"wav_file": (filename, wav, "audio/wav")},
        )

    def convert(self, wav: bytes, filename: str | None = None, **options: str | int) -> bytes:
        """Upload, wait and download, as the seed's users did: the MP3."""
        accepted = self.upload(wav, filename or f"{uuid4()}.wav", **options)
        assert accepted.status_code == 202, accepted.text
        answer = self.client.get(accepted.json()["download_link"])
        assert answer.status_code == 200, answer.text
        return answer.content

    def wait(self, record_id: str) -> dict[str, object]:
        """The record once it is done or failed."""
        answer = self.client.get(f"/records/{record_id}", headers={"Prefer": "wait=30"})
        record: dict[str, object] = answer.json()
        assert record["status"] in ("done", "failed"), record
        return record


@pytest.fixture
def user(client: httpx.Client) -> User:
    created = client.post("/users", json={"name": "alexander"}).json()
    return User(client, created["id"], created["token"])
