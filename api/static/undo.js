// Deletes after five seconds in which the person can undo it.

import { change, removeEntry } from "./entries.js";
import { element, find } from "./dom.js";
import { t } from "./i18n.js";
import { showNotice } from "./notices.js";
import { deleteRecord } from "./records.js";

const UNDO_MS = 5000;
const MAX_DELETES = 4;
const toasts = find("#toasts");
const pending = new Set();

export function showToast(text, action = null) {
  const toast = element("div", { className: "toast" }, element("span", { textContent: text }));
  if (action) {
    const button = element("button", { type: "button", textContent: action.text });
    button.setAttribute("aria-keyshortcuts", "Control+Z Meta+Z");
    button.onclick = action.run;
    toast.append(button);
  }
  toasts.append(toast);
  return toast;
}

export function showBriefly(text) {
  const toast = showToast(text);
  setTimeout(() => toast.remove(), UNDO_MS);
}

export function deleteWithUndo(deleted) {
  const { length: count } = deleted;
  const text = count === 1 ? t("wasDeleted", { name: deleted[0].name }) : t("wereDeleted", { count });
  const job = { deleted, finish: () => finish(job) };
  job.toast = showToast(text, { text: t("undo"), run: () => undo(job) });
  job.timer = setTimeout(job.finish, UNDO_MS);
  holdWhileUsed(job);
  pending.add(job);
  for (const entry of deleted) change(entry, { isHidden: true });
}

// The countdown stops while the pointer or the focus is on the message.
function holdWhileUsed(job) {
  const hold = () => clearTimeout(job.timer);
  const goOn = () => {
    hold();
    if (pending.has(job)) job.timer = setTimeout(job.finish, UNDO_MS);
  };
  job.toast.addEventListener("pointerenter", hold);
  job.toast.addEventListener("focusin", hold);
  job.toast.addEventListener("pointerleave", goOn);
  job.toast.addEventListener("focusout", goOn);
}

function end(job) {
  clearTimeout(job.timer);
  pending.delete(job);
  job.toast.remove();
}

function undo(job) {
  end(job);
  for (const entry of job.deleted) change(entry, { isHidden: false });
}

// For the keyboard: the button of the toast is many stops away from the rows.
export function undoLast() {
  const last = [...pending].at(-1);
  if (last) undo(last);
  return Boolean(last);
}

async function finish(job) {
  end(job);
  const left = [...job.deleted];
  await Promise.all(Array.from({ length: MAX_DELETES }, () => deleteNext(left)));
}

async function deleteNext(left) {
  for (let entry = left.pop(); entry; entry = left.pop()) await deleteNow(entry);
}

async function deleteNow(entry) {
  try {
    if (entry.id) await deleteRecord(entry.id);
    removeEntry(entry);
  } catch (error) {
    change(entry, { isHidden: false });
    showNotice(t("notDeleted", { name: entry.name, reason: error.message }));
  }
}

// Leaving the page does not undo.
addEventListener("pagehide", () => {
  for (const { deleted } of pending) {
    for (const { id } of deleted) if (id) deleteRecord(id).catch(() => {});
  }
});
