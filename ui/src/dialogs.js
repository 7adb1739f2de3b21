// What is asked in a window of its own. Each resolves when it is closed.

import { h } from "./element.js";
import { recall, remember } from "./storage.js";
import { SHORTCUTS } from "./shortcuts.js";

let number = 0;

/**
 * @param {string} title
 * @param {(Node | string | false)[]} content
 * @param {(Node | string | false)[]} buttons
 * @param {string} [className]
 * @returns {Promise<string>} the value of the button that closed it, empty if it was given up
 */
function open(title, content, buttons, className = "") {
  const id = `dialog-${(number += 1)}`;
  const form = h("form", { method: "dialog" }, h("h2", { id }, title), ...content, h("div", { class: "dialog-buttons" }, ...buttons));
  const dialog = h("dialog", { "aria-labelledby": id, class: className }, form);
  document.body.append(dialog);
  const before = document.activeElement;
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      if (before instanceof HTMLElement && before.isConnected) before.focus({ preventScroll: true });
      resolve(dialog.returnValue);
    });
    dialog.addEventListener("click", (event) => {
      if (event.target === dialog) dialog.close("");
    });
    dialog.showModal();
  });
}

/** Not one that sends the form: Enter in a field would press it, being the first. */
const giveUp = (label = "Cancel") =>
  h("button", { type: "button", onclick: (/** @type {Event} */ { target }) => /** @type {HTMLElement} */ (target).closest("dialog")?.close("") }, label);

/** @param {string} title @param {string} text @param {string} yes what will be done */
export async function confirmed(title, text, yes) {
  const answer = await open(title, [h("p", {}, text)], [giveUp("Keep"), h("button", { value: "yes", class: "danger" }, yes)]);
  return answer === "yes";
}

/** @param {boolean} wasRefused */
export async function askForKey(wasRefused) {
  const field = h("input", { type: "password", name: "key", required: true, autocomplete: "current-password", id: "key", autofocus: true, spellcheck: "false" });
  const keep = h("input", { type: "checkbox", id: "keep-key" });
  const answer = await open(
    "A key is needed",
    [
      h("p", {}, wasRefused ? "The server did not take that key." : "This server answers only those who have a key. Whoever runs it gives them out."),
      h("label", { for: "key" }, "Key"),
      field,
      h("label", { class: "check" }, keep, h("span", {}, "Remember it in this browser")),
      !keep.checked && h("p", { class: "hint" }, "If not, it is forgotten when this tab is closed."),
    ],
    [giveUp(), h("button", { value: "yes", class: "primary" }, "Use this key")],
  );
  const key = field.value.trim();
  return answer === "yes" && key ? { key, remember: keep.checked } : null;
}

/** @param {string} name @returns {Promise<{name: string, everywhere: boolean} | null>} */
export async function askForSpeaker(name) {
  const field = h("input", { type: "text", id: "speaker-name", value: name, autofocus: true, autocomplete: "off" });
  const only = h("input", { type: "checkbox" });
  const answer = await open(
    "Who is speaking",
    [h("label", { for: "speaker-name" }, "Name"), field, h("label", { class: "check" }, only, h("span", {}, "Only in this paragraph"))],
    [giveUp(), h("button", { value: "yes", class: "primary" }, "Rename")],
  );
  return answer === "yes" ? { name: field.value, everywhere: !only.checked } : null;
}

export function showHelp() {
  const single = h("input", { type: "checkbox" });
  single.checked = recall("shortcuts") !== false;
  single.addEventListener("change", () => remember("shortcuts", single.checked));
  const groups = Object.entries(SHORTCUTS).map(([title, keys]) =>
    h(
      "section",
      {},
      h("h3", {}, title),
      h("dl", { class: "keys" }, ...keys.map(([key, what]) => h("div", {}, h("dt", {}, ...key.split(" ").map((part) => h("kbd", {}, part))), h("dd", {}, what)))),
    ),
  );
  return open(
    "Keyboard",
    [h("div", { class: "key-groups" }, ...groups), h("label", { class: "check" }, single, h("span", {}, "Single keys are shortcuts"))],
    [h("button", { value: "", class: "primary", autofocus: true }, "Close")],
    "wide",
  );
}
