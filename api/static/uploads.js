// Uploads files, three at a time. A lost connection or a busy service delays an upload; only a refusal ends it.

import { change, entries } from "./entries.js";
import { resolveConflict } from "./conflicts.js";
import { followSoon, listed } from "./follow.js";
import { formatTime } from "./format.js";
import { t } from "./i18n.js";
import { announce, showNotice } from "./notices.js";
import { allowStatuses } from "./service.js";
import { send } from "./transfer.js";
import { callAsUser, withUser } from "./user.js";

// Browsers open about six connections per host, and downloads, deletes and polls need some of them.
const MAX_UPLOADS = 3;
const MAX_PAUSE_S = 30;
const BUSY_STATUSES = [0, 408, 429, 502, 503, 504];
const PERMANENT_STATUSES = [413, 415, 422];
const queue = [];
const running = new Set();
let isListed = false;

export const hasUploads = () => running.size > 0 || queue.length > 0;

export function enqueue(added) {
  for (const entry of added) change(entry, { status: "waiting", progress: 0, note: null, error: null, attempts: 0 });
  queue.push(...added);
  startUploads();
}

export function cancelUpload(entry) {
  const index = queue.indexOf(entry);
  if (index >= 0) queue.splice(index, 1);
  clearTimeout(entry.timer);
  change(entry, { isCancelled: true });
  entry.request?.abort();
}

function startUploads() {
  const ready = queue.filter(({ timer }) => !timer);
  const free = isListed ? MAX_UPLOADS - running.size : 0;
  for (const entry of ready.slice(0, free)) {
    queue.splice(queue.indexOf(entry), 1);
    running.add(entry);
    upload(entry).finally(() => {
      running.delete(entry);
      startUploads();
    });
  }
}

async function upload(entry) {
  change(entry, { status: "uploading", progress: 0, speed: 0, isCancelled: false });
  const post = (user) => (entry.isCancelled ? null : send(entry, user));
  try {
    // The second call is for a user that the service does not know any more.
    const accepted = (await withUser(post).catch(allowStatuses([401], null))) ?? (await withUser(post));
    if (accepted && !entry.isCancelled) accept(entry, accepted);
  } catch (error) {
    if (!entry.isCancelled) await handleError(entry, error);
  }
}

function accept(entry, { id, status, filename, download_link }) {
  const record = { id, status, warnings: [], download_link, filename: filename ?? entry.name };
  change(entry, { id, status, record, name: record.filename, progress: 0, request: null });
  showNotice();
  followSoon();
}

async function handleError(entry, error) {
  change(entry, { request: null });
  if (!(await isReadable(entry.file))) fail(entry, t("unreadable"), true);
  else if (error.code === "filename_taken") await handleTaken(entry, error);
  else if (error.retryAfter_s !== null || BUSY_STATUSES.includes(error.status)) pause(entry, error);
  else fail(entry, error.message, PERMANENT_STATUSES.includes(error.status), error.code);
}

const isReadable = (file) => file.slice(0, 1).arrayBuffer().then(() => true, () => false);

function fail(entry, error, isPermanent = false, code = null) {
  change(entry, { status: "failed", error, isPermanent, code });
  announce(t("hasFailed", { name: entry.name, error }));
}

// After a lost connection, the service may still hold the broken upload, or have accepted it without an answer.
async function handleTaken(entry, error) {
  if (error.retryAfter_s !== null) return pause(entry, error);
  const record = error.recordId && entry.attempts ? await findRecord(error.recordId) : null;
  if (record?.source_bytes === entry.file.size) return accept(entry, record);
  if (record?.status === "uploading") return pause(entry, error);
  const answer = await resolveConflict(entry.name);
  if (answer === "skip") return fail(entry, error.message);
  change(entry, { ifExists: answer });
  return enqueue([entry]);
}

const findRecord = (id) => callAsUser(`records/${id}`).catch(() => null);

function pause(entry, { status, message, retryAfter_s }) {
  const attempts = entry.attempts + 1;
  const pause_s = retryAfter_s ?? Math.min(MAX_PAUSE_S, 2 ** (attempts - 1));
  const reason = status ? message : t("connectionLost");
  const note = `${reason} ${t("againIn", { time: formatTime(pause_s) })}`;
  const timer = setTimeout(() => resume(entry), 1000 * pause_s);
  change(entry, { status: "waiting", note, attempts, timer, progress: 0 });
  // The first of the queue: the order of the list stays.
  queue.unshift(entry);
}

function resume(entry) {
  clearTimeout(entry.timer);
  change(entry, { timer: null, note: null });
  startUploads();
}

addEventListener("online", () => {
  for (const entry of [...entries()].filter(({ timer }) => timer)) resume(entry);
});
addEventListener("beforeunload", (event) => {
  if (hasUploads()) event.preventDefault();
});

export async function startUploading() {
  await listed;
  isListed = true;
  startUploads();
}
