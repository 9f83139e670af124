// Options under a name that a person chose, kept in the browser.

import { element, find } from "./dom.js";
import { ask, closeButton } from "./dialog.js";
import { t } from "./i18n.js";
import { optionValues, setOptions } from "./options.js";
import { parseJson } from "./service.js";

const STORED = "wav2mp3.presets";
const MAX_CHARACTERS = 60;

const presets = () => parseJson(localStorage.getItem(STORED)) ?? [];
const store = (all) => localStorage.setItem(STORED, JSON.stringify(all));

function savePreset(name) {
  const others = presets().filter((preset) => preset.name !== name);
  store([...others, { name, options: optionValues() }].toSorted((one, other) => one.name.localeCompare(other.name)));
}

function presetItem({ name, options }, list) {
  const use = element("button", { type: "submit", className: "use", value: "use", textContent: name });
  use.onclick = () => setOptions(options);
  const remove = element("button", { type: "button", textContent: t("delete"), ariaLabel: t("deleteFile", { name }) });
  remove.onclick = () => {
    store(presets().filter((preset) => preset.name !== name));
    fill(list);
    find("#preset-name").focus();
  };
  return element("li", {}, use, remove);
}

function fill(list) {
  const items = presets().map((preset) => presetItem(preset, list));
  list.replaceChildren(...(items.length ? items : [element("li", { className: "muted", textContent: t("noPresets") })]));
}

export function showPresets() {
  const list = element("ul", { className: "presets" });
  const input = element("input", { id: "preset-name", maxLength: MAX_CHARACTERS, autocomplete: "off" });
  const save = element("button", { type: "button", className: "main", textContent: t("save") });
  save.onclick = () => {
    if (!input.value.trim()) return input.focus();
    savePreset(input.value.trim());
    input.value = "";
    return fill(list);
  };
  fill(list);
  const field = element("label", { className: "field" }, t("savePreset"), element("span", { className: "row" }, input, save));
  return ask({ title: t("presets"), content: [list, field], buttons: [closeButton()] });
}
