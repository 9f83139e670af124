// Keeps the names of refused files across a reload: the service does not know them.

import { addEntry, entries, onChange } from "./entries.js";
import { parseJson } from "./service.js";

const STORED = "wav2mp3.refused";
let stored = sessionStorage.getItem(STORED);

const isRefused = ({ id, status, isHidden }) => status === "failed" && !id && !isHidden;

function store() {
  const refused = [...entries()].filter(isRefused).map(({ name, error, created }) => ({ name, error, created }));
  const text = JSON.stringify(refused);
  if (text === stored) return;
  stored = text;
  sessionStorage.setItem(STORED, text);
}

export function startRefused() {
  for (const each of parseJson(stored) ?? []) addEntry({ ...each, status: "failed", isPermanent: true });
  onChange(store);
}
