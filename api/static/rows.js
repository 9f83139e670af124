// The rows of the page. A row shows a file to upload or a record.

const DATE = { dateStyle: "medium", timeStyle: "short" };
const startOfRow = new WeakMap();

export const find = (selector, parent = document) => parent.querySelector(selector);
export const filenameOf = (row) => find(".name", row).textContent;

export function createRow(filename) {
  const row = find("#record").content.firstElementChild.cloneNode(true);
  find(".name", row).textContent = filename;
  find("progress", row).ariaLabel = `Progress of ${filename}`;
  find(".download", row).ariaLabel = `Download MP3 of ${filename}`;
  find(".retry", row).ariaLabel = `Try again: ${filename}`;
  return row;
}

export function show(row, { status, state, progress, detail = "", link = null, retry = null }) {
  row.className = status;
  find(".state", row).textContent = state;
  find(".detail", row).textContent = detail;
  if (progress === undefined) find("progress", row).removeAttribute("value");
  else find("progress", row).value = progress;
  find(".download", row).hidden = !link;
  // Relative, because a link to another host name navigates instead, and `beforeunload` would ask.
  if (link) find(".download", row).href = `record${new URL(link).search}`;
  find(".retry", row).hidden = !retry;
  find(".retry", row).onclick = retry;
}

export function showRecord(row, record) {
  const { status, warnings, error, expires_at: expires, download_link: link } = record;
  const expiry = expires ? [`Kept until ${new Date(expires).toLocaleString([], DATE)}.`] : [];
  const detail = error ? error.detail : [...warnings, ...expiry].join(" ");
  // The progress of an upload by another page is unknown.
  const progress = status === "uploading" ? undefined : record.progress;
  show(row, { status, state: formatState(row, record), progress, detail, link });
}

function formatState(row, { status, progress, queue_position: position, duration_s, mp3_bytes }) {
  if (status === "queued") return position > 1 ? `waiting, number ${position}` : "waiting";
  if (status === "converting") return formatProgress(row, status, progress);
  return status === "done" ? `${formatDuration(duration_s)} · ${formatSize(mp3_bytes)}` : status;
}

export function formatProgress(row, status, progress) {
  const now_ms = performance.now();
  if (row.className !== status || !startOfRow.has(row)) startOfRow.set(row, { progress, now_ms });
  const start = startOfRow.get(row);
  const elapsed_s = (now_ms - start.now_ms) / 1000;
  const gained = progress - start.progress;
  const state = `${status}, ${formatPercent(progress)}`;
  // Too early for an estimate.
  if (elapsed_s < 3 || gained < 0.02 || progress === 1) return state;
  return `${state}, ${formatTime((elapsed_s / gained) * (1 - progress))} left`;
}

function formatTime(seconds) {
  if (seconds < 55) return `about ${5 * Math.ceil(seconds / 5)} s`;
  return seconds < 5400 ? `about ${Math.ceil(seconds / 60)} min` : `about ${Math.round(seconds / 3600)} h`;
}

const formatPercent = (fraction) => `${Math.floor(100 * fraction)} %`;
const formatSize = (bytes) => (bytes < 1e6 ? `${Math.ceil(bytes / 1e3)} kB` : `${(bytes / 1e6).toFixed(1)} MB`);

function formatDuration(seconds) {
  const whole = Math.round(seconds);
  const fields = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  return (fields[0] ? fields : fields.slice(1)).map((field) => String(field).padStart(2, "0")).join(":");
}

export function setDeleteButton(row, label, action) {
  const button = find(".delete", row);
  button.textContent = label;
  button.ariaLabel = `${label} ${filenameOf(row)}`;
  button.onclick = action;
}

export function removeRow(row) {
  const neighbour = row.nextElementSibling ?? row.previousElementSibling;
  const hadFocus = row.contains(document.activeElement);
  row.remove();
  if (hadFocus) find(neighbour ? ".delete" : "#files", neighbour ?? document).focus();
}
