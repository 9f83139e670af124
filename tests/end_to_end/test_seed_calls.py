"""The three calls that the service grew out of, word for word."""

import httpx

from tests.conftest import User
from tests.wavs import build, sine


def test_a_user_uploads_a_wav_and_downloads_its_mp3_at_once(client: httpx.Client) -> None:
    created = client.post("/users", json={"name": "alexander"}).json()
    accepted = client.post(
        f"/record?user_id={created['id']}&token={created['token']}",
        files={"wav_file": ("some_audio.wav", build(sine(44100, 2)), "audio/wav")},
    )
    answer = client.get(accepted.json()["download_link"])
    assert answer.headers["content-type"] == "audio/mpeg"
    assert 'filename="some_audio.mp3"' in answer.headers["content-disposition"]
    assert answer.content[:3] == b"ID3" or answer.content[0] == 0xFF


def test_the_download_link_takes_user_in_place_of_user_id(user: User) -> None:
    link = user.upload(build(sine(44100, 2))).json()["download_link"]
    same = link.replace("user_id=", "user=")
    assert user.client.get(same).content == user.client.get(link).content != b""


def test_a_second_upload_of_the_same_name_is_refused_and_changes_nothing(user: User) -> None:
    first = user.upload(build(sine(44100, 2)), "a.wav").json()
    mp3 = user.client.get(first["download_link"]).content
    second = user.upload(build(sine(22050, 1)), "a.wav")
    assert second.status_code == 409
    assert second.json()["code"] == "filename_taken"
    assert second.json()["record_id"] == first["id"]
    assert user.client.get(first["download_link"]).content == mp3
