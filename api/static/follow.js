// Follows the records of the user in one loop. A connection for each record would starve the uploads.

import { addEntry, change, entries, entryOf, isActive, removeEntry } from "./entries.js";
import { t } from "./i18n.js";
import { announce, showNotice } from "./notices.js";
import { PAGE, downloadPath, listRecords } from "./records.js";

const POLL_MS = 1000;
const SLOW_POLL_MS = 5000;
const IDLE_POLL_MS = 10_000;
const FIRST_PAGES = 20;
let oldestId = null;
let nextPage = null;
let wakeUp = null;
let isListed = false;
let resolveListed = null;

// Resolves once the list is known: an upload that starts earlier would be shown twice.
export const listed = new Promise((resolve) => (resolveListed = resolve));
export const hasOlder = () => nextPage !== null;

// Shows a record in the entry that has it already, or in a new one.
export function showRecord(record, known = entryOf(record.id)) {
  const { id, status, filename, error, download_link: link } = record;
  const values = {
    id,
    record,
    status,
    name: filename,
    created: Date.parse(record.created_at),
    progress: record.progress,
    error: error?.detail ?? null,
    isPermanent: false,
    path: link && downloadPath(link),
  };
  // An entry that is uploaded again does not show the record that it replaces.
  if (known) return known.id === id ? change(known, values) : known;
  // This page knows more about its own uploads than the service.
  return ownUpload(record) ?? addEntry(values);
}

// Finds the entry of a file that this page sends now. Its record has no known id until the upload is accepted.
function ownUpload({ status, filename }) {
  if (status !== "uploading") return null;
  const stem = filename.replace(/( \(\d+\))?\.[^.]*$/, "");
  return [...entries()].find(
    (entry) =>
      entry.file && !entry.id && isActive(entry) &&
      (entry.name === filename || (entry.ifExists === "rename" && entry.name.startsWith(stem))),
  );
}

// Removes the entries that the service does not list any more, within the range of a page.
function removeMissing({ records, next }, from) {
  const ids = new Set(records.map(({ id }) => id));
  const last = records.at(-1);
  const end = next && last ? Date.parse(last.created_at) : -Infinity;
  for (const entry of entries()) {
    const isInRange = entry.record?.created_at && entry.created > end && entry.created < from;
    if (entry.id && isInRange && !ids.has(entry.id)) removeEntry(entry);
  }
}

function showPage(page, from = Infinity) {
  const finished = [];
  for (const record of page.records) {
    const before = entryOf(record.id);
    const wasActive = before && isActive(before);
    const entry = showRecord(record);
    if (wasActive && !isActive(entry)) finished.push(entry);
  }
  removeMissing(page, from);
  if (finished.length) announceFinished(finished);
}

function announceFinished(finished) {
  const sentences = finished.map(({ name, status, error }) =>
    status === "done" ? t("isDone", { name }) : t("hasFailed", { name, error }),
  );
  announce(finished.length > 3 ? t("areFinished", { count: finished.length }) : sentences.join(" "));
}

export async function showOlder() {
  const page = await listRecords(oldestId);
  showPage(page, 0);
  keepCursor(page);
}

function keepCursor({ records, next }) {
  oldestId = records.at(-1)?.id ?? oldestId;
  nextPage = next;
}

async function showFirstPages() {
  const first = await listRecords();
  showPage(first);
  keepCursor(first);
  isListed = true;
  resolveListed();
  for (let pages = 1; hasOlder() && pages < FIRST_PAGES; pages += 1) await showOlder();
}

async function refresh() {
  const first = await listRecords();
  showPage(first);
  if (!first.next) return;
  // Records are converted in order, so the next ones to change are the oldest unfinished ones.
  const known = [...entries()].filter(({ record }) => record).toSorted((one, other) => other.created - one.created);
  const oldest = known.findLastIndex(isActive);
  if (oldest < PAGE) return;
  const before = known[oldest - PAGE];
  showPage(await listRecords(before.id), before.created);
}

function delay_ms(error_ms) {
  if (error_ms) return error_ms;
  const isBusy = [...entries()].some(({ record, status }) => record && isActive({ status }));
  if (!isBusy) return IDLE_POLL_MS;
  return document.hidden ? SLOW_POLL_MS : POLL_MS;
}

async function poll(error_ms) {
  let next_ms = 0;
  try {
    await (isListed ? refresh() : showFirstPages());
    if (error_ms) showNotice();
  } catch (error) {
    next_ms = Math.min(2 * (error_ms || POLL_MS), SLOW_POLL_MS);
    showNotice(`${error.message} ${t("keepsTrying")}`);
  }
  const woken = new Promise((resolve) => (wakeUp = resolve));
  await Promise.race([woken, new Promise((resolve) => setTimeout(resolve, delay_ms(next_ms)))]);
  poll(next_ms);
}

// Asks the service at once, for example after an upload.
export function followSoon() {
  setTimeout(() => wakeUp?.(), POLL_MS);
}

// Forgets everything that belongs to the previous user.
export function startAgain() {
  for (const entry of [...entries()].filter(({ id }) => id)) removeEntry(entry);
  oldestId = null;
  nextPage = null;
  isListed = false;
  wakeUp?.();
}

export function startFollowing() {
  addEventListener("online", () => wakeUp?.());
  addEventListener("visibilitychange", () => document.hidden || wakeUp?.());
  poll(0);
}
