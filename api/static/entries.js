// The files that the page shows: those to upload and the records of the service. Listeners hear of every change.

const FLUSH_MS = 30;
const RANKS = ["uploading", "converting", "queued", "waiting", "failed", "done"];
const all = new Map();
const byId = new Map();
const listeners = new Set();
let changed = new Set();
let timer = null;
let lastKey = 0;

export const entries = () => all.values();
export const entryOf = (id) => byId.get(id);
export const isActive = ({ status }) => status !== "done" && status !== "failed";
export const onChange = (listener) => listeners.add(listener);

// `created` is milliseconds since 1970. Both a record and an upload have it.
export function addEntry(values) {
  lastKey += 1;
  const entry = { key: lastKey, id: null, file: null, record: null, progress: 0, isHidden: false, ...values };
  all.set(entry.key, entry);
  return change(entry, values);
}

export function change(entry, values) {
  Object.assign(entry, values);
  if (entry.id && all.has(entry.key)) byId.set(entry.id, entry);
  changed.add(entry);
  timer ??= setTimeout(flush, FLUSH_MS);
  return entry;
}

export function removeEntry(entry) {
  all.delete(entry.key);
  if (byId.get(entry.id) === entry) byId.delete(entry.id);
  change(entry, { isRemoved: true });
}

// Unfinished files first, oldest first; then failures and finished files, newest first.
export function compare(one, other) {
  const ranks = RANKS.indexOf(one.status) - RANKS.indexOf(other.status);
  if (ranks) return ranks;
  const oldestFirst = one.created - other.created || one.key - other.key;
  return isActive(one) ? oldestFirst : -oldestFirst;
}

function flush() {
  timer = null;
  const now = changed;
  changed = new Set();
  for (const listener of listeners) listener(now);
}
