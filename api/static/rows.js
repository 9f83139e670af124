// A row of the page: a file that is uploaded, or a record.

const DATE = { dateStyle: "medium", timeStyle: "short" };
const began = new WeakMap();

export const find = (selector, parent = document) => parent.querySelector(selector);
export const nameOf = (row) => find(".name", row).textContent;

export function newRow(filename) {
  const row = find("#record").content.firstElementChild.cloneNode(true);
  find(".name", row).textContent = filename;
  find("progress", row).ariaLabel = `Progress of ${filename}`;
  find(".download", row).ariaLabel = `Download MP3 of ${filename}`;
  find(".again", row).ariaLabel = `Try again: ${filename}`;
  return row;
}

export function show(row, { status, state, progress, detail = "", link = null, again = null }) {
  row.className = status;
  find(".state", row).textContent = state;
  find(".detail", row).textContent = detail;
  if (progress === undefined) find("progress", row).removeAttribute("value");
  else find("progress", row).value = progress;
  find(".download", row).hidden = !link;
  // Not the link itself: to a host by another name it would be a navigation, and `beforeunload` would ask.
  if (link) find(".download", row).href = `record${new URL(link).search}`;
  find(".again", row).hidden = !again;
  find(".again", row).onclick = again;
}

export function showRecord(row, record) {
  const { status, warnings, error, expires_at: expires, download_link: link } = record;
  const until = expires ? [`Kept until ${new Date(expires).toLocaleString([], DATE)}.`] : [];
  const detail = error ? error.detail : [...warnings, ...until].join(" ");
  // Nobody tells us how far the upload of another page is.
  const progress = status === "uploading" ? undefined : record.progress;
  show(row, { status, state: stateOf(row, record), progress, detail, link });
}

function stateOf(row, { status, progress, queue_position: position, duration_s, mp3_bytes }) {
  if (status === "queued") return position > 1 ? `waiting, number ${position}` : "waiting";
  if (status === "converting") return underWay(row, status, progress);
  return status === "done" ? `${duration(duration_s)} · ${size(mp3_bytes)}` : status;
}

export function underWay(row, status, progress) {
  const now_ms = performance.now();
  if (row.className !== status || !began.has(row)) began.set(row, { progress, now_ms });
  const first = began.get(row);
  const elapsed_s = (now_ms - first.now_ms) / 1000;
  const gained = progress - first.progress;
  const state = `${status}, ${percent(progress)}`;
  // Less says nothing about the rest yet.
  if (elapsed_s < 3 || gained < 0.02 || progress === 1) return state;
  return `${state}, ${timeLeft((elapsed_s / gained) * (1 - progress))} left`;
}

function timeLeft(seconds) {
  if (seconds < 55) return `about ${5 * Math.ceil(seconds / 5)} s`;
  return seconds < 5400 ? `about ${Math.ceil(seconds / 60)} min` : `about ${Math.round(seconds / 3600)} h`;
}

const percent = (share) => `${Math.floor(100 * share)} %`;
const size = (bytes) => (bytes < 1e6 ? `${Math.ceil(bytes / 1e3)} kB` : `${(bytes / 1e6).toFixed(1)} MB`);

function duration(seconds) {
  const whole = Math.round(seconds);
  const parts = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  return (parts[0] ? parts : parts.slice(1)).map((part) => String(part).padStart(2, "0")).join(":");
}

export function offerDelete(row, label, action) {
  const button = find(".delete", row);
  button.textContent = label;
  button.ariaLabel = `${label} ${nameOf(row)}`;
  button.onclick = action;
}

export function removeRow(row) {
  const neighbour = row.nextElementSibling ?? row.previousElementSibling;
  const hadFocus = row.contains(document.activeElement);
  row.remove();
  if (hadFocus) find(neighbour ? ".delete" : "#files", neighbour ?? document).focus();
}
