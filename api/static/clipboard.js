// Copies a text. `navigator.clipboard` exists on HTTPS and localhost only.

import { element } from "./dom.js";

export async function copy(text) {
  if (navigator.clipboard) {
    const isCopied = await navigator.clipboard.writeText(text).then(() => true, () => false);
    if (isCopied) return;
  }
  const focused = document.activeElement;
  const field = element("textarea", { value: text, className: "visually-hidden" });
  // A modal dialog lets nothing outside be selected.
  (document.querySelector("dialog[open]") ?? document.body).append(field);
  field.select();
  document.execCommand("copy");
  field.remove();
  focused?.focus();
}
