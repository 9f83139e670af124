// One row of the list: shows an entry. `list.js` handles its buttons.

import { find, setIcon, setLabel, setText } from "./dom.js";
import { formatLeft, formatLength, formatPercent, formatSize, formatSpeed, formatTarget } from "./format.js";
import { language, t } from "./i18n.js";

const ESTIMATE_AFTER_S = 3;
const ESTIMATE_FROM = 0.02;
const LABELS = ["copy", "delete", "download", "retry", "cancel", "more"];
const template = find("#record").content.firstElementChild;

export const titleOf = ({ name, status }) => (status === "done" ? name.replace(/\.[^.]{1,5}$/, "") : name);

export function createRow(entry) {
  const row = template.cloneNode(true);
  row.dataset.key = entry.key;
  return row;
}

export function showEntry(row, entry, playing) {
  const { status, name, record } = entry;
  const isPlaying = playing?.entry === entry;
  row.className = `${status}${isPlaying ? " current" : ""}`;
  row.toggleAttribute("data-noted", isNoted(entry));
  setText(find(".name", row), titleOf(entry));
  find(".name", row).title = name;
  for (const each of LABELS) setLabel(find(`.${each}`, row), t(labelOf(each, status), { name }));
  showState(row, entry);
  showProgress(find("progress", row), entry);
  if (status === "done") showDone(row, entry, isPlaying && playing.isPlaying);
  find(".retry", row).hidden = !canRetry(entry);
  find(".cancel", row).hidden = status === "done" || canRetry(entry);
  find(".warning", row).hidden = status !== "done" || !record.warnings.length;
  find(".applied", row).hidden = !find(".warning", row).hidden;
}

// A failed file that cannot be tried again has the button that cancels others, to remove it.
const labelOf = (button, status) => (button === "cancel" && status === "failed" ? "deleteFile" : `${button}File`);
const isNoted = ({ status, note }) => status === "waiting" && Boolean(note);
// The service converts a record again from the source that it kept.
export const isSourceLost = ({ record }) => record?.error?.code === "source_lost";
export const canRetry = (entry) =>
  entry.status === "failed" && !entry.isPermanent && Boolean(entry.file || (entry.id && !isSourceLost(entry)));

function showState(row, entry) {
  const state = find(".state", row);
  setText(state, describe(entry));
  state.title = entry.status === "failed" || isNoted(entry) ? state.textContent : "";
  // The service writes its errors in English.
  state.lang = entry.status === "failed" && entry.record ? "en" : language;
}

function showProgress(progress, { name, status, progress: fraction, file }) {
  setLabel(progress, t("progressOf", { name }));
  // The progress of an upload by another page is unknown.
  if (status === "uploading" && !file) progress.removeAttribute("value");
  else if (progress.value !== fraction || !progress.hasAttribute("value")) progress.value = fraction;
}

function showDone(row, { name, record, path }, isPlaying) {
  const play = find(".play", row);
  setIcon(play, isPlaying ? "pause" : "play");
  setLabel(play, t(isPlaying ? "pauseFile" : "playFile", { name }));
  setText(find(".length", row), formatLength(record.duration_s ?? 0));
  setText(find(".size", row), formatSize(record.mp3_bytes ?? 0));
  setText(find(".applied", row), record.target ? formatTarget(record.target) : "");
  find(".download", row).href = path;
  const [warning] = record.warnings;
  if (!warning) return;
  const button = find(".warning", row);
  setText(button, `⚠ ${warning}`);
  button.lang = "en";
  button.title = record.warnings.join("\n");
}

function describe(entry) {
  const { status, record, note, error } = entry;
  if (status === "failed") return error;
  if (status === "waiting") return note ?? t("waitingToUpload");
  if (record?.waiting_for) return t("waitingForStorage");
  if (status === "queued") {
    const position = record?.queue_position ?? 0;
    return position > 1 ? t("waitingNumber", { number: position }) : t("waitingToConvert");
  }
  if (status === "uploading") return describeUpload(entry);
  return status === "converting" ? describeConversion(entry) : "";
}

function describeUpload({ file, progress, speed, left_s }) {
  if (!file) return t("uploadingElsewhere");
  const parts = [t("uploading", { percent: formatPercent(progress) })];
  if (speed) parts.push(formatSpeed(speed), formatLeft(left_s));
  return parts.join(" · ");
}

function describeConversion(entry) {
  const { progress } = entry;
  const now_s = performance.now() / 1000;
  entry.conversion ??= { progress, now_s };
  const elapsed_s = now_s - entry.conversion.now_s;
  const gained = progress - entry.conversion.progress;
  const text = t("converting", { percent: formatPercent(progress) });
  if (elapsed_s < ESTIMATE_AFTER_S || gained < ESTIMATE_FROM || progress === 1) return text;
  return `${text} · ${formatLeft((elapsed_s / gained) * (1 - progress))}`;
}
