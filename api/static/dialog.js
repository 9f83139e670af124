// Modal dialogs. The browser keeps the focus inside, closes them on Escape, and gives the focus back.

import { element } from "./dom.js";
import { t } from "./i18n.js";

// Resolves to the value of the button that closed the dialog, or to "" for Escape.
export function ask({ title, content = [], buttons, className = "" }) {
  const heading = element("h2", { textContent: title, id: `dialog-${Date.now()}` });
  const answers = buttons.map(({ value, text, isMain = false, ...others }) =>
    element("button", { value, textContent: text, className: isMain ? "main" : "", ...others }),
  );
  const actions = element("div", { className: "answers" }, ...answers);
  // Else an empty field of the token keeps Cancel from closing the dialog.
  const form = element("form", { method: "dialog", noValidate: true }, heading, ...content, actions);
  const dialog = element("dialog", { className }, form);
  dialog.setAttribute("aria-labelledby", heading.id);
  // The first field submits its form with the first button. But Enter must choose the main one.
  form.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !event.target.matches("input")) return;
    event.preventDefault();
    form.querySelector("button.main")?.click();
  });
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.onclose = () => {
      dialog.remove();
      resolve(dialog.returnValue);
    };
  });
}

export const closeButton = () => ({ value: "", text: t("close") });
