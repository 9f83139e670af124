// The page: creates a user once, uploads files, polls their records and shows download links.

import { ServiceError, allowStatuses, deleteRecord, getRecord, listRecords, parseJson, withUser } from "./service.js";
import { createRow, filenameOf, find, formatProgress, removeRow, setDeleteButton, show, showRecord } from "./rows.js";

// Browsers open about six connections per host, and downloads, deletes and polls need some of them.
const MAX_UPLOADS = 2;
const MAX_SINGLE_POLLS = 20;
const POLL_MS = 1000;
const SLOW_POLL_MS = 5000;
const PERMANENT_STATUSES = [413, 415, 422];
const UNREADABLE = "This file cannot be read. Check whether it is a folder, or was changed or moved.";
const list = find("#records");
const older = find("#older");
const dropZone = find("#drop");
const picker = find("#files");
const notice = find("#notice");
const announcement = find("#announcement");
const waitingJobs = new Set();
const unfinishedRows = new Map();
let uploads = 0;
let isListed = false;

function showNotice(text = "") {
  if (notice.textContent !== text) notice.textContent = text;
  notice.hidden = !text;
}

// Returns a sentence to announce if the record is finished.
function updateRow(row, record) {
  const { id, status, error } = record;
  const isFinished = status === "done" || status === "failed";
  showRecord(row, record);
  setDeleteButton(row, isFinished ? "Delete" : "Cancel", () => deleteRow(row, id));
  // Deleting first moves the record to the end of the map, so that the next poll asks for others.
  unfinishedRows.delete(id);
  if (!isFinished) unfinishedRows.set(id, row);
  return isFinished && `${filenameOf(row)} ${error ? `failed: ${error.detail}` : "is done."}`;
}

async function deleteRow(row, id) {
  try {
    await deleteRecord(id);
    unfinishedRows.delete(id);
    removeRow(row);
    showNotice();
  } catch (error) {
    showNotice(`${filenameOf(row)} was not deleted. ${error.message}`);
  }
}

function showRecords({ records, next }) {
  for (const record of records) {
    const row = createRow(record.filename);
    list.append(row);
    updateRow(row, record);
  }
  older.hidden = !next;
  older.onclick = () => showOlder(records.at(-1).id);
}

async function showOlder(lastId) {
  older.disabled = true;
  try {
    showRecords(await listRecords(`&before=${lastId}`));
    showNotice();
  } catch (error) {
    showNotice(error.message);
  }
  older.disabled = false;
}

async function refresh() {
  const found = new Map((await listRecords()).records.map((record) => [record.id, record]));
  const others = [...unfinishedRows.keys()].filter((id) => !found.has(id));
  for (const id of others.slice(0, MAX_SINGLE_POLLS)) found.set(id, await getRecord(id));
  const finished = [];
  for (const [id, row] of [...unfinishedRows].filter(([each]) => found.has(each))) {
    if (found.get(id)) finished.push(updateRow(row, found.get(id)));
    else {
      unfinishedRows.delete(id);
      removeRow(row);
    }
  }
  if (finished.some(Boolean)) announcement.textContent = finished.filter(Boolean).join(" ");
}

async function showFirstPage() {
  showRecords(await listRecords());
  // Uploads start only now. Earlier ones would be in the list too, and be shown twice.
  isListed = true;
  startUploads();
}

async function poll(delay_ms = POLL_MS, hadError = false) {
  let error = null;
  try {
    if (!isListed) await showFirstPage();
    else if (unfinishedRows.size) await refresh();
    if (hadError) showNotice();
  } catch (caught) {
    error = caught;
    showNotice(`${error.message} This page keeps trying.`);
  }
  const next_ms = error ? Math.min(2 * delay_ms, SLOW_POLL_MS) : POLL_MS;
  setTimeout(poll, document.hidden ? SLOW_POLL_MS : next_ms, next_ms, error !== null);
}

function post(job, { id, token }) {
  const request = new XMLHttpRequest();
  job.request = request;
  request.open("POST", `record?user_id=${id}&${job.options}`);
  request.setRequestHeader("Authorization", `Bearer ${token}`);
  request.upload.onprogress = ({ loaded, total }) => {
    const progress = loaded / total;
    show(job.row, { status: "uploading", state: formatProgress(job.row, "uploading", progress), progress });
  };
  const body = new FormData();
  body.append("wav_file", job.file);
  return new Promise((resolve, reject) => {
    request.onloadend = () => {
      const accepted = request.status === 202 && parseJson(request.responseText);
      if (accepted) resolve(accepted);
      else reject(new ServiceError(request.status, request.responseText));
    };
    request.send(body);
  });
}

async function upload(job) {
  const { row } = job;
  const send = (user) => row.isConnected && post(job, user);
  show(row, { status: "uploading", state: formatProgress(row, "uploading", 0), progress: 0 });
  try {
    const accepted = (await withUser(send).catch(allowStatuses([401], null))) ?? (await withUser(send));
    if (!row.isConnected) return;
    updateRow(row, { ...accepted, progress: 0, warnings: [], download_link: null });
    showNotice();
  } catch (error) {
    if (row.isConnected) await showFailure(job, error);
  }
}

async function showFailure(job, { status, message }) {
  const { row, file } = job;
  const isReadable = status || (await file.slice(0, 1).arrayBuffer().catch(() => null));
  const detail = isReadable ? message : UNREADABLE;
  const retry = isReadable && !PERMANENT_STATUSES.includes(status) ? () => enqueue([job]) : null;
  show(row, { status: "failed", state: "not uploaded", detail, retry });
  setDeleteButton(row, "Delete", () => removeRow(row));
  announcement.textContent = `${filenameOf(row)} failed: ${detail}`;
}

function cancel(job) {
  waitingJobs.delete(job);
  removeRow(job.row);
  job.request?.abort();
}

function enqueue(jobs) {
  for (const job of jobs) {
    waitingJobs.add(job);
    show(job.row, { status: "waiting", state: "waiting to upload", progress: 0 });
    setDeleteButton(job.row, "Cancel", () => cancel(job));
  }
  startUploads();
}

function startUploads() {
  for (const job of waitingJobs) {
    if (!isListed || uploads === MAX_UPLOADS) return;
    waitingJobs.delete(job);
    uploads += 1;
    upload(job).finally(() => {
      uploads -= 1;
      startUploads();
    });
  }
}

function addFiles(files) {
  const options = [...new FormData(find("#options")).values()].filter(Boolean).join("&");
  const jobs = files.map((file) => ({ file, row: createRow(file.name), options }));
  list.prepend(...jobs.map(({ row }) => row));
  enqueue(jobs);
}

picker.onchange = () => {
  const files = [...picker.files];
  picker.value = "";
  addFiles(files);
};
// On the whole window, because the browser opens a file that is dropped beside the drop zone.
addEventListener("dragover", (event) => {
  event.preventDefault();
  dropZone.classList.toggle("over", event.dataTransfer.types.includes("Files"));
});
addEventListener("dragleave", ({ relatedTarget }) => {
  if (!relatedTarget) dropZone.classList.remove("over");
});
addEventListener("drop", (event) => {
  event.preventDefault();
  dropZone.classList.remove("over");
  addFiles([...event.dataTransfer.files]);
});
addEventListener("beforeunload", (event) => {
  if (uploads || waitingJobs.size) event.preventDefault();
});
poll();
