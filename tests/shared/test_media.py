"""Files on the volume are either whole or absent."""

from pathlib import Path
from uuid import uuid4

import pytest

from shared import media
from shared.media import RecordFiles


@pytest.fixture
def files(tmp_path: Path) -> RecordFiles:
    files = media.record_files(tmp_path, uuid4(), uuid4())
    files.parts.mkdir(parents=True)
    return files


def _names(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_the_ids_name_every_file(tmp_path: Path) -> None:
    user_id, record_id = uuid4(), uuid4()
    files = media.record_files(tmp_path, user_id, record_id)
    assert files.source == tmp_path / f"{user_id}/{record_id}.wav"
    assert files.part(2, 1) == tmp_path / f"{user_id}/{record_id}.parts/2.1"
    assert files.part_peaks(2, 1) == tmp_path / f"{user_id}/{record_id}.parts/2.1.peaks"
    assert files.mp3 == tmp_path / f"{user_id}/{record_id}.mp3"
    assert files.peaks == tmp_path / f"{user_id}/{record_id}.peaks"


def test_a_file_gets_its_name_when_it_is_whole(files: RecordFiles) -> None:
    with media.completing_durably(files.part(0, 1)) as part:
        part.write(b"half")
        assert not files.part(0, 1).exists()
        part.write(b" and half")
    assert files.part(0, 1).read_bytes() == b"half and half"
    assert _names(files.parts) == {"0.1"}


def test_a_failed_write_keeps_the_old_file_alone(files: RecordFiles) -> None:
    with media.completing_durably(files.mp3) as mp3:
        mp3.write(b"first")
    with pytest.raises(InterruptedError), media.completing_durably(files.mp3) as mp3:  # noqa: PT012
        mp3.write(b"second")
        mp3.flush()
        raise InterruptedError
    assert files.mp3.read_bytes() == b"first"
    assert _names(files.folder) == {files.mp3.name}


def test_two_writers_of_one_file_do_not_collide(files: RecordFiles) -> None:
    with media.completing_durably(files.mp3) as one, media.completing_durably(files.mp3) as other:
        one.write(b"same")
        other.write(b"same")
    assert files.mp3.read_bytes() == b"same"
    assert _names(files.folder) == {files.mp3.name}


def test_a_finished_record_keeps_only_its_mp3(files: RecordFiles) -> None:
    other = media.record_files(files.folder.parent, uuid4(), uuid4())
    other.folder.mkdir()
    for path in (files.source, files.part(0, 1), files.mp3, other.source):
        with media.completing_durably(path) as file:
            file.write(b"x")
    media.delete_work(files)
    assert _names(files.folder.parent) == {
        str(path.relative_to(files.folder.parent)) for path in (files.mp3, other.source)
    }


def test_a_deleted_record_leaves_no_file(files: RecordFiles) -> None:
    for path in (files.source, files.part(0, 1), files.mp3):
        with media.completing_durably(path) as file:
            file.write(b"x")
    files.mp3.with_name(f"{files.mp3.name}.{uuid4().hex}{media.UNFINISHED}").write_bytes(b"x")
    media.delete_all(files)
    assert list(files.folder.iterdir()) == []
    media.delete_all(files)
