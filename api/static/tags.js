// The dialog for tags: shows the tags that a file has, and takes other values for the next files.

import { charsetChoices } from "./charsets.js";
import { element } from "./dom.js";
import { ask } from "./dialog.js";
import { t } from "./i18n.js";
import { readTags } from "./wav_file.js";

const NAMES = ["title", "artist", "album", "track", "year", "genre", "comment"];
const MAX_CHARACTERS = 1000;
let sample = null;

export const rememberSample = (file) => (sample = file);

function choice(name, values, ...choices) {
  const select = element("select", { name }, ...choices);
  select.value = values[name] ?? "";
  return select;
}

const versions = () => [
  element("option", { value: "", textContent: "2.4" }),
  element("option", { value: "2.3", textContent: t("oldId3") }),
];

const field = (label, input) => element("label", { className: "field" }, label, input);

// Resolves to the tags that replace those of the files and the options of their text, or to null if the dialog was
// cancelled.
export async function editTags(values) {
  const inputs = NAMES.map((name) =>
    element("input", { name, value: values[name] ?? "", maxLength: MAX_CHARACTERS, autocomplete: "off" }),
  );
  const charset = choice("tag_charset", values, ...charsetChoices());
  const version = choice("id3_version", values, ...versions());
  const answer = await ask({
    title: t("tagsOfNext"),
    className: "wide",
    content: [
      element("p", { className: "text", textContent: t("tagsText") }),
      element("div", { className: "fields" },
        ...inputs.map((input) => field(t(input.name), input)),
        field(t("tagCharset"), charset),
        field(t("id3Version"), version)),
      ...preview(inputs, charset),
    ],
    buttons: [{ value: "", text: t("cancel") }, { value: "save", text: t("apply"), isMain: true }],
  });
  if (answer !== "save") return null;
  const given = [...inputs, charset, version].map(({ name, value }) => [name, value.trim()]);
  return Object.fromEntries(given.filter(([, value]) => value));
}

// Shows the tags of a file as placeholders. The file is read in the browser and not uploaded.
function preview(inputs, charset) {
  let file = sample;
  const source = element("p", { className: "text muted" });
  const picker = element("input", { type: "file", hidden: true, accept: ".wav,.wave,.bwf,.rf64,.bw64,.w64" });
  const button = element("button", { type: "button", textContent: t("preview") });
  const show = () => showTags(file, charset.value, inputs, source);
  button.onclick = () => picker.click();
  picker.onchange = () => {
    file = picker.files[0] ?? file;
    show();
  };
  charset.onchange = show;
  show();
  return [source, element("p", { className: "text" }, button, picker)];
}

async function showTags(file, charset, inputs, source) {
  const tags = file ? await readTags(file, charset).catch(() => ({})) : {};
  for (const input of inputs) input.placeholder = tags[input.name] ?? (file ? t("noTag") : t("fromTheFile"));
  source.textContent = file ? t("tagsOf", { name: file.name }) : "";
}
