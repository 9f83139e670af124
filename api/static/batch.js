// Counts the files of the current batch: those added since the list was last finished.

import { entries, isActive } from "./entries.js";

const STARTED = "wav2mp3.batch";
const RATE_WINDOW_S = 30;
const MIN_RATE_WINDOW_S = 3;
const UPLOAD_SHARE = 0.5;
let samples = [];

const startOfBatch = () => Number(localStorage.getItem(STARTED) ?? Infinity);

const isDone = ({ status }) => status === "done";
const hasFailed = ({ status }) => status === "failed";

export function countBatch() {
  const shown = [...entries()].filter(({ isHidden }) => !isHidden);
  const active = shown.filter(isActive);
  if (active.length) keepStart(Math.min(...active.map(({ created }) => created)));
  const started = startOfBatch();
  const batch = shown.filter((entry) => isActive(entry) || entry.created >= started);
  const fraction = weighted(batch);
  const left_s = active.length ? timeLeft(fraction) : null;
  if (shown.length && !active.length) forget();
  return {
    shown,
    active,
    batch,
    fraction,
    left_s,
    done: shown.filter(isDone),
    batchDone: batch.filter(isDone),
    failed: shown.filter(hasFailed),
    batchFailed: batch.filter(hasFailed),
  };
}

// A batch survives a reload: the time of its first file is stored.
function keepStart(first) {
  if (first < startOfBatch()) localStorage.setItem(STARTED, String(first));
}

function forget() {
  samples = [];
  localStorage.removeItem(STARTED);
}

// Weighs each file by its size. Half of the work is the upload.
function weighted(batch) {
  let whole = 0;
  let ready = 0;
  for (const entry of batch) {
    const weight = entry.file?.size ?? entry.record?.source_bytes ?? 1;
    whole += weight;
    ready += weight * readiness(entry);
  }
  return whole ? ready / whole : 1;
}

function readiness({ status, progress }) {
  if (status === "waiting") return 0;
  if (status === "uploading") return UPLOAD_SHARE * progress;
  return isActive({ status }) ? UPLOAD_SHARE + (1 - UPLOAD_SHARE) * progress : 1;
}

function timeLeft(fraction) {
  const now_s = performance.now() / 1000;
  if (samples.length && fraction < samples.at(-1).fraction) samples = [];
  samples.push({ now_s, fraction });
  while (now_s - samples[0].now_s > RATE_WINDOW_S) samples.shift();
  const elapsed_s = now_s - samples[0].now_s;
  const gained = fraction - samples[0].fraction;
  return elapsed_s > MIN_RATE_WINDOW_S && gained > 0 ? (elapsed_s / gained) * (1 - fraction) : null;
}
