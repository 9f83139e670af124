// Learns from the service's own description which calls and parameters it has.

import { call } from "./service.js";

const description = call("openapi.json").catch(() => null);

export async function hasCall(path) {
  return Boolean((await description)?.paths[path]);
}

export async function hasOption(name) {
  const parameters = (await description)?.paths["/record"]?.post?.parameters ?? [];
  return parameters.some((parameter) => parameter.name === name);
}

// Returns true if only the operator creates users: the call then has a security scheme.
export async function isRegistrationClosed() {
  return Boolean((await description)?.paths["/users"]?.post?.security);
}
