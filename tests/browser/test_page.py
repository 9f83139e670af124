"""The page, as somebody with a browser and some WAVs uses it."""

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.wavs import build, sine


@pytest.fixture
def wav(tmp_path: Path) -> Path:
    path = tmp_path / "Привет, мир.wav"
    path.write_bytes(build(sine(44100, 2)))
    return path


def test_a_chosen_wav_is_converted_and_can_be_downloaded(page: Page, wav: Path) -> None:
    page.set_input_files("#files", wav)
    row = page.locator("#records li")
    expect(row).to_have_class("done", timeout=20_000)
    expect(row.locator(".name")).to_have_text("Привет, мир.wav")
    with page.expect_download() as download:
        row.locator(".download").click()
    assert download.value.suggested_filename == "Привет, мир.mp3"
    assert Path(download.value.path()).stat().st_size > 1000


def test_what_is_not_a_wav_is_refused_with_the_reason(page: Page, tmp_path: Path) -> None:
    flac = tmp_path / "song.wav"
    flac.write_bytes(b"fLaC" + bytes(1000))
    page.set_input_files("#files", flac)
    row = page.locator("#records li")
    expect(row).to_have_class("failed", timeout=20_000)
    expect(row.locator(".detail")).to_contain_text("This is FLAC")


def test_a_warning_is_shown(page: Page, tmp_path: Path) -> None:
    surround = tmp_path / "surround.wav"
    surround.write_bytes(build(sine(44100, 6)))
    page.set_input_files("#files", surround)
    expect(page.locator("#records li .detail")).to_contain_text("mixed to stereo", timeout=20_000)


def test_records_are_there_after_a_reload_until_they_are_deleted(page: Page, wav: Path) -> None:
    page.set_input_files("#files", wav)
    row = page.locator("#records li")
    expect(row).to_have_class("done", timeout=20_000)
    page.reload()
    expect(row).to_have_class("done")
    row.locator(".delete").click()
    expect(row).to_have_count(0)
    page.reload()
    expect(page.locator("#drop")).to_be_visible()
    expect(row).to_have_count(0)


def test_the_api_is_described_without_the_internet(page: Page, service_url: str) -> None:
    page.goto(f"{service_url}/docs")
    expect(page.locator("#swagger-ui .title")).to_contain_text("wav2mp3")
