// The options of the next files: shown as chips, remembered in the browser.

import { element, find, setText } from "./dom.js";
import { hasOption } from "./features.js";
import { t } from "./i18n.js";
import { DEFAULTS, createFields, toQuery } from "./option_fields.js";
import { parseJson } from "./service.js";
import { editTags } from "./tags.js";

const STORED = "wav2mp3.options";
const form = find("#options");
const summary = find("#all-options");
let values = { ...DEFAULTS, tags: {}, ...parseJson(localStorage.getItem(STORED)) };

export const optionValues = () => structuredClone(values);
export const currentOptions = () => toQuery(values);

export function setOptions(chosen) {
  values = { ...DEFAULTS, tags: {}, ...structuredClone(chosen) };
  store();
  show();
}

function store() {
  localStorage.setItem(STORED, JSON.stringify(values));
}

function describeTags() {
  const count = Object.keys(values.tags).length;
  return count ? t("tagsChanged", { count }) : t("fromTheFile");
}

async function chooseTags() {
  const tags = await editTags(values.tags);
  if (!tags) return;
  setOptions({ ...values, tags });
  find(".tags", form).focus();
}

function show() {
  const fields = createFields(values, (name, value) => {
    values[name] = value;
    store();
    summarize();
  });
  const tags = element("button", { type: "button", className: "chip tags", ariaHasPopup: "dialog" },
    element("span", { textContent: t("tags") }), ` ${describeTags()}`);
  tags.onclick = chooseTags;
  form.replaceChildren(...fields, tags);
  hideUnknown(form);
  summarize();
}

// Hides the options that this service does not have.
export async function hideUnknown(parent) {
  const gain = find("[data-option=gain_db]", parent);
  gain.hidden = !(await hasOption("gain_db"));
}

function summarize() {
  const [quality, ...others] = form.querySelectorAll("select");
  const chosen = others.filter(({ value }) => value);
  const texts = [quality, ...chosen].map(({ selectedOptions: [option] }) => option.textContent);
  setText(find("span", summary), texts.join(" · "));
}

export function startOptions() {
  show();
  form.onsubmit = (event) => event.preventDefault();
  summary.onclick = () => {
    const isOpen = form.classList.toggle("open");
    summary.ariaExpanded = String(isOpen);
  };
}
