// Draws the waveforms of the rows that are on the screen, and frees the memory of the others.

import { find } from "./dom.js";
import { drawPeaks, loadPeaks } from "./waveform.js";

const watched = new WeakMap();
const visible = new Set();
let position = { id: null, fraction: 0 };

const observer = new IntersectionObserver(
  (changes) => {
    for (const { target, isIntersecting } of changes) {
      if (isIntersecting) {
        visible.add(target);
        drawRow(target);
      } else {
        visible.delete(target);
        find(".waveform", target).width = 0;
      }
    }
  },
  { rootMargin: "200px" },
);

export function watchRow(row, entry) {
  if (watched.has(row)) return;
  watched.set(row, entry);
  observer.observe(row);
}

export function forgetRow(row) {
  observer.unobserve(row);
  visible.delete(row);
}

export async function drawRow(row) {
  if (!visible.has(row)) return;
  const { id } = watched.get(row);
  const peaks = await loadPeaks(id);
  if (visible.has(row)) drawPeaks(find(".waveform", row), peaks, id === position.id ? position.fraction : 0);
}

export function showPosition(id, fraction) {
  const before = position.id;
  position = { id, fraction };
  for (const row of visible) {
    if ([before, id].includes(watched.get(row).id)) drawRow(row);
  }
}

export function drawVisibleRows() {
  for (const row of visible) drawRow(row);
}

addEventListener("resize", drawVisibleRows);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawVisibleRows);
