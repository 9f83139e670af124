"""The page in eight languages."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import KEEP_USER, POLL, STAGED_USER, wait_until_started
from tests.browser.staged import ROWS, Record, every_state, record, stage

STATIC = Path(__file__).resolve().parents[2] / "api" / "static"
LANGUAGES = sorted(path.stem for path in (STATIC / "languages").glob("*.js"))
FORMS = """async (language) => {
  const texts = (await import(`/languages/${language}.js`)).default;
  const placeholders = (text) => [...new Set(text.match(/\\{\\w+\\}/g) ?? [])].sort().join();
  const categories = new Intl.PluralRules(language).resolvedOptions().pluralCategories;
  return Object.entries(texts).map(([name, text]) => typeof text === "string"
    ? [name, placeholders(text), []]
    : [name, placeholders(text.other), categories.filter((each) => !(each in text) && each !== "many")]);
}"""


def speak(tab: Page, locale: str) -> None:
    """Open the page in a browser of this language."""
    agent = {"userAgent": tab.evaluate("navigator.userAgent"), "acceptLanguage": locale}
    tab.context.new_cdp_session(tab).send("Emulation.setUserAgentOverride", agent)
    tab.goto("/")
    wait_until_started(tab)


def test_there_are_eight_languages() -> None:
    assert LANGUAGES == ["de", "en", "es", "fr", "ja", "pt", "ru", "zh"]


def test_every_language_has_every_text(page: Page) -> None:
    expected = [(name, values) for name, values, _ in page.evaluate(FORMS, "en")]
    for language in LANGUAGES:
        texts = page.evaluate(FORMS, language)
        assert sorted(expected) == sorted((name, values) for name, values, _ in texts), language
        assert [name for name, _, missing in texts if missing] == [], language


def test_every_text_is_used() -> None:
    source = "".join(path.read_text() for path in [*STATIC.glob("*.js"), STATIC / "index.html"])
    names = re.findall(r"^  (\w+): ", (STATIC / "languages" / "en.js").read_text(), re.MULTILINE)
    for_rows = {f"{each}File" for each in ("copy", "delete", "download", "retry", "cancel", "more")}
    used = {name for name in names if f'"{name}"' in source} | for_rows
    assert set(names) - used == set()


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    ("locale", "title", "summary"),
    [
        ("de-AT", "WAV-Dateien oder Ordner hier ablegen", "3 Dateien fertig"),
        ("es", "Suelta aquí archivos WAV o carpetas", "3 archivos listos"),
        ("fr-CA", "Déposez ici des fichiers WAV ou des dossiers", "3 fichiers terminés"),
        ("ja", "WAV ファイルまたはフォルダーをここにドロップ", "3 個のファイルが完了"),
        ("pt-BR", "Solte aqui arquivos WAV ou pastas", "3 arquivos prontos"),
        ("ru-RU", "Перетащите сюда файлы WAV или папки", "готово 3 файла"),
        ("zh-CN", "将 WAV 文件或文件夹拖到这里", "3 个文件已完成"),
        ("it-IT", "Drop WAV files or folders here", "3 files done"),
    ],
)
def test_each_language_is_chosen_and_fits(tab: Page, locale: str, title: str, summary: str) -> None:
    speak(tab, locale)
    expect(tab.locator("#drop-title")).to_have_text(title)
    language = "en" if locale == "it-IT" else locale[:2]
    expect(tab.locator("html")).to_have_attribute("lang", language)
    assert_fits(tab)
    records = [record(number) for number in range(3)]
    stage(tab, lambda: records)
    tab.evaluate(KEEP_USER, STAGED_USER)
    tab.evaluate(POLL)
    expect(tab.locator("#summary")).to_have_text(summary)
    records[:] = every_state(ROWS)
    tab.evaluate(POLL)
    expect(tab.locator("#records li")).to_have_count(len(records))
    assert_fits(tab)


def assert_fits(page: Page) -> None:
    """Assert that nothing needs sideways scrolling."""
    for width in (360, 1024):
        page.set_viewport_size({"width": width, "height": 768})
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_german_dialog_asks_for_a_token(tab: Page) -> None:
    speak(tab, "de")
    tab.get_by_role("button", name="Zugang").click()
    expect(tab.get_by_role("dialog", name="Zugang").get_by_label("Token")).to_be_visible()


def test_units_are_translated(tab: Page) -> None:
    speak(tab, "ru")
    expect(tab.locator("[name=gain_db] :checked")).to_have_text("0 дБ")
    expect(tab.locator("[name=sample_rate_hz] [value='22050']")).to_have_text("22,05 кГц")


def test_russian_has_three_plural_forms(tab: Page) -> None:
    speak(tab, "ru")
    records: list[Record] = []
    stage(tab, lambda: records)
    tab.evaluate(KEEP_USER, STAGED_USER)
    tab.evaluate(POLL)
    for count, text in ((1, "готов 1 файл"), (4, "готово 4 файла"), (25, "готово 25 файлов")):
        records[:] = [record(number) for number in range(count)]
        tab.evaluate(POLL)
        expect(tab.locator("#summary")).to_have_text(text)
