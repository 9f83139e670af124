// Shows the progress of the batch outside of the page: in the title, the favicon and a notification.

import { element, find } from "./dom.js";
import { formatPercent } from "./format.js";
import { t } from "./i18n.js";

const NAME = "wav2mp3";
const SIZE_PX = 32;
const favicon = find("#favicon");
const idleIcon = favicon.href;
const notify = find("#notify");
let wasActive = false;
let shownPercent = null;

export function showProgress({ active, batchDone, batchFailed, fraction }) {
  const isBusy = active.length > 0;
  const percent = formatPercent(fraction);
  document.title = isBusy ? `${percent} · ${NAME}` : NAME;
  if (shownPercent !== (isBusy ? percent : null)) {
    shownPercent = isBusy ? percent : null;
    showIcon(isBusy ? drawIcon(fraction) : idleIcon);
  }
  notify.hidden = !isBusy || globalThis.Notification?.permission !== "default";
  if (wasActive && !isBusy && document.hidden) tell(batchDone.length, batchFailed.length);
  wasActive = isBusy;
}

// Some browsers show a new icon only if the element is also new.
function showIcon(href) {
  const type = href.startsWith("data:") ? "image/png" : "image/svg+xml";
  find("#favicon").replaceWith(element("link", { id: "favicon", rel: "icon", type, href }));
}

function drawIcon(fraction) {
  const canvas = element("canvas", { width: SIZE_PX, height: SIZE_PX });
  const context = canvas.getContext("2d");
  const half = SIZE_PX / 2;
  const draw = (color, part) => {
    context.fillStyle = color;
    context.beginPath();
    context.moveTo(half, half);
    context.arc(half, half, half - 1, -Math.PI / 2, -Math.PI / 2 + 2 * Math.PI * part);
    context.fill();
  };
  draw("#c9c7be", 1);
  draw("#c2410c", Math.max(0.03, fraction));
  return canvas.toDataURL();
}

function tell(done, failed) {
  if (globalThis.Notification?.permission !== "granted") return;
  const parts = [t("filesDone", { count: done })];
  if (failed) parts.push(t("failedFiles", { count: failed }));
  const notification = new Notification(NAME, { body: parts.join(" · "), tag: NAME });
  notification.onclick = () => window.focus();
}

export function startProgress() {
  notify.onclick = async () => {
    await Notification.requestPermission();
    notify.hidden = true;
  };
}
