// Takes files in: checks each before a byte is sent, asks about names that exist, and queues the rest.

import { forgetAnswer, resolveConflict } from "./conflicts.js";
import { find, setText } from "./dom.js";
import { addEntry, entries } from "./entries.js";
import { hasCall } from "./features.js";
import { formatLimit } from "./format.js";
import { t } from "./i18n.js";
import { currentOptions } from "./options.js";
import { rememberSample } from "./tags.js";
import { callAsUser, storedUser } from "./user.js";
import { showBriefly } from "./undo.js";
import { enqueue } from "./uploads.js";
import { otherFormat } from "./wav_file.js";

// Recorders and macOS put hidden files such as ._song.wav beside the real ones.
const WAV_OF_FOLDER = /^[^.].*\.(wav|wave|w64|rf64|bw64|bwf)$/is;
let queue = Promise.resolve();
let maxUploadBytes = Infinity;

// Asks the service how large a file may be. A service that does not say it refuses such a file itself.
export async function learnLimits() {
  if (maxUploadBytes !== Infinity || !storedUser() || !(await hasCall("/users/me"))) return;
  const limits = await callAsUser("users/me").catch(() => ({}));
  maxUploadBytes = limits.max_upload_bytes ?? Infinity;
  if (maxUploadBytes === Infinity) return;
  const limit = t("upTo", { size: formatLimit(maxUploadBytes) });
  setText(find("#accepted"), `${t("accepted")} · ${limit}`);
}

// Files of two drops are checked one after the other, so that a name is never missed.
export function takeFiles(files, isFolder = false) {
  queue = queue.then(() => take(files, isFolder), null);
  return queue;
}

async function take(files, isFolder) {
  const wanted = isFolder ? files.filter(isWanted) : files;
  if (wanted.length < files.length) showBriefly(t("leftOut", { count: files.length - wanted.length }));
  forgetAnswer();
  // Again, because there was no user when the page started.
  await learnLimits();
  const options = currentOptions();
  const names = takenNames();
  const accepted = [];
  for (const file of wanted) {
    const entry = { file, name: file.name, options, created: Date.now() };
    const error = await refusal(file);
    if (error) addEntry({ ...entry, status: "failed", error, isPermanent: true });
    else accepted.push(entry);
  }
  const queued = [];
  for (const [index, entry] of accepted.entries()) {
    const isTaken = names.has(entry.name.normalize());
    const rest = accepted.slice(index + 1);
    const others = rest.filter(({ name }) => names.has(name.normalize())).length;
    const answer = isTaken ? await resolveConflict(entry.name, others, !rest.length) : null;
    if (answer === "skip") continue;
    names.add(entry.name.normalize());
    queued.push(addEntry({ ...entry, ifExists: answer, status: "waiting" }));
  }
  if (queued.length) rememberSample(queued.at(-1).file);
  enqueue(queued);
}

const isWanted = ({ name, problem }) => problem === "unreadableFolder" || WAV_OF_FOLDER.test(name);

// The names that the service would refuse: those of all records that have not failed.
function takenNames() {
  const taken = [...entries()].filter(({ status, isHidden }) => status !== "failed" && !isHidden);
  return new Set(taken.map(({ name }) => name.normalize()));
}

async function refusal(file) {
  if (file.problem) return t(file.problem);
  if (file.size > maxUploadBytes) return t("tooLarge", { size: formatLimit(maxUploadBytes) });
  try {
    const format = await otherFormat(file);
    if (format === "") return t("emptyFile");
    return format && t("otherFormat", { format });
  } catch {
    return t("unreadable");
  }
}
