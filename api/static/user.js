// The user of this browser: created at the first upload, or entered by hand.

import { ServiceError, call, parseJson } from "./service.js";

const USER = "wav2mp3.user";
const CLOSED = "registration_closed";
let pendingUser = null;
let askForUser = null;
let tellRemoved = null;

export const storedUser = () => parseJson(localStorage.getItem(USER));
export const storeUser = ({ id, token }) => localStorage.setItem(USER, JSON.stringify({ id, token }));
// `ask` is called if only the operator creates users. It resolves to a user, or to null if the person enters none.
export const onRegistrationClosed = (ask) => (askForUser = ask);
// `tell` is called when the service does not know the stored user any more.
export const onUserRemoved = (tell) => (tellRemoved = tell);

async function createUser() {
  const headers = { "Content-Type": "application/json" };
  const body = JSON.stringify({ name: "web page" });
  try {
    storeUser(await call("users", { method: "POST", headers, body }));
  } catch (error) {
    const user = error.code === CLOSED ? await askForUser() : null;
    if (!user) throw error;
    storeUser(user);
  }
  return storedUser();
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
    if (error.status === 401 && isStored) removeUser();
    throw error;
  }
}

function removeUser() {
  localStorage.removeItem(USER);
  tellRemoved();
}

const authorization = ({ token }) => ({ Authorization: `Bearer ${token}` });

export const callAsUser = (path, options = {}) =>
  withUser((user) => call(path, { ...options, headers: authorization(user) }));

// The headers for a call that needs no user, except that links may expire.
export function ownCredentials() {
  const user = storedUser();
  return user ? authorization(user) : {};
}

// Returns whether the service knows this user.
export async function isKnown(user) {
  try {
    await call(`records?limit=1&user_id=${encodeURIComponent(user.id)}`, { headers: authorization(user) });
    return true;
  } catch (error) {
    if (error instanceof ServiceError && [400, 401, 422].includes(error.status)) return false;
    throw error;
  }
}
