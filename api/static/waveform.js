// Loads the peaks of a record (BBC audiowaveform, version 2) and draws them.

import { parseJson } from "./service.js";
import { ownCredentials } from "./user.js";

const BAR_PX = 2;
const GAP_PX = 1;
const MAX_POINTS = 1500;
const MAX_LOADS = 4;
const loaded = new Map();
const waiting = [];
let loads = 0;

// Resolves to the peaks of a record, 0 to 1, or to null if it has none.
export function loadPeaks(id) {
  if (!loaded.has(id)) {
    loaded.set(id, new Promise((resolve) => waiting.push({ id, resolve })));
    loadNext();
  }
  return loaded.get(id);
}

function loadNext() {
  if (loads === MAX_LOADS || !waiting.length) return;
  // The newest request first: its row is on the screen now.
  const { id, resolve } = waiting.pop();
  loads += 1;
  fetchPeaks(id).then(resolve).finally(() => {
    loads -= 1;
    loadNext();
  });
}

async function fetchPeaks(id) {
  const answer = await fetch(`records/${id}/waveform`, { headers: ownCredentials() }).catch(() => null);
  if (!answer?.ok) {
    // Without an answer, or while the service has trouble, the next draw asks again.
    if (answer?.status !== 404) loaded.delete(id);
    return null;
  }
  const waveform = parseJson(await answer.text());
  return waveform && reduce(waveform);
}

function reduce({ data, length, channels = 1, bits = 8 }) {
  const points = Math.min(length, MAX_POINTS);
  const values = data.length / length;
  const scale = 2 ** (bits - 1);
  return Float32Array.from({ length: points }, (_, index) => {
    const from = Math.floor((index * length) / points) * values;
    const to = Math.max(from + 2 * channels, Math.floor(((index + 1) * length) / points) * values);
    let peak = 0;
    for (let at = from; at < to; at += 1) peak = Math.max(peak, Math.abs(data[at]));
    return Math.min(1, peak / scale);
  });
}

// Draws bars over the whole canvas, the played fraction in the accent colour. Without peaks: a line.
export function drawPeaks(canvas, peaks, played) {
  const { width, height, context } = prepare(canvas);
  const { color, accentColor } = getComputedStyle(canvas);
  const pitch = BAR_PX + GAP_PX;
  const bars = Math.max(1, Math.floor((width + GAP_PX) / pitch));
  const boundary = played * width;
  context.clearRect(0, 0, width, height);
  for (let bar = 0; bar < bars; bar += 1) {
    const peak = peaks ? highest(peaks, bar / bars, (bar + 1) / bars) : 0;
    const size = Math.max(1.5, peak * height);
    context.fillStyle = bar * pitch < boundary ? accentColor : color;
    context.fillRect(bar * pitch, (height - size) / 2, BAR_PX, size);
  }
}

function highest(peaks, from, to) {
  const first = Math.floor(from * peaks.length);
  const last = Math.max(first + 1, Math.ceil(to * peaks.length));
  let peak = 0;
  for (let index = first; index < last; index += 1) peak = Math.max(peak, peaks[index] ?? 0);
  return peak;
}

function prepare(canvas) {
  const ratio = window.devicePixelRatio;
  const { clientWidth: width, clientHeight: height } = canvas;
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
  }
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  return { width, height, context };
}
