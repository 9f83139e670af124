"""Playing finished files, and their waveforms."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import become, become_staged, wait_for
from tests.browser.staged import AUDIO_S, record, stage
from tests.conftest import User
from tests.waiting import until
from tests.wavs import build, sine

# Returns how many pixels of a canvas have the accent colour: the played part.
PLAYED = """canvas => {
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  let played = 0;
  for (let at = 0; at < data.length; at += 4) played += data[at] > 180 && data[at + 2] < 60;
  return played;
}"""
NOW_S = "audio => audio.currentTime"


@pytest.fixture
def two(tab: Page) -> Page:
    """The page with two finished files of AUDIO_S."""
    records = [record(0, duration_s=AUDIO_S), record(1, duration_s=AUDIO_S)]
    stage(tab, lambda: records)
    become_staged(tab)
    tab.evaluate("document.querySelector('audio').muted = true")
    expect(tab.locator("#records li")).to_have_count(2)
    return tab


def play(page: Page, name: str = "Interview – Studio A.wav") -> None:
    page.get_by_role("button", name=f"Play {name}").click()
    expect(page.locator("#player")).to_be_visible()
    expect(page.locator("#player .time")).to_contain_text("04:02")


def test_a_converted_file_plays(tab: Page, user: User) -> None:
    user.convert(build(sine(60 * 44100)), "one.wav")
    become(tab, user)
    tab.evaluate("document.querySelector('audio').muted = true")
    tab.get_by_role("button", name="Play one.wav").click()
    expect(tab.locator("#player .title")).to_have_text("one")
    expect(tab.locator("#player .time")).to_have_text(re.compile(r"^00:(0[1-9]|[1-5]\d) / 01:00$"))
    tab.get_by_role("button", name="Pause one.wav").click()
    assert tab.locator("audio").evaluate("audio => audio.paused")


def test_a_click_on_a_waveform_seeks(two: Page) -> None:
    waveform = two.locator("#records .waveform").first
    box = waveform.bounding_box()
    assert box
    waveform.click(position={"x": box["width"] / 2, "y": 10})
    wait_for(two, "document.querySelector('audio').currentTime > 120")
    expect(two.locator("#player .time")).to_contain_text(re.compile("^0[2-4]:"))
    until(lambda: waveform.evaluate(PLAYED) > 50)
    until(lambda: two.locator("#player canvas").evaluate(PLAYED) > 50)
    assert two.locator("#records .waveform").nth(1).evaluate(PLAYED) == 0


def test_space_and_arrows_work_from_anywhere(two: Page) -> None:
    play(two)
    two.locator("h1").click()
    audio = two.locator("audio")
    two.keyboard.press("Space")
    wait_for(two, "document.querySelector('audio').paused")
    before_s = audio.evaluate(NOW_S)
    two.keyboard.press("ArrowRight")
    assert audio.evaluate(NOW_S) == pytest.approx(before_s + 5, abs=0.1)
    two.keyboard.press("ArrowLeft")
    assert audio.evaluate(NOW_S) == pytest.approx(before_s, abs=0.1)
    two.keyboard.press("Space")
    wait_for(two, "!document.querySelector('audio').paused")


def test_the_player_hides_no_focused_row(tab: Page) -> None:
    tab.set_viewport_size({"width": 1024, "height": 700})
    stage(tab, lambda: [record(number) for number in range(30)])
    become_staged(tab)
    play(tab)
    player = tab.locator("#player").bounding_box()
    assert player
    for _ in range(45):
        tab.keyboard.press("Tab")
        bottom = tab.evaluate("document.activeElement.getBoundingClientRect().bottom")
        assert bottom <= player["y"]


def test_the_slider_seeks_by_keys(two: Page) -> None:
    play(two)
    slider = two.get_by_role("slider", name="Position")
    slider.focus()
    two.locator("audio").evaluate("audio => { audio.pause(); audio.currentTime = 0; }")
    slider.press("PageUp")
    slider.press("ArrowUp")
    expect(slider).to_have_attribute("aria-valuetext", "00:35 of 04:02")
    slider.press("Home")
    expect(slider).to_have_attribute("aria-valuetext", "00:00 of 04:02")


def test_the_next_row_follows_at_the_end(two: Page) -> None:
    play(two)
    two.locator("#player .seek").press("End")
    expect(two.locator("#player .title")).to_have_text("Take 01 – rough mix")
    expect(two.locator("#records li.current .name")).to_have_text("Take 01 – rough mix")
    # "Previous file" goes to the start of a file that has played for 5 s.
    two.locator("audio").evaluate("audio => { audio.pause(); audio.currentTime = 0; }")
    two.get_by_role("button", name="Previous file").click()
    expect(two.locator("#player .title")).to_have_text("Interview – Studio A")


def test_media_keys_know_the_file(two: Page) -> None:
    play(two)
    wait_for(two, "navigator.mediaSession.metadata?.title === 'Interview – Studio A'")


def test_deleting_the_playing_file_closes_the_player(two: Page) -> None:
    play(two)
    two.get_by_role("button", name="More about Interview – Studio A.wav").click()
    two.get_by_role("menuitem", name="Delete").click()
    expect(two.locator("#player")).to_be_hidden()


def test_a_file_without_a_waveform_shows_a_line(two: Page) -> None:
    two.route("**/records/*/waveform", lambda route: route.fulfill(status=404))
    two.reload()
    expect(two.locator("#records li")).to_have_count(2)
    waveform = two.locator("#records .waveform").first
    wait_for(two, "document.querySelector('.waveform').width > 300")
    drawn = """canvas => canvas.getContext("2d")
      .getImageData(0, 0, canvas.width, canvas.height).data.some((value) => value > 0)"""
    until(lambda: waveform.evaluate(drawn))
