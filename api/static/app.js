// Starts the page.

import { startActions } from "./actions.js";
import { startBar } from "./bar.js";
import { find } from "./dom.js";
import { startDropping } from "./dropping.js";
import { startFollowing } from "./follow.js";
import { language, rememberTexts, translate } from "./i18n.js";
import { learnLimits } from "./intake.js";
import { startKeys } from "./keys.js";
import { startMenu } from "./menu.js";
import { startOptions } from "./options.js";
import { startPlayer } from "./player.js";
import { showPresets } from "./presets.js";
import { startProgress } from "./progress.js";
import { askIfClosed, showToken } from "./token.js";
import { startUploading } from "./uploads.js";

document.documentElement.lang = language;
translate(document.body);
rememberTexts();
find("#loading").remove();
document.documentElement.classList.remove("starting");
find("#presets").onclick = showPresets;
find("#token").onclick = showToken;
find("#enter-token").onclick = askIfClosed;
startOptions();
startDropping();
startMenu();
startActions();
startPlayer();
startKeys();
startProgress();
startBar();
startUploading();
startFollowing();
learnLimits();
askIfClosed();
