"""The three calls of the first version, exactly as they were."""

import httpx

from tests.conftest import User
from tests.wavs import build, sine


def test_a_download_waits_for_the_conversion(client: httpx.Client) -> None:
    created = client.post("/users", json={"name": "alexander"}).json()
    accepted = client.post(
        f"/record?user_id={created['id']}&token={created['token']}",
        files={"wav_file": ("some_audio.wav", build(sine(44100, 2)), "audio/wav")},
    )
    answer = client.get(accepted.json()["download_link"])
    assert answer.headers["content-type"] == "audio/mpeg"
    assert 'filename="some_audio.mp3"' in answer.headers["content-disposition"]
    assert answer.content[:3] == b"ID3"


def test_a_download_takes_user_instead_of_user_id(user: User) -> None:
    link = user.upload(build(sine(44100, 2))).json()["download_link"]
    assert "user_id=" in link
    answers = [user.client.get(link), user.client.get(link.replace("user_id=", "user="))]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].content == answers[1].content


def test_a_taken_filename_is_refused(user: User) -> None:
    first = user.upload(build(sine(44100, 2)), "a.wav").json()
    mp3 = user.client.get(first["download_link"]).content
    second = user.upload(build(sine(22050, 1)), "a.wav")
    assert second.status_code == 409
    assert second.json()["code"] == "filename_taken"
    assert second.json()["record_id"] == first["id"]
    assert user.client.get(first["download_link"]).content == mp3
