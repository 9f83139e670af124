"""Ordinary use of the page."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.wavs import build, sine


@pytest.fixture
def wav(tmp_path: Path) -> Path:
    path = tmp_path / "Привет, мир.wav"
    path.write_bytes(build(sine(44100, 2)))
    return path


def test_a_chosen_wav_is_converted(page: Page, wav: Path) -> None:
    page.set_input_files("#files", wav)
    row = page.locator("#records li")
    expect(row).to_have_class("done")
    expect(row.locator(".name")).to_have_text("Привет, мир.wav")
    with page.expect_download() as download:
        row.locator(".download").click()
    assert download.value.suggested_filename == "Привет, мир.mp3"
    assert Path(download.value.path()).stat().st_size > 1000


def test_a_refused_file_shows_the_reason(page: Page, tmp_path: Path) -> None:
    flac = tmp_path / "song.wav"
    flac.write_bytes(b"fLaC" + bytes(1000))
    page.set_input_files("#files", flac)
    row = page.locator("#records li")
    expect(row).to_have_class("failed")
    expect(row.locator(".detail")).to_contain_text("This is FLAC")


def test_a_warning_is_shown(page: Page, tmp_path: Path) -> None:
    surround = tmp_path / "surround.wav"
    surround.write_bytes(build(sine(44100, 6)))
    page.set_input_files("#files", surround)
    expect(page.locator("#records li .detail")).to_contain_text("mixed to stereo")


def test_records_survive_a_reload(page: Page, wav: Path) -> None:
    page.set_input_files("#files", wav)
    row = page.locator("#records li")
    expect(row).to_have_class("done")
    page.reload()
    expect(row).to_have_class("done")
    row.locator(".delete").click()
    expect(row).to_have_count(0)
    page.reload()
    expect(page.locator("#drop")).to_be_visible()
    expect(row).to_have_count(0)


def test_results_are_announced_to_screen_readers(page: Page, tmp_path: Path) -> None:
    announcement = page.get_by_role("status")
    (tmp_path / "good.wav").write_bytes(build(sine(1000)))
    page.set_input_files("#files", tmp_path / "good.wav")
    expect(announcement).to_have_text("good.wav is done.")
    (tmp_path / "bad.wav").write_bytes(b"fLaC" + bytes(1000))
    page.set_input_files("#files", tmp_path / "bad.wav")
    expect(announcement).to_contain_text("bad.wav failed: This is FLAC")
    expect(page.locator("[aria-live]")).to_have_count(0)


def test_the_keyboard_reaches_every_control(page: Page, wav: Path) -> None:
    page.locator("[name=channels]").focus()
    page.keyboard.press("Tab")
    expect(page.locator("#drop")).to_have_css("outline-style", "solid")
    with page.expect_file_chooser() as chooser:
        page.keyboard.press("Space")
    chooser.value.set_files(wav)
    expect(page.locator("#records li")).to_have_class("done")
    progress = page.locator("#records progress")
    expect(progress).to_have_attribute("aria-label", f"Progress of {wav.name}")
    delete = page.get_by_role("button", name=f"Delete {wav.name}")
    page.keyboard.press("Tab")
    expect(delete).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name=f"Download MP3 of {wav.name}")).to_be_focused()
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#records li")).to_have_count(0)
    expect(page.locator("#files")).to_be_focused()


@pytest.mark.parametrize("width", [320, 400])
def test_a_long_name_fits_small_screens(page: Page, tmp_path: Path, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 700})
    long_name = tmp_path / f"{'long' * 40}.wav"
    long_name.write_bytes(build(sine(1000)))
    page.set_input_files("#files", long_name)
    expect(page.locator("#records li")).to_have_class("done")
    name = page.locator("#records .name").bounding_box()
    state = page.locator("#records .state").bounding_box()
    assert name is not None
    assert state is not None
    assert state["y"] >= name["y"] + name["height"]
    assert page.evaluate("document.documentElement.scrollWidth") == width


def test_the_docs_work_offline(page: Page, service_url: str) -> None:
    page.route(re.compile(f"^(?!{re.escape(service_url)}/|data:)"), lambda route: route.abort())
    page.goto(f"{service_url}/docs")
    expect(page.locator("#swagger-ui .title")).to_contain_text("wav2mp3")
