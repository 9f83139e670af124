"""The list and the bar above it, at every width and with many files."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import become_staged
from tests.browser.staged import every_state, failed, record, stage

WIDTHS = [320, 360, 1024, 2000]


def test_unfinished_files_and_failures_come_first(page: Page) -> None:
    records = [
        record(0),
        failed(1, filename="failed.wav"),
        record(2),
        record(3, "queued", filename="later.wav"),
        record(4, "queued", filename="sooner.wav"),
        record(5, "converting", filename="now.wav"),
    ]
    stage(page, lambda: records)
    become_staged(page)
    names = page.locator("#records .name")
    expected = ["now.wav", "sooner.wav", "later.wav", "failed.wav", "Interview – Studio A"]
    expect(names).to_have_text([*expected, "Take 02 – rough mix"])


def test_ten_rows_fit_on_a_small_screen(page: Page) -> None:
    page.set_viewport_size({"width": 1024, "height": 768})
    stage(page, every_state)
    become_staged(page)
    rows = page.locator("#records li")
    expect(rows).to_have_count(56)
    boxes = [rows.nth(index).bounding_box() for index in range(11)]
    assert all(box and 48 <= box["height"] <= 56 for box in boxes)
    assert boxes[9]
    assert boxes[9]["y"] + boxes[9]["height"] <= 768


@pytest.mark.parametrize("width", WIDTHS)
def test_no_width_needs_sideways_scrolling(page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 700})
    records = every_state(20)
    records[5]["filename"] = f"{'long' * 40}.wav"
    records[1]["filename"] = f"{'unfinished' * 20}.wav"
    stage(page, lambda: records)
    become_staged(page)
    expect(page.locator("#records li").first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for row in page.locator("#records li").all()[:8]:
        parts = [each.bounding_box() for each in row.locator("> :visible").all()]
        assert all(box and box["x"] + box["width"] <= width for box in parts)


def test_a_wide_screen_is_used(page: Page) -> None:
    page.set_viewport_size({"width": 2000, "height": 900})
    stage(page, every_state)
    become_staged(page)
    row = page.locator("#records li.done").first
    waveform, whole = row.locator(".waveform").bounding_box(), row.bounding_box()
    assert waveform
    assert whole
    assert whole["width"] > 1850
    assert waveform["width"] > 700
    expect(row.locator(".copy")).to_be_visible()


def test_columns_have_the_same_place_in_every_row(page: Page) -> None:
    for width in (1024, 2000):
        page.set_viewport_size({"width": width, "height": 900})
        stage(page, every_state)
        become_staged(page)
        expect(page.locator("#records li.done").first).to_be_visible()
        places = "rows => new Set(rows.map((row) => row.getBoundingClientRect().x)).size"
        assert page.locator("#records li .more").evaluate_all(places) == 1
        middles = page.locator("#records li:not(.failed) :is(.waveform, progress):visible")
        assert middles.evaluate_all(places) == 1


def test_a_thousand_rows_stay_responsive(page: Page) -> None:
    records = [record(number) for number in range(1000)]
    stage(page, lambda: records)
    become_staged(page)
    expect(page.locator("#records li")).to_have_count(1000)
    expect(page.locator("#summary")).to_contain_text("1,000 files done")
    median_frame_ms = """async () => {
      const frames = [];
      for (let step = 0, before = performance.now(); step < 40; step += 1) {
        scrollBy(0, 600);
        await new Promise(requestAnimationFrame);
        frames.push(performance.now() - before);
        before = performance.now();
      }
      return frames.sort((one, other) => one - other)[20];
    }"""
    assert page.evaluate(median_frame_ms) < 200
    rendered = (
        "rows => rows.filter((row) => row.checkVisibility({ contentVisibilityAuto: true })).length"
    )
    assert page.locator("#records .name").evaluate_all(rendered) < 150
    drawn = (
        "canvases => canvases.filter((canvas) => canvas.width > 0 && canvas.width !== 300).length"
    )
    assert page.locator("#records .waveform").evaluate_all(drawn) < 60
    page.locator("#records .more").first.click()
    expect(page.locator("#menu")).to_be_visible()


def test_the_bar_counts_the_batch(page: Page) -> None:
    records = every_state(20)
    stage(page, lambda: records)
    page.evaluate("localStorage.setItem('wav2mp3.batch', '0')")
    become_staged(page)
    expect(page.locator("#summary")).to_have_text("13 of 16 done · 1 failed")
    expect(page.locator("#totals")).to_have_text("16 files · 3.1 GB")
    records[:] = [record(number) for number in range(3)]
    expect(page.locator("#summary")).to_have_text("3 files done")
    expect(page.locator("#retry-failed")).to_be_hidden()


def test_the_drop_zone_shrinks_once_there_are_files(page: Page) -> None:
    zone = page.locator("#drop")
    empty = zone.bounding_box()
    expect(zone).to_contain_text("They are converted as soon as they arrive.")
    stage(page, every_state)
    become_staged(page)
    expect(page.locator("#records li").first).to_be_visible()
    small = zone.bounding_box()
    assert empty
    assert small
    assert empty["height"] > 400
    assert small["height"] < 60
