"""Ordinary use of the page."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import become, count_uploads
from tests.conftest import User
from tests.wavs import build, sine


@pytest.fixture
def song(tmp_path: Path) -> Path:
    path = tmp_path / "Привет, мир.wav"
    path.write_bytes(build(sine(44100, 2)))
    return path


def test_a_chosen_wav_is_converted(page: Page, song: Path) -> None:
    page.set_input_files("#files", song)
    row = page.locator("#records li")
    expect(row).to_have_class("done")
    expect(row.locator(".name")).to_have_text("Привет, мир")
    expect(row.locator(".length")).to_have_text("00:01")
    with page.expect_download() as download:
        row.locator(".download").click()
    assert download.value.suggested_filename == "Привет, мир.mp3"
    assert Path(download.value.path()).stat().st_size > 1000


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("song.wav", b"fLaC" + bytes(1000), "This is FLAC, not WAV."),
        ("nothing.wav", b"", "This file is empty."),
    ],
    ids=["flac", "empty"],
)
def test_other_formats_are_refused_before_the_upload(
    page: Page, tmp_path: Path, name: str, content: bytes, sentence: str
) -> None:
    uploads = count_uploads(page)
    (tmp_path / name).write_bytes(content)
    page.set_input_files("#files", tmp_path / name)
    expect(page.locator("#records li.failed .state")).to_contain_text(sentence)
    assert uploads == []


def test_the_reason_of_the_service_is_shown(page: Page, tmp_path: Path) -> None:
    wav = tmp_path / "broken.wav"
    wav.write_bytes(b"RIFF\x24\x00\x00\x00WAVE" + bytes(1000))
    page.set_input_files("#files", wav)
    row = page.locator("#records li.failed")
    expect(row.locator(".state")).to_have_text(re.compile(r"^[A-Z].*\.$"))
    expect(row.locator(".retry")).to_be_hidden()


def test_a_warning_can_be_read_in_full(page: Page, tmp_path: Path) -> None:
    surround = tmp_path / "surround.wav"
    surround.write_bytes(build(sine(44100, 6)))
    page.set_input_files("#files", surround)
    warning = page.locator("#records li .warning")
    expect(warning).to_contain_text("mixed to stereo")
    warning.click()
    expect(page.get_by_role("dialog")).to_contain_text("scaled so that nothing clips.")
    page.keyboard.press("Escape")
    expect(warning).to_be_focused()


def test_records_and_their_order_survive_a_reload(tab: Page, user: User) -> None:
    for name in ("first.wav", "second.wav", "third.wav"):
        user.convert(build(sine(1000)), name)
    become(tab, user)
    names = tab.locator("#records .name")
    expect(names).to_have_text(["third", "second", "first"])
    tab.reload()
    expect(names).to_have_text(["third", "second", "first"])


def test_results_are_announced_to_screen_readers(page: Page, tmp_path: Path) -> None:
    announcement = page.locator("#announcement")
    (tmp_path / "good.wav").write_bytes(build(sine(1000)))
    page.set_input_files("#files", tmp_path / "good.wav")
    expect(announcement).to_have_text("good.wav is done.")
    (tmp_path / "bad.wav").write_bytes(b"RIFF\x24\x00\x00\x00WAVE" + bytes(1000))
    page.set_input_files("#files", tmp_path / "bad.wav")
    expect(announcement).to_contain_text("bad.wav failed: ")


def test_the_docs_work_offline(page: Page, service_url: str) -> None:
    page.route(re.compile(f"^(?!{re.escape(service_url)}/|data:)"), lambda route: route.abort())
    page.goto(f"{service_url}/docs")
    expect(page.locator("#swagger-ui .title")).to_contain_text("wav2mp3")


def test_the_page_asks_no_other_host(page: Page, service_url: str, song: Path) -> None:
    hosts: set[str] = set()
    page.on("request", lambda request: hosts.add(request.url.split("/")[2]))
    page.reload()
    page.set_input_files("#files", song)
    expect(page.locator("#records li")).to_have_class("done")
    assert hosts == {service_url.split("/")[2]}
