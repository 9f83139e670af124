// The page is a client like any other: it creates a user once, uploads, polls, and shows download links.

import { Trouble, asUser, deleteRecord, findRecord, listRecords, parsed, unless } from "./service.js";
import { find, nameOf, newRow, offerDelete, removeRow, show, showRecord, underWay } from "./rows.js";

// A browser opens six or so connections to a host; downloads, deletes and polls need some of them.
const MAX_UPLOADS = 2;
const MAX_ASKED_SINGLY = 20;
const POLL_MS = 1000;
const SLOW_POLL_MS = 5000;
const NOT_WORTH_RETRYING = [413, 415, 422];
const UNREADABLE = "This file cannot be read. Is it a folder, or was it changed or moved?";
const list = find("#records");
const older = find("#older");
const drop = find("#drop");
const picker = find("#files");
const notice = find("#notice");
const news = find("#news");
const waiting = new Set();
const unfinished = new Map();
let uploads = 0;
let isListed = false;

function say(text = "") {
  if (notice.textContent !== text) notice.textContent = text;
  notice.hidden = !text;
}

function follow(row, record) {
  const { id, status, error } = record;
  const isFinished = status === "done" || status === "failed";
  showRecord(row, record);
  offerDelete(row, isFinished ? "Delete" : "Cancel", () => deleteRow(row, id));
  // Deleted first, so that it goes to the end, and next time others are asked for.
  unfinished.delete(id);
  if (!isFinished) unfinished.set(id, row);
  return isFinished && `${nameOf(row)} ${error ? `failed: ${error.detail}` : "is done."}`;
}

async function deleteRow(row, id) {
  try {
    await deleteRecord(id);
    unfinished.delete(id);
    removeRow(row);
    say();
  } catch (trouble) {
    say(`${nameOf(row)} was not deleted. ${trouble.message}`);
  }
}

function showPage({ records, next }) {
  for (const record of records) {
    const row = newRow(record.filename);
    list.append(row);
    follow(row, record);
  }
  older.hidden = !next;
  older.onclick = () => showOlder(records.at(-1).id);
}

async function showOlder(last) {
  older.disabled = true;
  try {
    showPage(await listRecords(`&before=${last}`));
    say();
  } catch (trouble) {
    say(trouble.message);
  }
  older.disabled = false;
}

async function refresh() {
  const found = new Map((await listRecords()).records.map((record) => [record.id, record]));
  const others = [...unfinished.keys()].filter((id) => !found.has(id));
  for (const id of others.slice(0, MAX_ASKED_SINGLY)) found.set(id, await findRecord(id));
  const finished = [];
  for (const [id, row] of [...unfinished].filter(([each]) => found.has(each))) {
    if (found.get(id)) finished.push(follow(row, found.get(id)));
    else {
      unfinished.delete(id);
      removeRow(row);
    }
  }
  if (finished.some(Boolean)) news.textContent = finished.filter(Boolean).join(" ");
}

async function begin() {
  showPage(await listRecords());
  // Not sooner, or an upload of this page would be in the list as well.
  isListed = true;
  startUploads();
}

async function poll(delay_ms = POLL_MS, hadTrouble = false) {
  let trouble = null;
  try {
    if (!isListed) await begin();
    else if (unfinished.size) await refresh();
    if (hadTrouble) say();
  } catch (error) {
    trouble = error;
    say(`${trouble.message} This page keeps trying.`);
  }
  const next_ms = trouble ? Math.min(2 * delay_ms, SLOW_POLL_MS) : POLL_MS;
  setTimeout(poll, document.hidden ? SLOW_POLL_MS : next_ms, next_ms, trouble !== null);
}

function post(job, { id, token }) {
  const request = new XMLHttpRequest();
  job.request = request;
  request.open("POST", `record?user_id=${id}&${job.options}`);
  request.setRequestHeader("Authorization", `Bearer ${token}`);
  request.upload.onprogress = ({ loaded, total }) => {
    const progress = loaded / total;
    show(job.row, { status: "uploading", state: underWay(job.row, "uploading", progress), progress });
  };
  const body = new FormData();
  body.append("wav_file", job.file);
  return new Promise((resolve, reject) => {
    request.onloadend = () => {
      const accepted = request.status === 202 && parsed(request.responseText);
      if (accepted) resolve(accepted);
      else reject(new Trouble(request.status, request.responseText));
    };
    request.send(body);
  });
}

async function upload(job) {
  const { row } = job;
  const send = (known) => row.isConnected && post(job, known);
  show(row, { status: "uploading", state: underWay(row, "uploading", 0), progress: 0 });
  try {
    const accepted = (await asUser(send).catch(unless([401], null))) ?? (await asUser(send));
    if (!row.isConnected) return;
    follow(row, { ...accepted, progress: 0, warnings: [], download_link: null });
    say();
  } catch (trouble) {
    if (row.isConnected) await showFailure(job, trouble);
  }
}

async function showFailure(job, { status, message }) {
  const { row, file } = job;
  const isReadable = status || (await file.slice(0, 1).arrayBuffer().catch(() => null));
  const detail = isReadable ? message : UNREADABLE;
  const again = isReadable && !NOT_WORTH_RETRYING.includes(status) ? () => enqueue([job]) : null;
  show(row, { status: "failed", state: "not uploaded", detail, again });
  offerDelete(row, "Delete", () => removeRow(row));
  news.textContent = `${nameOf(row)} failed: ${detail}`;
}

function cancel(job) {
  waiting.delete(job);
  removeRow(job.row);
  job.request?.abort();
}

function enqueue(jobs) {
  for (const job of jobs) {
    waiting.add(job);
    show(job.row, { status: "waiting", state: "waiting to upload", progress: 0 });
    offerDelete(job.row, "Cancel", () => cancel(job));
  }
  startUploads();
}

function startUploads() {
  for (const job of waiting) {
    if (!isListed || uploads === MAX_UPLOADS) return;
    waiting.delete(job);
    uploads += 1;
    upload(job).finally(() => {
      uploads -= 1;
      startUploads();
    });
  }
}

function take(files) {
  const chosen = [...new FormData(find("#options")).values()].filter(Boolean).join("&");
  const jobs = files.map((file) => ({ file, row: newRow(file.name), options: chosen }));
  list.prepend(...jobs.map(({ row }) => row));
  enqueue(jobs);
}

picker.onchange = () => {
  const files = [...picker.files];
  picker.value = "";
  take(files);
};
// On the whole window: beside the zone, a dropped file would take the place of the page.
addEventListener("dragover", (event) => {
  event.preventDefault();
  drop.classList.toggle("over", event.dataTransfer.types.includes("Files"));
});
addEventListener("dragleave", ({ relatedTarget }) => {
  if (!relatedTarget) drop.classList.remove("over");
});
addEventListener("drop", (event) => {
  event.preventDefault();
  drop.classList.remove("over");
  take([...event.dataTransfer.files]);
});
addEventListener("beforeunload", (event) => {
  if (uploads || waiting.size) event.preventDefault();
});
poll();
