// Sentences for the person: a visible notice for trouble, and announcements for screen readers.

import { find, setText } from "./dom.js";

const notice = find("#notice");
const announcement = find("#announcement");

export function showNotice(text = "") {
  setText(notice, text);
  notice.hidden = !text;
}

export function announce(text) {
  announcement.textContent = text;
}
