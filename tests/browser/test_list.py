"""The list and the bar above it, at every width and with many files."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import POLL, become_staged
from tests.browser.staged import MIXED, Record, every_state, failed, record, stage
from tests.waiting import until

WIDTHS = [320, 360, 1024, 2000]
LAST_END = "parts => Math.max(...parts.map((part) => part.getBoundingClientRect().right))"
SCROLL = """async () => {
  scrollBy(0, 1200);
  await new Promise(requestAnimationFrame);
  await new Promise(requestAnimationFrame);
}"""
RENDERED = (
    "parts => parts.filter((part) => part.checkVisibility({ contentVisibilityAuto: true })).length"
)
# An element that was never drawn is 300 pixels wide.
DRAWN = "canvases => canvases.filter(({ width }) => width > 0 && width !== 300).length"
# Gives a row a long state. Returns whether that covers its progress, and the length of the progress.
LONG_STATE = """() => {
  const [state, progress] = [".state", "progress"].map((part) => document.querySelector(`#records ${part}`));
  state.textContent = "загрузка 100 % · 18,6 МБ/с · осталось 45 с, и ещё немного";
  const [text, bar] = [state, progress].map((part) => part.getBoundingClientRect());
  return [text.left < bar.right && text.bottom > bar.top && text.top < bar.bottom, bar.width];
}"""
WATCH = """() => {
  window.changes = [];
  new MutationObserver((changes) => window.changes.push(...changes.map(({ target }) => target.textContent)))
    .observe(document.querySelector("#records"), { subtree: true, childList: true, characterData: true });
}"""


def test_unfinished_files_and_failures_come_first(tab: Page) -> None:
    records = [
        record(0),
        failed(1, filename="failed.wav"),
        record(2),
        record(3, "queued", filename="later.wav"),
        record(4, "queued", filename="sooner.wav"),
        record(5, "converting", filename="now.wav"),
    ]
    stage(tab, lambda: records)
    become_staged(tab)
    names = tab.locator("#records .name")
    expected = ["now.wav", "sooner.wav", "later.wav", "failed.wav", "Interview – Studio A"]
    expect(names).to_have_text([*expected, "Take 02 – rough mix"])


def test_ten_rows_fit_on_a_small_screen(tab: Page) -> None:
    tab.set_viewport_size({"width": 1024, "height": 768})
    stage(tab, every_state)
    become_staged(tab)
    rows = tab.locator("#records li")
    expect(rows).to_have_count(56)
    # The bar is complete once the service has said that it can send a ZIP.
    expect(tab.locator("#download-all")).to_be_visible()
    boxes = [rows.nth(index).bounding_box() for index in range(11)]
    assert all(box and 48 <= box["height"] <= 56 for box in boxes)
    assert boxes[9]
    assert boxes[9]["y"] + boxes[9]["height"] <= 768


def test_no_width_needs_sideways_scrolling(tab: Page) -> None:
    records = every_state(20)
    records[5]["filename"] = f"{'long' * 40}.wav"
    records[1]["filename"] = f"{'unfinished' * 20}.wav"
    stage(tab, lambda: records)
    become_staged(tab)
    expect(tab.locator("#records li")).to_have_count(len(records))
    ends = tab.locator("#records li > *")
    for width in WIDTHS:
        tab.set_viewport_size({"width": width, "height": 700})
        assert tab.evaluate("document.documentElement.scrollWidth") <= width
        assert ends.evaluate_all(LAST_END) <= width


@pytest.mark.parametrize("width", [360, 1024])
def test_a_long_state_does_not_cover_the_progress(tab: Page, width: int) -> None:
    tab.set_viewport_size({"width": width, "height": 700})
    stage(tab, lambda: [record(0, "converting")])
    become_staged(tab)
    expect(tab.locator("#records .converting")).to_be_visible()
    covered, length = tab.evaluate(LONG_STATE)
    assert not covered
    assert length > 250


def test_a_narrow_row_shows_its_warning(tab: Page) -> None:
    tab.set_viewport_size({"width": 360, "height": 700})
    stage(tab, lambda: [record(0, warnings=[MIXED]), record(1)])
    become_staged(tab)
    warning = tab.get_by_role("button", name=MIXED)
    expect(warning).to_be_visible()
    box = warning.bounding_box()
    assert box
    assert box["height"] >= 24, "a finger must hit it"
    warning.click()
    expect(tab.get_by_role("dialog")).to_contain_text(MIXED)


def test_a_warning_uses_the_place_of_unseen_buttons(tab: Page) -> None:
    tab.set_viewport_size({"width": 1280, "height": 700})
    stage(tab, lambda: [record(0, warnings=[MIXED])])
    become_staged(tab)
    row, width = tab.locator("#records li"), "warning => warning.getBoundingClientRect().width"
    at_rest = row.locator(".warning").evaluate(width)
    row.hover()
    assert row.locator(".warning").evaluate(width) < at_rest - 70
    warning, copy = row.locator(".warning").bounding_box(), row.locator(".copy").bounding_box()
    assert warning
    assert copy
    assert warning["x"] + warning["width"] <= copy["x"]


def test_sizes_are_aligned_by_their_digits(tab: Page) -> None:
    stage(tab, lambda: [record(0, mp3_bytes=26_000_000), record(1, mp3_bytes=16_940_000)])
    become_staged(tab)
    expect(tab.locator("#records .size")).to_have_text(["26.0 MB", "16.9 MB"])


def test_lengths_under_a_second_are_not_zero(tab: Page) -> None:
    lengths_s = [0, 0.0227, 0.4, 0.96, 75.2]
    stage(tab, lambda: [record(number, duration_s=s) for number, s in enumerate(lengths_s)])
    become_staged(tab)
    expected = ["00:00", "0.02 sec", "0.4 sec", "00:01", "01:15"]
    expect(tab.locator("#records .length")).to_have_text(expected)


def test_a_wide_screen_is_used(tab: Page) -> None:
    tab.set_viewport_size({"width": 2000, "height": 900})
    stage(tab, every_state)
    become_staged(tab)
    row = tab.locator("#records li.done").first
    waveform, whole = row.locator(".waveform").bounding_box(), row.bounding_box()
    assert waveform
    assert whole
    assert whole["width"] > 1850
    assert waveform["width"] > 700
    expect(row.locator(".copy")).to_be_visible()


def test_columns_have_the_same_place_in_every_row(tab: Page) -> None:
    stage(tab, every_state)
    become_staged(tab)
    expect(tab.locator("#records li.done").first).to_be_visible()
    for width in (1024, 2000):
        tab.set_viewport_size({"width": width, "height": 900})
        places = "rows => new Set(rows.map((row) => row.getBoundingClientRect().x)).size"
        assert tab.locator("#records li .more").evaluate_all(places) == 1
        middles = tab.locator("#records li:not(.failed) :is(.waveform, progress):visible")
        assert middles.evaluate_all(places) == 1


@pytest.mark.exhaustive
def test_a_thousand_rows_stay_responsive(tab: Page) -> None:
    records = [record(number) for number in range(1000)]
    stage(tab, lambda: records)
    become_staged(tab)
    expect(tab.locator("#records li")).to_have_count(1000)
    expect(tab.locator("#summary")).to_contain_text("1,000 files done")
    for _ in range(5):
        tab.evaluate(SCROLL)
        assert tab.locator("#records .name").evaluate_all(RENDERED) < 150
    waveforms = tab.locator("#records .waveform")
    until(lambda: 0 < waveforms.evaluate_all(DRAWN) < 60)
    tab.evaluate(WATCH)
    records[5]["filename"] = "renamed.wav"
    tab.evaluate(POLL)
    expect(tab.locator("#records .name").nth(5)).to_have_text("renamed")
    assert tab.evaluate("window.changes") == ["renamed"], "only this row may change"
    tab.locator("#records .more").first.click()
    expect(tab.locator("#menu")).to_be_visible()


def test_the_bar_counts_the_batch(page: Page) -> None:
    records = every_state(20)
    stage(page, lambda: records)
    page.evaluate("localStorage.setItem('wav2mp3.batch', '0')")
    become_staged(page)
    expect(page.locator("#summary")).to_have_text("13 of 16 done · 1 failed")
    expect(page.locator("#totals")).to_have_text("16 files · 470.0 MB")
    records[:] = [record(number) for number in range(3)]
    expect(page.locator("#summary")).to_have_text("3 files done")
    expect(page.locator("#retry-failed")).to_be_hidden()


def test_failures_before_the_batch_are_not_counted(tab: Page) -> None:
    earlier = [record(3), failed(4), failed(5)]
    records = list(earlier)
    stage(tab, lambda: records)
    become_staged(tab)
    summary = tab.locator("#summary")
    expect(summary).to_have_text("1 file done · 2 failed")
    records[:] = [record(0, "queued"), record(1, "queued"), *earlier]
    tab.evaluate(POLL)
    expect(summary).to_have_text("0 of 2 done")
    records[:2] = [record(0, "queued"), failed(1)]
    expect(summary).to_have_text("0 of 2 done · 1 failed")
    records[:1] = [record(0)]
    expect(summary).to_have_text("2 files done · 3 failed")


def test_the_size_of_all_files_is_the_stored_one(tab: Page) -> None:
    done = record(0, source_bytes=40_000_000, mp3_bytes=5_000_000)
    queued = record(1, "queued", source_bytes=30_000_000)
    stage(tab, lambda: [done, queued, failed(2, source_bytes=20_000_000)])
    become_staged(tab)
    tab.set_input_files("#files", {"name": "x.wav", "mimeType": "", "buffer": b"fLaC" * 2**20})
    expect(tab.locator("#totals")).to_have_text("4 files · 55.0 MB")


def test_a_finger_chooses_files_and_folders(tab: Page) -> None:
    touch = tab.context.new_cdp_session(tab)
    touch.send("Emulation.setTouchEmulationEnabled", {"enabled": True})
    tab.set_viewport_size({"width": 360, "height": 700})
    records: list[Record] = []
    stage(tab, lambda: records)
    become_staged(tab)
    expect(tab.locator("#drop-title")).to_have_text("Choose WAV files")
    records.append(record(0))
    tab.evaluate(POLL)
    expect(tab.locator("#records li")).to_be_visible()
    for name in ("Choose a folder", "Choose files"):
        with tab.expect_file_chooser():
            tab.get_by_role("button", name=name).click()
    assert tab.evaluate("document.documentElement.scrollWidth") <= 360


def test_the_drop_zone_shrinks_once_there_are_files(page: Page) -> None:
    zone = page.locator("#drop")
    empty = zone.bounding_box()
    expect(zone).to_contain_text("Files are converted as soon as they arrive.")
    stage(page, every_state)
    become_staged(page)
    expect(page.locator("#records li").first).to_be_visible()
    expect(page.locator("body")).not_to_have_class("empty")
    small = zone.bounding_box()
    assert empty
    assert small
    assert empty["height"] > 400
    assert small["height"] < 60
