// Calls to the service, and the user that this browser is to it. Whatever goes wrong is a `Trouble` with a sentence
// for a person; its status is 0 if there was no answer.

const USER = "wav2mp3.user";
const PATIENCE_MS = 15_000;
let creating = null;

export class Trouble extends Error {
  constructor(status, text = "") {
    super(reason(status, text));
    this.status = status;
  }
}

function reason(status, text) {
  if (!status) return "The service cannot be reached.";
  // What is not JSON was not said by the service but by a proxy before it.
  const detail = parsed(text)?.detail;
  if (typeof detail === "string") return detail;
  if (status === 413) return "This file is too large for the server (413).";
  return `The server answered with status ${status} and gave no reason.`;
}

export function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

export async function ask(path, options = {}) {
  const signal = AbortSignal.timeout(PATIENCE_MS);
  const answer = await fetch(path, { signal, cache: "no-store", ...options }).catch(() => null);
  const text = await answer?.text().catch(() => null);
  if (typeof text !== "string") throw new Trouble(0);
  const body = parsed(text);
  if (!answer.ok || (text && !body)) throw new Trouble(answer.status, text);
  return body;
}

// For `catch`: the answers with these statuses are as good as `instead`.
export const unless = (statuses, instead) => (trouble) => {
  if (statuses.includes(trouble.status)) return instead;
  throw trouble;
};

const keptUser = () => parsed(localStorage.getItem(USER));

async function createUser() {
  const headers = { "Content-Type": "application/json" };
  const body = JSON.stringify({ name: "web page" });
  const created = await ask("users", { method: "POST", headers, body });
  localStorage.setItem(USER, JSON.stringify(created));
  return created;
}

async function user() {
  const kept = keptUser();
  if (kept) return kept;
  creating ??= createUser().finally(() => (creating = null));
  return creating;
}

// A user whom the service does not know is forgotten, so that the next call makes a new one.
export async function asUser(send) {
  const known = await user();
  try {
    return await send(known);
  } catch (trouble) {
    // By now another call may have made the new one.
    const isKept = keptUser()?.token === known.token;
    if (trouble.status === 401 && isKept) localStorage.removeItem(USER);
    throw trouble;
  }
}

const askAsUser = (path, method) =>
  asUser(({ token }) => ask(path, { method, headers: { Authorization: `Bearer ${token}` } }));

export async function listRecords(query = "") {
  const nothing = { records: [], next: null };
  if (!keptUser()) return nothing;
  return askAsUser(`records?limit=100${query}`, "GET").catch(unless([401], nothing));
}

// null if there is none any more
export const findRecord = (id) => ask(`records/${id}`).catch(unless([404, 410], null));

export const deleteRecord = (id) =>
  askAsUser(`records/${id}`, "DELETE").catch(unless([401, 404, 410], null));
