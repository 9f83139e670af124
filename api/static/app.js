// The page is a client like any other: it creates a user once, uploads, listens, and shows download links.

const USER = "wav2mp3.user";
const list = document.querySelector("#records");
const drop = document.querySelector("#drop");
const picker = document.querySelector("#files");
const notice = document.querySelector("#notice");
const UNREACHABLE = "The service cannot be reached. Try again in a moment.";

async function user() {
  const kept = localStorage.getItem(USER);
  if (kept) return JSON.parse(kept);
  const answer = await fetch("users", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ name: "web page" }),
  });
  const created = await answer.json();
  localStorage.setItem(USER, JSON.stringify(created));
  return created;
}

async function call(path, options = {}) {
  const { token } = await user();
  return fetch(path, { ...options, headers: { Authorization: `Bearer ${token}` } });
}

function addRow(filename, prepend = true) {
  const row = document.querySelector("#record").content.firstElementChild.cloneNode(true);
  row.querySelector(".name").textContent = filename;
  list[prepend ? "prepend" : "append"](row);
  return row;
}

function show(row, { status, state, progress, detail = "", link = null }) {
  row.className = status;
  row.querySelector(".state").textContent = state;
  row.querySelector(".detail").textContent = detail;
  const bar = row.querySelector("progress");
  if (progress === undefined) bar.removeAttribute("value");
  else bar.value = progress;
  const download = row.querySelector(".download");
  download.hidden = !link;
  if (link) download.href = link;
}

const percent = (share) => `${Math.floor(100 * share)} %`;
const size = (bytes) => (bytes < 1e6 ? `${Math.ceil(bytes / 1e3)} kB` : `${(bytes / 1e6).toFixed(1)} MB`);

function duration(seconds) {
  const whole = Math.round(seconds);
  const parts = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  return (parts[0] ? parts : parts.slice(1)).map((part) => String(part).padStart(2, "0")).join(":");
}

function showRecord(row, record) {
  const { status, progress, queue_position: position, warnings, error } = record;
  const detail = error ? error.detail : warnings.join(" ");
  const state = {
    uploading: "uploading",
    queued: position > 1 ? `waiting, number ${position}` : "waiting",
    converting: `converting, ${percent(progress)}`,
    failed: "failed",
    done: status === "done" ? `${duration(record.duration_s)} · ${size(record.mp3_bytes)}` : "",
  }[status];
  show(row, { status, state, progress, detail, link: record.download_link });
}

const isFinished = (record) => record.status === "done" || record.status === "failed";

function offerDelete(row, id) {
  row.querySelector(".delete").onclick = async () => {
    const answer = await call(`records/${id}`, { method: "DELETE" });
    if (answer.ok || answer.status === 404 || answer.status === 410) row.remove();
  };
}

function follow(row, id) {
  offerDelete(row, id);
  const events = new EventSource(`records/${id}/events`);
  events.onmessage = ({ data }) => {
    const record = JSON.parse(data);
    showRecord(row, record);
    if (isFinished(record) || !row.isConnected) events.close();
  };
}

async function upload(file) {
  const row = addRow(file.name);
  const fail = (detail) => show(row, { status: "failed", state: "not uploaded", detail });
  const request = new XMLHttpRequest();
  row.querySelector(".delete").onclick = () => {
    request.abort();
    row.remove();
  };
  const chosen = [...new FormData(document.querySelector("#options")).values()].filter(Boolean);
  const { id, token } = await user();
  request.open("POST", `record?user_id=${id}&${chosen.join("&")}`);
  request.setRequestHeader("Authorization", `Bearer ${token}`);
  request.upload.onprogress = ({ loaded, total }) => {
    const progress = loaded / total;
    show(row, { status: "uploading", state: `uploading, ${percent(progress)}`, progress });
  };
  request.onerror = () => fail(UNREACHABLE);
  request.onload = () => {
    const answer = JSON.parse(request.responseText);
    if (request.status !== 202) fail(answer.detail);
    else follow(row, answer.id);
  };
  const body = new FormData();
  body.append("wav_file", file);
  show(row, { status: "uploading", state: "uploading", progress: 0 });
  await new Promise((resolve) => {
    request.onloadend = resolve;
    request.send(body);
  });
}

async function uploadAll(files) {
  for (const file of files) await upload(file);
}

async function showKept() {
  if (!localStorage.getItem(USER)) return;
  const answer = await call("records");
  if (answer.status === 401) localStorage.removeItem(USER);
  if (!answer.ok) return;
  for (const record of (await answer.json()).records) {
    const row = addRow(record.filename, false);
    showRecord(row, record);
    if (isFinished(record)) offerDelete(row, record.id);
    else follow(row, record.id);
  }
}

picker.onchange = async () => {
  await uploadAll([...picker.files]);
  picker.value = "";
};
drop.ondragover = (event) => {
  event.preventDefault();
  drop.classList.add("over");
};
drop.ondragleave = () => drop.classList.remove("over");
drop.ondrop = (event) => {
  event.preventDefault();
  drop.classList.remove("over");
  uploadAll([...event.dataTransfer.files]);
};
addEventListener("unhandledrejection", () => {
  notice.textContent = UNREACHABLE;
  notice.hidden = false;
});
showKept();
