// Calls the service. Every failed call throws a `ServiceError`.

import { t } from "./i18n.js";

const TIMEOUT_MS = 15_000;

// Its message is a sentence for a person. Its status is 0 if there was no answer.
export class ServiceError extends Error {
  constructor(status, text = "", retryAfter = null) {
    const problem = parseJson(text);
    super(errorMessage(status, problem));
    this.status = status;
    this.code = problem?.code ?? null;
    this.recordId = problem?.record_id ?? null;
    this.retryAfter_s = retryAfter === null ? null : Number(retryAfter);
  }
}

function errorMessage(status, problem) {
  if (!status) return t("unreachable");
  // An answer without JSON comes from a proxy, not from the service.
  if (typeof problem?.detail === "string") return problem.detail;
  return t(status === 413 ? "tooLargeForProxy" : "noReason", { status: String(status) });
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
  if (!answer.ok || (text && !body)) {
    throw new ServiceError(answer.status, text, answer.headers.get("Retry-After"));
  }
  return body;
}

// For `catch`: returns `value` if the error has one of these statuses, else throws it again.
export const allowStatuses = (statuses, value) => (error) => {
  if (statuses.includes(error.status)) return value;
  throw error;
};
