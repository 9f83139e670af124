// Keys for the whole page: space plays and pauses, the left and right arrows seek, Ctrl+Z undoes a deletion.

import { isLoaded, seekBy, toggle } from "./player.js";
import { undoLast } from "./undo.js";

const STEP_S = 5;
const FIELDS = "input, select, textarea, [role=menu], dialog";
const CONTROLS = "button, a, summary";

export function startKeys() {
  addEventListener("keydown", (event) => {
    const { key, target, ctrlKey, metaKey, altKey, shiftKey } = event;
    if (altKey || target.closest(FIELDS)) return;
    if ((ctrlKey || metaKey) && !shiftKey && key === "z" && undoLast()) event.preventDefault();
    if (!isLoaded() || ctrlKey || metaKey) return;
    if (key === " " && !target.closest(CONTROLS)) toggle();
    else if (key === "ArrowLeft") seekBy(-STEP_S);
    else if (key === "ArrowRight") seekBy(STEP_S);
    else return;
    event.preventDefault();
  });
}
