// Short names for the calls of the DOM that the page repeats.

export const find = (selector, parent = document) => parent.querySelector(selector);

export function element(tag, properties = {}, ...children) {
  const { data = {}, ...others } = properties;
  const created = Object.assign(document.createElement(tag), others);
  Object.assign(created.dataset, data);
  created.append(...children);
  return created;
}

export function setText(target, text) {
  if (target.textContent !== text) target.textContent = text;
}

export function setIcon(button, name) {
  const use = find("use", button);
  const href = `#icon-${name}`;
  if (use.getAttribute("href") !== href) use.setAttribute("href", href);
}

// Names a control for screen readers and as its tooltip.
export function setLabel(target, label) {
  if (target.ariaLabel === label) return;
  target.ariaLabel = label;
  target.title = label;
}
