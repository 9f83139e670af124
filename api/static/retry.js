// Converts a file again: from the source that the service kept, or by another upload of the file.

import { change } from "./entries.js";
import { ask } from "./dialog.js";
import { element } from "./dom.js";
import { followSoon } from "./follow.js";
import { t } from "./i18n.js";
import { showNotice } from "./notices.js";
import { createFields, toQuery } from "./option_fields.js";
import { currentOptions, hideUnknown, optionValues } from "./options.js";
import { convertAgain } from "./records.js";
import { canRetry, isSourceLost } from "./row.js";
import { showBriefly } from "./undo.js";
import { enqueue } from "./uploads.js";

const MAX_RETRIES = 4;
const GONE_STATUSES = [404, 405, 409, 410];

// If `options` is null, the options of the first conversion are used again.
export async function retry(entry, options = null) {
  if (!entry.id || isSourceLost(entry)) return uploadAgain(entry, options);
  try {
    await convertAgain(entry.id, options ?? "");
    change(entry, { status: "queued", error: null, progress: 0, conversion: null });
    showNotice();
    return followSoon();
  } catch (error) {
    if (!GONE_STATUSES.includes(error.status)) return showNotice(`${entry.name}: ${error.message}`);
    return entry.file ? uploadAgain(entry, options) : showBriefly(t("sourceGone", { name: entry.name }));
  }
}

// The new upload replaces the record, so that the row stays one row.
function uploadAgain(entry, options) {
  const replaced = entry.id ? { ifExists: "replace", id: null, record: null, conversion: null } : {};
  change(entry, { ...replaced, options: options ?? entry.options ?? currentOptions() });
  return enqueue([entry]);
}

export async function retryAll(failed) {
  const left = failed.filter(canRetry).toReversed();
  const next = async () => {
    for (let entry = left.pop(); entry; entry = left.pop()) await retry(entry);
  };
  await Promise.all(Array.from({ length: MAX_RETRIES }, next));
}

export async function retryWithOptions(entry) {
  const values = optionValues();
  const fields = element("div", { className: "options" }, ...createFields(values, (name, value) => (values[name] = value)));
  hideUnknown(fields);
  const answer = await ask({
    title: t("convertAgain"),
    content: [element("p", { className: "text", textContent: entry.name }), fields],
    buttons: [{ value: "", text: t("cancel") }, { value: "convert", text: t("convert"), isMain: true }],
  });
  if (answer === "convert") await retry(entry, toQuery(values));
}
