// One menu for all rows. The browser closes it on Escape and on a click elsewhere.

import { element, find } from "./dom.js";

const MARGIN_PX = 8;
const menu = find("#menu");
let opener = null;

// `items` are {text, action}; an item without an action only explains.
export function openMenu(button, items) {
  opener = button;
  menu.replaceChildren(...items.map(item));
  menu.showPopover();
  const from = button.getBoundingClientRect();
  const { offsetWidth: width, offsetHeight: height } = menu;
  const fitsBelow = from.bottom + height + MARGIN_PX < window.innerHeight;
  menu.style.left = `${Math.max(MARGIN_PX, from.right - width)}px`;
  menu.style.top = `${fitsBelow ? from.bottom : Math.max(MARGIN_PX, from.top - height)}px`;
  button.ariaExpanded = "true";
  find("[role=menuitem]", menu).focus();
}

function item({ text, action, isDangerous = false }) {
  const button = element("button", { type: "button", role: "menuitem", tabIndex: -1, textContent: text });
  button.className = isDangerous ? "dangerous" : "";
  button.ariaDisabled = String(!action);
  button.onclick = () => {
    if (!action) return;
    menu.hidePopover();
    action();
  };
  return button;
}

function move(event) {
  const items = [...menu.children];
  const at = items.indexOf(document.activeElement);
  const next = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: -1 }[event.key];
  if (event.key === "Tab") menu.hidePopover();
  if (next === undefined) return;
  event.preventDefault();
  event.stopPropagation();
  items.at(next % items.length).focus();
}

export function startMenu() {
  menu.addEventListener("keydown", move);
  menu.addEventListener("toggle", ({ newState }) => {
    if (newState === "open") return;
    opener.ariaExpanded = "false";
    if (document.activeElement === document.body) opener.focus({ preventScroll: true });
  });
}
