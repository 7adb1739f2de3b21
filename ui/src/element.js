// Making elements. Text only ever becomes text nodes, so nothing that a server or a file says can become markup.

const SVG = "http://www.w3.org/2000/svg";

/** @typedef {Node | string | null | undefined | false} Child */

/**
 * @template {keyof HTMLElementTagNameMap} Name
 * @param {Name} name
 * @param {Record<string, unknown>} [attributes] functions become listeners, booleans attributes without a value
 * @param {...Child} children
 * @returns {HTMLElementTagNameMap[Name]}
 */
export function h(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(key.replace(/^on/, ""), /** @type {EventListener} */ (value));
    else if (key === "value") /** @type {any} */ (element).value = value;
    else if (value === true) element.setAttribute(key, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(key, String(value));
  }
  element.append(...present(children));
  return element;
}

/** @param {Child[]} children @returns {(Node | string)[]} */
export function present(children) {
  return /** @type {(Node | string)[]} */ (children.filter((child) => child !== null && child !== undefined && child !== false));
}

/** A picture that says nothing to a screen reader. @param {string} name */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `icons.svg#${name}`);
  svg.append(use);
  return svg;
}

/**
 * A button with a picture and, unless it is bare, its name beside it.
 * @param {string} picture
 * @param {string} name
 * @param {(event: MouseEvent) => void} onclick
 * @param {{bare?: boolean, class?: string, title?: string}} [more]
 */
export function iconButton(picture, name, onclick, more = {}) {
  const { bare = false, class: classes = "", title = bare ? name : undefined } = more;
  return h(
    "button",
    { type: "button", class: `${bare ? "bare" : ""} ${classes}`.trim() || null, title, "aria-label": bare ? name : null, onclick },
    icon(picture),
    bare ? null : h("span", {}, name),
  );
}

/** Says something to screen readers only. @param {string} text */
export function announce(text) {
  const place = document.getElementById("announcer");
  if (!place) return;
  place.textContent = "";
  // The same sentence twice is read twice only if it was gone between.
  setTimeout(() => {
    place.textContent = text;
  }, 50);
}

/**
 * Shows something for a while, with at most one thing to do about it.
 * @param {string} text
 * @param {{label: string, act: () => void}} [action]
 */
export function notice(text, action) {
  const place = document.getElementById("notices");
  if (!place) return;
  const box = h("div", { class: "notice" }, h("span", {}, text));
  if (action) {
    box.append(
      h("button", { type: "button", class: "quiet", onclick: () => (action.act(), box.remove()) }, action.label),
    );
  }
  place.replaceChildren(box);
  const leave = () => {
    // Not while it is being read or about to be pressed.
    if (box.matches(":hover") || box.contains(document.activeElement)) setTimeout(leave, 2000);
    else box.remove();
  };
  setTimeout(leave, action ? 9000 : 5000);
}
