// The dialog for the user id and the token: show and copy them, or enter those of another browser.

import { copy } from "./clipboard.js";
import { element, find } from "./dom.js";
import { ask, closeButton } from "./dialog.js";
import { isRegistrationClosed } from "./features.js";
import { startAgain } from "./follow.js";
import { t } from "./i18n.js";
import { parseJson } from "./service.js";
import { isKnown, onRegistrationClosed, onUserRemoved, storeUser, storedUser } from "./user.js";

const closed = find("#closed");
const MASK = "•".repeat(32);
let asking = null;
const ID = /^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/i;

// Reads "id:token", or the JSON in which the service answers to `POST /users`.
function parsePair(text) {
  const json = parseJson(text);
  if (json?.id && json.token) return json;
  const [id, token] = text.trim().split(/[:\s]+/);
  return ID.test(id) && token ? { id, token } : null;
}

function inputs() {
  const properties = { autocomplete: "off", spellcheck: false, required: true };
  const id = element("input", { name: "user-id", ...properties });
  const token = element("input", { name: "user-token", type: "password", ...properties });
  for (const input of [id, token]) {
    input.addEventListener("paste", (event) => {
      const pair = parsePair(event.clipboardData.getData("text"));
      if (!pair) return;
      event.preventDefault();
      id.value = pair.id;
      token.value = pair.token;
    });
  }
  return { id, token };
}

// The button that checks the fields, and closes the dialog if the service knows the user.
function useButton({ id, token }, error, accepted) {
  const button = element("button", { type: "button", className: "main", textContent: t("useToken") });
  button.onclick = async () => {
    const user = { id: id.value.trim(), token: token.value.trim() };
    const problem = await isKnown(user).then((isRight) => (isRight ? "" : t("wrongToken")), ({ message }) => message);
    error.textContent = problem;
    if (problem) return id.focus();
    accepted(user);
    closed.hidden = true;
    return button.closest("dialog").close("used");
  };
  return button;
}

function entryFields(accepted) {
  const fields = inputs();
  const error = element("p", { className: "text error", role: "alert" });
  return [
    element("label", { className: "field" }, t("userId"), fields.id),
    element("label", { className: "field" }, t("userToken"), fields.token),
    error,
    element("p", { className: "text" }, useButton(fields, error, accepted)),
  ];
}

function ownToken({ id, token }) {
  const pair = `${id}:${token}`;
  const shown = element("input", { readOnly: true, value: MASK });
  const show = element("button", { type: "button", textContent: t("show") });
  show.onclick = () => {
    const isHidden = shown.value === MASK;
    shown.value = isHidden ? pair : MASK;
    show.textContent = t(isHidden ? "hide" : "show");
  };
  const copied = element("button", { type: "button", textContent: t("copy") });
  copied.onclick = async () => {
    await copy(pair);
    copied.textContent = t("copied");
  };
  const row = element("span", { className: "row" }, shown, show, copied);
  return [
    element("p", { className: "text", textContent: t("tokenText") }),
    element("label", { className: "field" }, t("yourToken"), row),
  ];
}

export function showToken() {
  const user = storedUser();
  const own = user ? ownToken(user) : [element("p", { className: "text", textContent: t("noToken") })];
  const other = entryFields((entered) => {
    storeUser(entered);
    startAgain();
  });
  return ask({
    title: t("token"),
    className: "wide",
    content: [...own, element("h3", { textContent: t("otherToken") }), ...other],
    buttons: [closeButton()],
  });
}

// Asks only once at a time, because several calls may need a user.
const askForUser = () => (asking ??= askNow().finally(() => (asking = null)));

async function askNow() {
  let entered = null;
  await ask({
    title: t("registrationClosed"),
    className: "wide",
    content: [
      element("p", { className: "text", textContent: t("registrationClosedText") }),
      ...entryFields((user) => (entered = user)),
    ],
    buttons: [{ value: "", text: t("cancel") }],
  });
  return entered;
}

// Asks for a user at the start if only the operator creates users.
export async function askIfClosed() {
  if (storedUser() || !(await isRegistrationClosed())) return;
  closed.hidden = false;
  const entered = await askForUser();
  if (!entered) return;
  storeUser(entered);
  startAgain();
}

onRegistrationClosed(askForUser);
onUserRemoved(askIfClosed);
