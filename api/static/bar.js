// The bar above the list: counts, total progress, and the actions for all files.

import { countBatch } from "./batch.js";
import { element, find, setText } from "./dom.js";
import { onChange } from "./entries.js";
import { hasCall } from "./features.js";
import { hasOlder, showOlder } from "./follow.js";
import { formatLeft, formatSize } from "./format.js";
import { t } from "./i18n.js";
import { showNotice } from "./notices.js";
import { showProgress } from "./progress.js";
import { zipPath } from "./records.js";
import { retryAll } from "./retry.js";
import { canRetry, isSourceLost } from "./row.js";
import { deleteWithUndo } from "./undo.js";

const summary = find("#summary");
const older = find("#older");
let current = countBatch();
let hasZip = false;

// While files are converted, all counts are those of the batch.
function sentences({ active, batch, batchDone, batchFailed, done, failed, left_s }) {
  const first = active.length
    ? t("doneOf", { done: batchDone.length, count: batch.length })
    : t("filesDone", { count: done.length });
  const others = [];
  if (left_s !== null) others.push(formatLeft(left_s));
  const { length: count } = active.length ? batchFailed : failed;
  if (count) others.push(t("failedFiles", { count }));
  return [first, others.map((text) => ` · ${text}`).join("")];
}

// Finished files, and failed files that cannot be tried again.
const finished = ({ done, failed }) => [...done, ...failed.filter((entry) => !canRetry(entry))];

// The MP3 of a finished file, else the WAV. A file that the service refused or lost is not stored.
function storedBytes(entry) {
  const { status, id, file, record } = entry;
  if (status === "done") return record.mp3_bytes ?? 0;
  if (status === "failed" && (!id || isSourceLost(entry))) return 0;
  return record?.source_bytes ?? file?.size ?? 0;
}

function update() {
  current = countBatch();
  const { shown, active, done, failed, fraction } = current;
  const [first, others] = sentences(current);
  if (summary.textContent !== first + others) {
    summary.replaceChildren(element("strong", { textContent: first }), others);
  }
  const bytes = shown.reduce((sum, entry) => sum + storedBytes(entry), 0);
  setText(find("#totals"), shown.length ? t("totals", { count: shown.length, size: formatSize(bytes) }) : t("promise"));
  find("#total").value = active.length ? fraction : 0;
  find("#total").classList.toggle("idle", !active.length);
  find("#download-all").hidden = !hasZip || !done.length;
  find("#clear").hidden = !finished(current).length;
  find("#retry-failed").hidden = !failed.some(canRetry);
  older.hidden = !hasOlder();
  showProgress(current);
}

async function loadOlder() {
  older.disabled = true;
  await showOlder().then(() => showNotice(), ({ message }) => showNotice(message));
  older.disabled = false;
  update();
}

// A link, so that the browser shows the download's progress and nothing is held in memory.
function downloadAll() {
  element("a", { href: zipPath(), download: "" }).click();
}

export async function startBar() {
  find("#download-all").onclick = downloadAll;
  find("#clear").onclick = () => deleteWithUndo(finished(current));
  find("#retry-failed").onclick = () => retryAll(current.failed);
  older.onclick = loadOlder;
  onChange(update);
  update();
  hasZip = await hasCall("/records.zip");
  update();
}
