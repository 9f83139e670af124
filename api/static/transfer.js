// Sends one file, and measures its speed.

import { change } from "./entries.js";
import { ServiceError, parseJson } from "./service.js";

const WINDOW_MS = 5000;
const MIN_WINDOW_MS = 1000;
const STALLED_MS = 30_000;

export function send(entry, { id, token }) {
  const request = new XMLHttpRequest();
  const query = new URLSearchParams(entry.options);
  query.set("user_id", id);
  if (entry.ifExists) query.set("if_exists", entry.ifExists);
  request.open("POST", `record?${query}`);
  request.setRequestHeader("Authorization", `Bearer ${token}`);
  change(entry, { request });
  const stop = watchProgress(entry, request);
  const body = new FormData();
  body.append("wav_file", entry.file, entry.name);
  return new Promise((resolve, reject) => {
    request.onloadend = () => {
      stop();
      const accepted = request.status === 202 && parseJson(request.responseText);
      if (accepted) resolve(accepted);
      else reject(new ServiceError(request.status, request.responseText, request.getResponseHeader("Retry-After")));
    };
    request.send(body);
  });
}

// Aborts a request whose connection is dead without an error.
function watchProgress(entry, request) {
  const samples = [];
  let timer = setTimeout(() => request.abort(), STALLED_MS);
  const stop = () => clearTimeout(timer);
  request.upload.onload = stop;
  request.upload.onprogress = ({ loaded, total }) => {
    stop();
    if (loaded < total) timer = setTimeout(() => request.abort(), STALLED_MS);
    const now_ms = performance.now();
    samples.push({ now_ms, loaded });
    while (now_ms - samples[0].now_ms > WINDOW_MS) samples.shift();
    const elapsed_ms = now_ms - samples[0].now_ms;
    const speed = elapsed_ms > MIN_WINDOW_MS ? (1000 * (loaded - samples[0].loaded)) / elapsed_ms : 0;
    change(entry, { progress: loaded / total, speed, left_s: speed && (total - loaded) / speed });
  };
  return stop;
}
