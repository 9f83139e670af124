// The calls of the service about records.

import { allowStatuses } from "./service.js";
import { callAsUser, storedUser } from "./user.js";

export const PAGE = 100;

// Returns one page of records, newest first, of those that are older than `before`.
export async function listRecords(before = null) {
  const empty = { records: [], next: null };
  if (!storedUser()) return empty;
  const query = before ? `&before=${before}` : "";
  return callAsUser(`records?limit=${PAGE}${query}`).catch(allowStatuses([401], empty));
}

export const deleteRecord = (id) =>
  callAsUser(`records/${id}`, { method: "DELETE", keepalive: true }).catch(
    allowStatuses([401, 404, 410], null),
  );

export const convertAgain = (id, options) =>
  callAsUser(`records/${id}/retry${options && `?${options}`}`, { method: "POST" });

// Relative, because a link to another host name navigates instead, and `beforeunload` would ask.
export const downloadPath = (link) => `record${new URL(link).search}`;

export function zipPath() {
  const { id, token } = storedUser();
  return `records.zip?${new URLSearchParams({ user_id: id, token })}`;
}
