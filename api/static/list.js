// The list of rows, in the order of `compare`.

import { compare, entries, onChange } from "./entries.js";
import { find } from "./dom.js";
import { createRow, showEntry } from "./row.js";
import { drawRow, forgetRow, watchRow } from "./row_waveforms.js";

const list = find("#records");
const rows = new Map();
const entryOfRow = new WeakMap();
let playing = null;

export const rowEntry = (target) => entryOfRow.get(target.closest("#records > li"));
export const rowOf = (entry) => rows.get(entry);

// Entries in the order of the screen.
export const shownEntries = () => [...entries()].filter((entry) => !entry.isHidden).toSorted(compare);

// Calls `handler(entry, button, event)` for clicks on the buttons of rows with this class.
export function onRowClick(className, handler) {
  list.addEventListener("click", (event) => {
    const target = event.target.closest(`.${className}`);
    if (target) handler(rowEntry(target), target, event);
  });
}

// `now` is the entry of the player and whether it plays.
export function showPlaying(now) {
  const before = playing?.entry;
  playing = now;
  for (const entry of new Set([before, now?.entry])) {
    if (entry && rows.has(entry)) show(entry);
  }
}

function show(entry) {
  const row = rows.get(entry);
  showEntry(row, entry, playing);
  if (entry.status === "done") {
    watchRow(row, entry);
    drawRow(row);
  }
}

function rowFor(entry) {
  const row = createRow(entry);
  rows.set(entry, row);
  entryOfRow.set(row, entry);
  return row;
}

function drop(entry) {
  const row = rows.get(entry);
  if (!row) return;
  keepFocus(row);
  row.remove();
  forgetRow(row);
  rows.delete(entry);
}

// Moves the focus out of a row that disappears, to the same button of a neighbour.
function keepFocus(row) {
  const focused = document.activeElement;
  if (!row.contains(focused)) return;
  const neighbour = row.nextElementSibling ?? row.previousElementSibling;
  const same = neighbour && [...neighbour.querySelectorAll("button, a")].find(
    (each) => each.classList[0] === focused.classList[0] && each.checkVisibility(),
  );
  (same ?? (neighbour && find(".more", neighbour)) ?? find("#choose")).focus({ preventScroll: true });
}

function update(changed) {
  const moved = new Set();
  for (const entry of changed) {
    if (entry.isRemoved || entry.isHidden) {
      drop(entry);
      continue;
    }
    const row = rows.get(entry);
    if (!row) rowFor(entry);
    if (!row || entry.shownStatus !== entry.status || entry.shownCreated !== entry.created) {
      moved.add(rows.get(entry));
      entry.shownStatus = entry.status;
      entry.shownCreated = entry.created;
    }
    show(entry);
  }
  if (moved.size) place(moved);
  find("#list").hidden = !rows.size;
  document.body.classList.toggle("empty", !rows.size);
}

// Puts the moved rows into their places. The others keep their order, so they are not touched.
function place(moved) {
  const focused = document.activeElement;
  let next = list.firstElementChild;
  for (const entry of shownEntries()) {
    const row = rows.get(entry);
    while (next && next !== row && moved.has(next)) next = next.nextElementSibling;
    if (row === next) next = next.nextElementSibling;
    else list.insertBefore(row, next);
  }
  if (focused !== document.activeElement && list.contains(focused)) focused.focus({ preventScroll: true });
}

onChange(update);
