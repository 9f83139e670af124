// The buttons and the menu of a row.

import { copy } from "./clipboard.js";
import { showDetails } from "./details.js";
import { isActive } from "./entries.js";
import { t } from "./i18n.js";
import { onRowClick } from "./list.js";
import { openMenu } from "./menu.js";
import { play, toggle } from "./player.js";
import { retry, retryWithOptions } from "./retry.js";
import { canRetry } from "./row.js";
import { deleteWithUndo, showBriefly } from "./undo.js";
import { cancelUpload } from "./uploads.js";
import { storedUser } from "./user.js";

function remove(entry) {
  if (isActive(entry) && !entry.id) cancelUpload(entry);
  deleteWithUndo([entry]);
}

async function copyLink({ name, record }) {
  await copy(record.download_link);
  showBriefly(t("linkCopied", { name }));
}

// An upload asks for a token if the service creates no users.
const needsToken = ({ code }) => code === "registration_closed" && !storedUser();

function menuItems(entry) {
  const items = [];
  if (entry.status === "done") items.push({ text: t("copyLink"), action: () => copyLink(entry) });
  if (canRetry(entry)) items.push({ text: t(needsToken(entry) ? "enterToken" : "tryAgain"), action: () => retry(entry) });
  if (canRetry(entry) || (entry.status === "done" && entry.file)) {
    items.push({ text: t("convertAgainMenu"), action: () => retryWithOptions(entry) });
  } else if (entry.status === "done") {
    items.push({ text: t("convertAgainGone") });
  }
  items.push({ text: t("details"), action: () => showDetails(entry) });
  const text = t(isActive(entry) ? "cancel" : "delete");
  return [...items, { text, isDangerous: true, action: () => remove(entry) }];
}

function playFrom(entry, canvas, { offsetX }) {
  if (entry.status === "done") play(entry, Math.max(0, Math.min(1, offsetX / canvas.clientWidth)));
}

export function startActions() {
  onRowClick("play", (entry) => toggle(entry));
  onRowClick("waveform", playFrom);
  onRowClick("copy", copyLink);
  onRowClick("delete", remove);
  onRowClick("cancel", remove);
  onRowClick("retry", (entry) => retry(entry));
  onRowClick("warning", showDetails);
  onRowClick("more", (entry, button) => openMenu(button, menuItems(entry)));
}
