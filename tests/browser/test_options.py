"""Options, presets and tags."""

from pathlib import Path
from urllib.parse import parse_qs, urlparse

import pytest
from playwright.sync_api import Page, expect

from shared.mp3_options import Options, check_options
from tests.browser.conftest import WAV, become, become_staged, wait_until_started
from tests.browser.staged import failed, record, stage
from tests.conftest import User
from tests.wavs import build, chunk, sine

VALUES = "options => options.map(({ value }) => value)"


def info_list(charset: str = "utf-8", **tags: str) -> bytes:
    return b"INFO" + b"".join(
        chunk(name.encode(), text.encode(charset)) for name, text in tags.items()
    )


def query_of_upload(page: Page, wav: Path) -> dict[str, list[str]]:
    with page.expect_request(lambda request: "/record?" in request.url) as sent:
        page.set_input_files("#files", wav)
    return parse_qs(urlparse(sent.value.url).query)


def test_chosen_options_are_sent_and_remembered(page: Page, wav: Path) -> None:
    page.get_by_label("Quality").select_option("320 kbit/s")
    page.get_by_label("Channels").select_option("mono")
    page.get_by_label("Rate").select_option("48 kHz")
    page.reload()
    wait_until_started(page)
    query = query_of_upload(page, wav)
    assert query["bitrate_kbps"] == ["320"]
    assert query["channels"] == ["1"]
    assert query["sample_rate_hz"] == ["48000"]
    expect(page.locator("#records li")).to_have_class("done")


def test_the_default_is_quality_2(page: Page, wav: Path) -> None:
    assert query_of_upload(page, wav)["quality"] == ["2"]


def test_tags_replace_those_of_the_files(page: Page, wav: Path) -> None:
    page.locator("#options .tags").click()
    page.get_by_label("Artist").fill("Ada")
    page.get_by_role("button", name="Apply").click()
    expect(page.locator("#options .tags")).to_have_text("Tags 1 changed")
    assert query_of_upload(page, wav)["artist"] == ["Ada"]


def test_the_tags_of_a_file_are_shown(page: Page, tmp_path: Path) -> None:
    wav = tmp_path / "tagged.wav"
    wav.write_bytes(
        build(sine(100), after=[(b"LIST", info_list(INAM="Étude", IART="Ada", ICRD="1843"))])
    )
    page.locator("#options .tags").click()
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Show the tags of a file").click()
    chooser.value.set_files(wav)
    expect(page.get_by_label("Title")).to_have_attribute("placeholder", "Étude")
    expect(page.get_by_label("Artist")).to_have_attribute("placeholder", "Ada")
    expect(page.get_by_label("Year")).to_have_attribute("placeholder", "1843")
    expect(page.get_by_label("Album")).to_have_attribute("placeholder", "no tag")


def test_the_charset_and_the_id3_version_are_sent_and_remembered(page: Page, wav: Path) -> None:
    page.locator("#options .tags").click()
    page.get_by_label("tag_charset").select_option("cp1251 (Russian, Ukrainian, Bulgarian)")
    page.get_by_label("Version of ID3").select_option("2.3, for Windows and car radios")
    page.get_by_role("button", name="Apply").click()
    page.reload()
    wait_until_started(page)
    query = query_of_upload(page, wav)
    assert (query["tag_charset"], query["id3_version"]) == (["cp1251"], ["2.3"])
    expect(page.locator("#records li")).to_have_class("done")
    page.locator("#options .tags").click()
    expect(page.get_by_label("tag_charset")).to_have_value("cp1251")


def test_the_service_knows_each_charset(page: Page) -> None:
    page.locator("#options .tags").click()
    values = page.get_by_label("tag_charset").locator("option").evaluate_all(VALUES)
    assert len(values) > 10
    for value in filter(None, values):
        check_options(Options(tag_charset=value))


def test_the_tags_are_shown_in_the_chosen_charset(page: Page, tmp_path: Path) -> None:
    wav = tmp_path / "old.wav"
    wav.write_bytes(build(sine(100), after=[(b"LIST", info_list("cp932", INAM="東京"))]))
    page.locator("#options .tags").click()
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Show the tags of a file").click()
    chooser.value.set_files(wav)
    title = page.get_by_label("Title")
    expect(title).to_have_attribute("placeholder", "“Œ‹ž")
    page.get_by_label("tag_charset").select_option("cp932")
    expect(title).to_have_attribute("placeholder", "東京")


