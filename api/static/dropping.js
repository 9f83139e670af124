// Files and folders that are dropped on the window, pasted, or picked.

import { find, setText } from "./dom.js";
import { t } from "./i18n.js";
import { takeFiles } from "./intake.js";

const overlay = find("#overlay");

// Reads a dropped folder with all folders inside. If a file or folder cannot be read, returns its name and the error, so
// that only this one fails.
async function filesOf(entry) {
  const problem = entry.isDirectory ? "unreadableFolder" : "unreadable";
  try {
    return await (entry.isDirectory ? filesInside(entry) : [await opened(entry)]);
  } catch {
    return [{ name: entry.name, problem }];
  }
}

const opened = (entry) => new Promise((resolve, reject) => entry.file(resolve, reject));

// A folder returns its files in portions.
async function filesInside(folder) {
  const reader = folder.createReader();
  const files = [];
  for (;;) {
    const portion = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!portion.length) return files;
    for (const each of portion) files.push(...(await filesOf(each)));
  }
}

async function takeDropped(transfer) {
  // The items are gone after the first `await`.
  const items = [...transfer.items].filter(({ kind }) => kind === "file");
  const found = items.map((item) => [item.webkitGetAsEntry(), item.getAsFile()]);
  const single = found.filter(([entry]) => !entry?.isDirectory).map(([, file]) => file);
  if (single.length) takeFiles(single.filter(Boolean));
  for (const [entry] of found.filter(([each]) => each?.isDirectory)) {
    takeFiles(await filesOf(entry), true);
  }
}

const hasFiles = ({ dataTransfer }) => dataTransfer?.types.includes("Files");

function watchWindow() {
  // On the whole window, because the browser opens a file that is dropped beside the drop zone.
  addEventListener("dragover", (event) => {
    event.preventDefault();
    overlay.hidden = !hasFiles(event);
  });
  addEventListener("dragleave", ({ relatedTarget }) => {
    if (!relatedTarget) overlay.hidden = true;
  });
  addEventListener("drop", (event) => {
    event.preventDefault();
    overlay.hidden = true;
    if (hasFiles(event)) takeDropped(event.dataTransfer);
  });
  addEventListener("paste", ({ clipboardData }) => {
    const files = [...clipboardData.files];
    if (files.length) takeFiles(files);
  });
}

function watchPicker(buttonSelector, inputSelector, isFolder) {
  const input = find(inputSelector);
  find(buttonSelector).onclick = () => input.click();
  input.onchange = () => {
    const files = [...input.files];
    input.value = "";
    if (files.length) takeFiles(files, isFolder);
  };
  // Files that were picked while the page was starting.
  input.onchange();
}

export function startDropping() {
  watchWindow();
  watchPicker("#choose", "#files", false);
  watchPicker("#choose-folder", "#folder", true);
  find("#choose-folder").hidden = !("webkitdirectory" in HTMLInputElement.prototype);
  // A finger cannot drop files.
  if (matchMedia("(pointer: coarse)").matches) setText(find("#drop-title"), t("chooseWavs"));
  find("#drop").addEventListener("click", (event) => {
    if (!event.target.closest("button, input")) find("#files").click();
  });
}
