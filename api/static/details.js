// The dialog with everything that the page knows about a file.

import { element } from "./dom.js";
import { ask, closeButton } from "./dialog.js";
import { formatDate, formatLength, formatSize, formatTarget } from "./format.js";
import { t } from "./i18n.js";
import { readTags } from "./wav_file.js";

function facts({ record, file }) {
  const { duration_s, source_bytes, mp3_bytes, target, created_at, finished_at, expires_at } = record ?? {};
  const bytes = source_bytes ?? file?.size;
  return [
    ["length", duration_s && formatLength(duration_s)],
    ["sourceSize", bytes && formatSize(bytes)],
    ["mp3Size", mp3_bytes && formatSize(mp3_bytes)],
    ["applied", target && formatTarget(target)],
    ["uploaded", created_at && formatDate(created_at)],
    ["finished", finished_at && formatDate(finished_at)],
    ["keptUntil", expires_at && formatDate(expires_at)],
  ].filter(([, value]) => value);
}

function table(pairs) {
  const items = pairs.flatMap(([label, value]) => [
    element("dt", { textContent: label }),
    element("dd", { textContent: value, dir: "auto" }),
  ]);
  return element("dl", {}, ...items);
}

export async function showDetails(entry) {
  const { name, record, file, error } = entry;
  const sentences = [error, ...(record?.warnings ?? [])].filter(Boolean);
  const tags = file ? Object.entries(await readTags(file).catch(() => ({}))) : [];
  const content = [
    ...sentences.map((text) => element("p", { className: error === text ? "text error" : "text warned", textContent: text, lang: record ? "en" : "" })),
    table(facts(entry).map(([label, value]) => [t(label), value])),
  ];
  if (tags.length) {
    content.push(element("h3", { textContent: t("tagsOf", { name }) }));
    content.push(table(tags.map(([tag, value]) => [t(tag), value])));
  }
  return ask({ title: name, className: "wide", content, buttons: [closeButton()] });
}
