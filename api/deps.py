"""FastAPI dependencies shared by the endpoints: settings, changes of records, and the id in the path."""

from typing import Annotated
from uuid import UUID

from fastapi import Depends, Path, Request

from api.changes import Changes
from api.http import BodyLimits
from api.schemas import RECORD_ID
from shared.settings import Settings, get_settings


# No dependency opens a transaction. FastAPI would wait for a free thread before it ends the transaction, while all
# threads may wait for its locks or its connection.
# Trivial dependencies are `async`, because FastAPI calls others in a thread.
async def _settings() -> Settings:
    return get_settings()


AppSettings = Annotated[Settings, Depends(_settings)]


async def _changes(request: Request) -> Changes:
    changes: Changes = request.state.changes
    return changes


RecordChanges = Annotated[Changes, Depends(_changes)]


PathRecordId = Annotated[
    UUID,
    Path(description="The record's id, as the upload returned it.", examples=[RECORD_ID]),
]


def body_limits(settings: Settings) -> BodyLimits:
    return BodyLimits(settings.upload_idle_timeout_s, settings.min_upload_bytes_per_s)
