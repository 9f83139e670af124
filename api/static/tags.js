// The dialog for tags: shows the tags that a file has, and takes other values for the next files.

import { element } from "./dom.js";
import { ask } from "./dialog.js";
import { t } from "./i18n.js";
import { readTags } from "./wav_file.js";

const NAMES = ["title", "artist", "album", "track", "year", "genre", "comment"];
const MAX_CHARACTERS = 1000;
let sample = null;

export const rememberSample = (file) => (sample = file);

// Resolves to the tags that replace those of the files, or to null if the dialog was cancelled.
export async function editTags(values) {
  const inputs = NAMES.map((name) =>
    element("input", { name, value: values[name] ?? "", maxLength: MAX_CHARACTERS, autocomplete: "off" }),
  );
  const fields = inputs.map((input) => element("label", { className: "field" }, t(input.name), input));
  const source = element("p", { className: "text muted" });
  const answer = await ask({
    title: t("tagsOfNext"),
    className: "wide",
    content: [
      element("p", { className: "text", textContent: t("tagsText") }),
      element("div", { className: "fields" }, ...fields),
      source,
      previewButton(inputs, source),
    ],
    buttons: [{ value: "", text: t("cancel") }, { value: "save", text: t("apply"), isMain: true }],
  });
  if (answer !== "save") return null;
  return Object.fromEntries(inputs.filter(({ value }) => value.trim()).map(({ name, value }) => [name, value.trim()]));
}

// Shows the tags of a file as placeholders. The file is read in the browser and not uploaded.
function previewButton(inputs, source) {
  const picker = element("input", { type: "file", hidden: true, accept: ".wav,.wave,.bwf,.rf64,.bw64,.w64" });
  const button = element("button", { type: "button", textContent: t("preview") });
  button.onclick = () => picker.click();
  picker.onchange = () => picker.files[0] && showTags(picker.files[0], inputs, source);
  showTags(sample, inputs, source);
  return element("p", { className: "text" }, button, picker);
}

async function showTags(file, inputs, source) {
  const tags = file ? await readTags(file).catch(() => ({})) : {};
  for (const input of inputs) input.placeholder = tags[input.name] ?? (file ? t("noTag") : t("fromTheFile"));
  source.textContent = file ? t("tagsOf", { name: file.name }) : "";
}
