"""Uploads of many files."""

import os
import re
import sys
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from playwright.sync_api import Dialog, Page, expect

from tests.browser.conftest import HeldUploads, drag, drop, throttle
from tests.wavs import build, sine


def test_polling_leaves_connections_for_uploads(
    page: Page, wavs: list[Path], frozen_workers: AbstractContextManager[None]
) -> None:
    with frozen_workers:
        page.set_input_files("#files", wavs)
        expect(page.locator("#records .queued")).to_have_count(10)
        page.get_by_role("button", name="Cancel take 4.wav").click()
        expect(page.locator("#records li")).to_have_count(9)
    expect(page.locator("#records .done")).to_have_count(9)


def test_three_files_are_uploaded_at_a_time(page: Page, wavs: list[Path]) -> None:
    uploads = HeldUploads(page)
    page.set_input_files("#files", wavs[:5])
    rows = page.locator("#records li")
    expect(rows.locator(".name")).to_have_text([path.name for path in wavs[:5]])
    expect(page.locator("#files")).to_have_value("")
    expect(page.locator("#records .uploading")).to_have_count(3)
    waiting = page.locator("#records .waiting .state")
    expect(waiting).to_have_text(["waiting to upload"] * 2)
    page.get_by_role("button", name="Cancel take 0.wav").click()
    page.get_by_role("button", name="Cancel take 4.wav").click()
    uploads.release()
    expect(rows).to_have_class(["done"] * 3)
    page.reload()
    expect(rows).to_have_count(3)


def test_speed_and_time_left_are_shown(page: Page, tmp_path: Path) -> None:
    wav = tmp_path / "long.wav"
    wav.write_bytes(build(sine(60 * 44100)))
    throttle(page, 500_000)
    page.set_input_files("#files", wav)
    state = page.locator("#records .uploading .state")
    expect(state).to_have_text(re.compile(r"^uploading \d+% · \d+ kB/s · \d+ secs? left$"))
    expect(page.locator("#total")).not_to_have_attribute("value", "0")


def test_a_file_dropped_anywhere_is_uploaded(page: Page, wavs: list[Path]) -> None:
    for count, place in enumerate(("#drop", "header", "#options"), 1):
        drop(page, place, wavs[count])
        expect(page.locator("#records li")).to_have_class(["done"] * count)


def test_the_whole_window_says_that_files_can_be_dropped(page: Page, wav: Path) -> None:
    overlay = page.locator("#overlay")
    expect(overlay).to_be_hidden()
    drag(page, "header", (wav,), "dragEnter", "dragOver")
    expect(overlay).to_be_visible()
    drag(page, "header", (wav,), "drop")
    expect(overlay).to_be_hidden()


def test_a_dropped_folder_is_searched_for_wavs(page: Page, tmp_path: Path, wav: Path) -> None:
    album = tmp_path / "album"
    (album / "side b").mkdir(parents=True)
    (album / "one.wav").write_bytes(wav.read_bytes())
    (album / "side b" / "two.wav").write_bytes(wav.read_bytes())
    (album / "cover.jpg").write_bytes(b"\xff\xd8\xff")
    drop(page, "#drop", album)
    names = page.locator("#records .done .name")
    expect(page.locator(".toast")).to_contain_text("1 file of the folder is not a WAV")
    expect(names).to_have_count(2)
    assert sorted(names.all_text_contents()) == ["one", "two"]


@pytest.mark.skipif(sys.platform == "darwin", reason="macOS refuses names that are not UTF-8")
def test_an_unreadable_file_does_not_lose_its_folder(page: Page, tmp_path: Path, wav: Path) -> None:
    album = tmp_path / "album"
    album.mkdir()
    (album / "one.wav").write_bytes(wav.read_bytes())
    # The browser lists this file without a name, because it is not UTF-8, and cannot open it.
    (album / os.fsdecode(b"\xff.wav")).write_bytes(wav.read_bytes())
    drop(page, "#drop", album)
    expect(page.locator(".toast")).to_contain_text("1 file of the folder")
    expect(page.locator("#records .done .name")).to_have_text(["one"])


