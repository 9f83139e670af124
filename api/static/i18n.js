// Chooses the language of the page by the browser's languages. A language is one file in `languages/`.

const FALLBACK = "en";

async function load(language) {
  return (await import(`./languages/${language}.js`)).default;
}

async function choose() {
  const preferred = new Set(navigator.languages.map((tag) => tag.split("-")[0].toLowerCase()));
  for (const each of preferred) {
    const found = await load(each).catch(() => null);
    if (found) return [each, found];
  }
  return [FALLBACK, await load(FALLBACK)];
}

const [chosen, texts] = await choose();
const fallback = chosen === FALLBACK ? texts : await load(FALLBACK);
const plurals = new Intl.PluralRules(chosen);
const number = new Intl.NumberFormat(chosen);

export const language = chosen;

// Returns a text of the language file. A text with plural forms is an object; `values.count` selects the form.
export function t(key, values = {}) {
  const text = texts[key] ?? fallback[key];
  const form = typeof text === "string" ? text : (text[plurals.select(values.count)] ?? text.other);
  return form.replace(/\{(\w+)\}/g, (_, name) =>
    typeof values[name] === "number" ? number.format(values[name]) : values[name],
  );
}

// Fills the elements that name their text: `data-text` for the content, `data-label` for screen readers.
export function translate(root) {
  for (const element of root.querySelectorAll("[data-text]")) element.textContent = t(element.dataset.text);
  for (const element of root.querySelectorAll("[data-label]")) {
    element.ariaLabel = t(element.dataset.label);
    if (element.matches("button")) element.title = element.ariaLabel;
  }
}

// Keeps the texts that the page needs while its scripts load: the next start has them before the language file.
export function rememberTexts() {
  const kept = { language };
  for (const { dataset, textContent } of document.querySelectorAll("#loading [data-text]")) kept[dataset.text] = textContent;
  localStorage.setItem("wav2mp3.loading", JSON.stringify(kept));
}
