// Calls the service as the user stored in this browser. Every failed call throws a `ServiceError`.

const USER = "wav2mp3.user";
const TIMEOUT_MS = 15_000;
let pendingUser = null;

// Its message is a sentence for a person. Its status is 0 if there was no answer.
export class ServiceError extends Error {
  constructor(status, text = "") {
    super(errorMessage(status, text));
    this.status = status;
  }
}

function errorMessage(status, text) {
  if (!status) return "The service cannot be reached.";
  // An answer without JSON comes from a proxy, not from the service.
  const detail = parseJson(text)?.detail;
  if (typeof detail === "string") return detail;
  if (status === 413) return "This file is too large for the server (413).";
  return `The server answered with status ${status} and gave no reason.`;
}

export function parseJson(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

export async function call(path, options = {}) {
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  const answer = await fetch(path, { signal, cache: "no-store", ...options }).catch(() => null);
  const text = await answer?.text().catch(() => null);
  if (typeof text !== "string") throw new ServiceError(0);
  const body = parseJson(text);
  if (!answer.ok || (text && !body)) throw new ServiceError(answer.status, text);
  return body;
}

// For `catch`: returns `value` if the error has one of these statuses, else throws it again.
export const allowStatuses = (statuses, value) => (error) => {
  if (statuses.includes(error.status)) return value;
  throw error;
};

const storedUser = () => parseJson(localStorage.getItem(USER));

async function createUser() {
  const headers = { "Content-Type": "application/json" };
  const body = JSON.stringify({ name: "web page" });
  const created = await call("users", { method: "POST", headers, body });
  localStorage.setItem(USER, JSON.stringify(created));
  return created;
}

async function currentUser() {
  const stored = storedUser();
  if (stored) return stored;
  pendingUser ??= createUser().finally(() => (pendingUser = null));
  return pendingUser;
}

// Removes a user that the service does not know, so that the next call creates a new one.
export async function withUser(send) {
  const user = await currentUser();
  try {
    return await send(user);
  } catch (error) {
    // Another call may have replaced the user in the meantime.
    const isStored = storedUser()?.token === user.token;
    if (error.status === 401 && isStored) localStorage.removeItem(USER);
    throw error;
  }
}

const callAsUser = (path, method) =>
  withUser(({ token }) => call(path, { method, headers: { Authorization: `Bearer ${token}` } }));

export async function listRecords(query = "") {
  const empty = { records: [], next: null };
  if (!storedUser()) return empty;
  return callAsUser(`records?limit=100${query}`, "GET").catch(allowStatuses([401], empty));
}

// Returns null if the record does not exist any more.
export const getRecord = (id) => call(`records/${id}`).catch(allowStatuses([404, 410], null));

export const deleteRecord = (id) =>
  callAsUser(`records/${id}`, "DELETE").catch(allowStatuses([401, 404, 410], null));
