// Loads the page again if its scripts did not arrive. It is no module, so it works without them.

const RELOADS = "wav2mp3.reloads";
const MAX_PAUSE_S = 30;
const root = document.documentElement;
let isRecovering = false;

const isStarting = () => root.classList.contains("starting");

const pause = (seconds) =>
  new Promise((resolve) => {
    setTimeout(resolve, 1000 * seconds);
    addEventListener("online", resolve, { once: true });
  });

// A reload without the service would end at an error page of the browser, which has no scripts.
const doesAnswer = () => fetch(location.href, { cache: "no-store" }).then(({ ok }) => ok, () => false);

async function recover() {
  if (isRecovering || !isStarting()) return;
  isRecovering = true;
  document.querySelector("#loading .slow").hidden = true;
  document.querySelector("#loading .lost").hidden = false;
  const reloads = Number(sessionStorage.getItem(RELOADS));
  let attempt = reloads;
  do {
    await pause(Math.min(MAX_PAUSE_S, 2 ** attempt));
    attempt += 1;
  } while (!(await doesAnswer()));
  if (!isStarting()) return;
  sessionStorage.setItem(RELOADS, reloads + 1);
  location.reload();
}

document.querySelector("script[type=module]").addEventListener("error", recover);
// A module that runs already loads the language. Its failure is an error of the window.
addEventListener("error", recover);
addEventListener("unhandledrejection", recover);
// The next failure after a start is a new one.
new MutationObserver(() => isStarting() || sessionStorage.removeItem(RELOADS)).observe(root, { attributeFilter: ["class"] });

// In the language of the last start.
function showTexts({ language, ...texts }) {
  const loading = document.querySelector("#loading");
  loading.lang = language;
  for (const element of loading.querySelectorAll("[data-text]")) {
    element.textContent = texts[element.dataset.text] ?? element.textContent;
  }
}

showTexts(JSON.parse(localStorage.getItem("wav2mp3.loading")) ?? { language: "en" });