def test_an_unreadable_folder_fails_alone(page: Page, tmp_path: Path, wav: Path) -> None:
    album = tmp_path / "album"
    (album / "locked").mkdir(parents=True)
    (album / "one.wav").write_bytes(wav.read_bytes())
    # Tests may run as root, whom no folder refuses.
    page.evaluate("""() => {
      const { webkitGetAsEntry } = DataTransferItem.prototype;
      const locked = { readEntries: (_, reject) => reject(new DOMException("", "NotReadableError")) };
      DataTransferItem.prototype.webkitGetAsEntry = function () {
        const album = webkitGetAsEntry.call(this);
        const folder = Object.getPrototypeOf(album);
        const { createReader } = folder;
        folder.createReader = function () {
          return this.name === "locked" ? locked : createReader.call(this);
        };
        return album;
      };
    }""")
    drop(page, "#drop", album)
    expect(page.locator("#records .done .name")).to_have_text(["one"])
    failed = page.locator("#records .failed")
    expect(failed.locator(".name")).to_have_text(["locked"])
    expect(failed).to_contain_text("This folder cannot be read.")


def test_hidden_files_of_a_folder_are_left_out(page: Page, tmp_path: Path, wav: Path) -> None:
    album = tmp_path / "album"
    album.mkdir()
    (album / "one.wav").write_bytes(wav.read_bytes())
    (album / "._one.wav").write_bytes(b"Mac OS X")
    drop(page, "#drop", album)
    expect(page.locator("#records .name")).to_have_text(["one"])


def test_a_picked_folder_is_uploaded(page: Page, tmp_path: Path, wav: Path) -> None:
    album = tmp_path / "album"
    album.mkdir()
    (album / "one.wav").write_bytes(wav.read_bytes())
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Choose a folder").click()
    chooser.value.set_files(album)
    expect(page.locator("#records .done .name")).to_have_text(["one"])


def test_a_pasted_file_is_uploaded(page: Page, wav: Path) -> None:
    paste = """(bytes) => {
      const data = new DataTransfer();
      data.items.add(new File([Uint8Array.from(bytes)], "pasted.wav"));
      window.dispatchEvent(new ClipboardEvent("paste", { clipboardData: data }));
    }"""
    page.evaluate(paste, list(wav.read_bytes()))
    expect(page.locator("#records .done .name")).to_have_text(["pasted"])


def test_a_second_tab_shows_uploads_under_way(page: Page, service_url: str, wav: Path) -> None:
    page.set_input_files("#files", wav)
    expect(page.locator("#records .done")).to_be_visible()
    long_wav = wav.with_name("long.wav")
    long_wav.write_bytes(build(sine(120 * 44100)))
    slow = throttle(page, 200_000)
    page.set_input_files("#files", long_wav)
    expect(page.locator("#records .uploading")).to_be_visible()
    other = page.context.new_page()
    other.goto(service_url)
    row = other.locator("#records li").first
    expect(row.locator(".name")).to_have_text("long.wav")
    expect(row.locator(".state")).to_have_text("uploading in another window")
    slow.detach()
    expect(row).to_have_class("done")
    expect(page.locator("#records li")).to_have_count(2)


def test_leaving_during_an_upload_asks(page: Page, wavs: list[Path]) -> None:
    uploads = HeldUploads(page)
    page.locator("h1").click()  # browsers ask only users who have touched the page
    page.set_input_files("#files", wavs[0])
    expect(page.locator("#records .uploading")).to_be_visible()
    with page.expect_event("dialog") as asked:
        page.close(run_before_unload=True)
    assert asked.value.type == "beforeunload"
    asked.value.dismiss()
    uploads.release()
    expect(page.locator("#records .done")).to_be_visible()


def test_downloading_during_an_upload_asks_nothing(page: Page, wavs: list[Path]) -> None:
    questions: list[str] = []

    def dismiss(question: Dialog) -> None:
        questions.append(question.type)
        question.dismiss()

    page.on("dialog", dismiss)
    page.locator("h1").click()
    page.set_input_files("#files", wavs[0])
    expect(page.locator("#records .done")).to_be_visible()
    uploads = HeldUploads(page)
    page.set_input_files("#files", wavs[1])
    expect(page.locator("#records .uploading")).to_be_visible()
    with page.expect_download():
        page.locator("#records .done .download").click()
    assert questions == []
    uploads.release()
