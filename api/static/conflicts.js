// Asks about a file whose name is taken: replace the record, keep both, or skip the file.

import { element } from "./dom.js";
import { ask } from "./dialog.js";
import { t } from "./i18n.js";

let answerForAll = null;
let queue = Promise.resolve();

// A new batch of files asks again.
export const forgetAnswer = () => (answerForAll = null);

// Resolves to "replace", "rename" or "skip". `others` is the number of further taken names, if it is known.
export function resolveConflict(name, others = 0, isLast = false) {
  queue = queue.then(() => answerForAll ?? askAbout(name, others, isLast));
  return queue;
}

async function askAbout(name, others, isLast) {
  const forAll = element("input", { type: "checkbox", name: "all" });
  const label = others ? t("sameForOthers", { count: others }) : t("sameForAll");
  const answer = await ask({
    title: t("nameTaken"),
    content: [
      element("p", { textContent: t("nameTakenText", { name }), className: "text" }),
      ...(isLast ? [] : [element("label", { className: "check" }, forAll, label)]),
    ],
    buttons: [
      { value: "skip", text: t("skip") },
      { value: "replace", text: t("replace") },
      { value: "rename", text: t("keepBoth"), isMain: true, autofocus: true },
    ],
  });
  if (answer && forAll.checked) answerForAll = answer;
  return answer || "skip";
}
