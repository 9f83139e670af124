"""Uploads of many files, and errors during uploads."""

import re
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from playwright.sync_api import Dialog, Page, expect

from tests.browser.conftest import HeldUploads
from tests.wavs import build, sine

PROXY_ERROR = "<html><h1>nginx</h1></html>"


@pytest.fixture
def wavs(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / f"take {number}.wav" for number in range(10)]
    for path in paths:
        path.write_bytes(build(sine(10 * 44100)))
    return paths


def drop(page: Page, selector: str, path: Path) -> None:
    """Drop a file like the system's file manager. A synthetic event would not make the browser open the file."""
    box = page.locator(selector).bounding_box()
    assert box is not None
    dragged = {"items": [], "files": [str(path)], "dragOperationsMask": 1}
    session = page.context.new_cdp_session(page)
    for kind in ("dragEnter", "dragOver", "drop"):
        place = {"type": kind, "x": box["x"] + 5, "y": box["y"] + 5}
        session.send("Input.dispatchDragEvent", {**place, "data": dragged})


def test_polling_leaves_connections_for_uploads(
    page: Page, wavs: list[Path], frozen_workers: AbstractContextManager[None]
) -> None:
    with frozen_workers:
        page.set_input_files("#files", wavs)
        expect(page.locator("#records .queued")).to_have_count(10)
        page.get_by_role("button", name="Cancel take 4.wav").click()
        expect(page.locator("#records li")).to_have_count(9)
    expect(page.locator("#records .done")).to_have_count(9)


def test_waiting_files_can_be_cancelled(page: Page, wavs: list[Path]) -> None:
    uploads = HeldUploads(page)
    page.set_input_files("#files", wavs[:5])
    rows = page.locator("#records li")
    expect(rows.locator(".name")).to_have_text([path.name for path in wavs[:5]])
    expect(page.locator("#files")).to_have_value("")
    expect(page.locator("#records .uploading")).to_have_count(2)
    waiting = page.locator("#records .waiting")
    expect(waiting.locator(".state")).to_have_text(["waiting to upload"] * 3)
    page.get_by_role("button", name="Cancel take 0.wav").click()
    page.get_by_role("button", name="Cancel take 3.wav").click()
    uploads.release()
    expect(rows).to_have_class(["done"] * 3)
    page.reload()
    expect(rows).to_have_count(3)


@pytest.mark.parametrize("place", ["#drop", "header", "footer"])
def test_a_file_dropped_anywhere_is_uploaded(page: Page, wavs: list[Path], place: str) -> None:
    drop(page, place, wavs[0])
    expect(page.locator("#records li")).to_have_class("done")


def test_a_dropped_folder_is_explained(page: Page, tmp_path: Path) -> None:
    drop(page, "#drop", tmp_path)
    row = page.locator("#records li")
    expect(row.locator(".detail")).to_contain_text("cannot be read")
    expect(row.get_by_role("button")).to_have_text(["Delete"])


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


def test_an_unknown_user_is_replaced(page: Page, wavs: list[Path]) -> None:
    unknown = '{"id": "00000000-0000-0000-0000-000000000000", "token": "unknown"}'
    page.evaluate("user => localStorage.setItem('wav2mp3.user', user)", unknown)
    page.set_input_files("#files", wavs[:3])
    rows = page.locator("#records li")
    expect(rows).to_have_class(["done"] * 3)
    page.reload()
    expect(rows).to_have_class(["done"] * 3)


def test_a_failed_user_creation_is_retried(page: Page, wavs: list[Path]) -> None:
    detail = "The service cannot reach its database at the moment."
    page.route("**/users", lambda route: route.fulfill(status=503, json={"detail": detail}))
    page.set_input_files("#files", wavs[:2])
    rows = page.locator("#records li")
    expect(rows).to_have_class(["failed"] * 2)
    expect(rows.locator(".detail")).to_have_text([detail] * 2)
    page.unroute("**/users")
    for path in wavs[:2]:
        page.get_by_role("button", name=f"Try again: {path.name}").click()
    expect(rows).to_have_class(["done"] * 2)
    page.reload()
    expect(rows).to_have_count(2)


@pytest.mark.parametrize("status", [413, 502])
def test_a_proxy_error_becomes_a_sentence(page: Page, wavs: list[Path], status: int) -> None:
    page.route("**/record?user_id=*", lambda route: route.fulfill(status=status, body=PROXY_ERROR))
    page.set_input_files("#files", wavs[0])
    row = page.locator("#records li")
    expect(row).to_have_class("failed")
    expect(row.locator(".detail")).to_have_text(re.compile(rf"^[A-Z][a-z ]+.*{status}.*\.$"))
    expect(row.locator(".detail")).not_to_contain_text("nginx")
    expect(row.get_by_role("button", name="Try again")).to_be_visible(visible=status == 502)


def test_a_broken_upload_can_be_retried(page: Page, wavs: list[Path]) -> None:
    page.route("**/record?user_id=*", lambda route: route.abort("connectionreset"))
    page.set_input_files("#files", wavs[0])
    row = page.locator("#records li")
    expect(row.locator(".detail")).to_have_text("The service cannot be reached.")
    page.unroute("**/record?user_id=*")
    row.get_by_role("button", name="Try again").click()
    expect(row).to_have_class("done")