def test_a_preset_restores_its_options(page: Page) -> None:
    quality = page.get_by_label("Quality")
    quality.select_option("64 kbit/s")
    page.get_by_role("button", name="Presets").click()
    page.get_by_label("Save the current options as").fill("Voice memo")
    page.get_by_role("button", name="Save").click()
    page.get_by_role("button", name="Close").click()
    quality.select_option("320 kbit/s")
    page.reload()
    wait_until_started(page)
    page.get_by_role("button", name="Presets").click()
    page.get_by_role("button", name="Voice memo", exact=True).click()
    expect(quality).to_have_value("bitrate_kbps=64")
    page.get_by_role("button", name="Presets").click()
    page.get_by_role("button", name="Delete Voice memo").click()
    expect(page.get_by_role("dialog")).to_contain_text("No presets yet.")


def test_a_narrow_screen_has_one_chip_for_all_options(page: Page) -> None:
    page.set_viewport_size({"width": 360, "height": 700})
    expect(page.get_by_label("Quality")).to_be_hidden()
    chip = page.locator("#all-options")
    expect(chip).to_have_text("V2 very good · about 190 kbit/s")
    chip.click()
    page.get_by_label("Channels").select_option("mono")
    expect(chip).to_have_text("V2 very good · about 190 kbit/s · mono")


@pytest.mark.parametrize("status", [200, 410])
def test_a_failed_file_can_be_converted_with_other_options(tab: Page, status: int) -> None:
    records = [failed(0, "It could not be encoded.", filename="one.wav")]
    stage(tab, lambda: records)
    tab.route("**/records/*/retry*", lambda route: route.fulfill(status=status, json={}))
    become_staged(tab)
    tab.locator("#records .more").click()
    tab.get_by_role("menuitem", name="Convert again with other options").click()
    tab.get_by_role("dialog").get_by_label("Quality").select_option("128 kbit/s")
    with tab.expect_request("**/retry?bitrate_kbps=128"):
        tab.get_by_role("button", name="Convert", exact=True).click()
    if status == 410:
        expect(tab.locator(".toast")).to_contain_text("does not have the WAV of one.wav any more")
    else:
        records[:] = [record(0, "queued", filename="one.wav")]
        expect(tab.locator("#records li")).to_have_class("queued")


def test_a_lost_source_leaves_only_deletion(tab: Page) -> None:
    lost = failed(0, "The WAV is gone.", filename="one.wav")
    lost["error"]["code"] = "source_lost"
    stage(tab, lambda: [lost])
    become_staged(tab)
    row = tab.locator("#records li.failed")
    expect(row.get_by_role("button", name="Delete one.wav")).to_be_visible()
    expect(row.locator(".retry")).to_be_hidden()
    expect(tab.locator("#retry-failed")).to_be_hidden()
    row.locator(".more").click()
    expect(tab.get_by_role("menuitem")).to_have_text(["Details…", "Delete"])


def test_the_menu_says_when_the_source_is_gone(tab: Page, user: User) -> None:
    user.convert(WAV, "one.wav")
    become(tab, user)
    tab.locator("#records .more").click()
    item = tab.get_by_role("menuitem", name="Convert again: the WAV is gone")
    expect(item).to_have_attribute("aria-disabled", "true")


def test_a_finished_file_of_this_page_is_converted_again(page: Page, wavs: list[Path]) -> None:
    page.set_input_files("#files", wavs[0])
    row = page.locator("#records li")
    expect(row).to_have_class("done")
    page.locator("#records .more").click()
    page.get_by_role("menuitem", name="Convert again with other options").click()
    page.get_by_role("dialog").get_by_label("Quality").select_option("320 kbit/s")
    page.get_by_role("button", name="Convert", exact=True).click()
    expect(row.locator(".applied")).to_contain_text("320")
    expect(row).to_have_count(1)
