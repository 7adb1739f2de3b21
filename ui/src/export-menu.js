// Taking a transcript away, in every format that the server writes.

import { written } from "./api.js";
import { h, icon, notice } from "./element.js";
import { stem } from "./format.js";

/** @import { Result } from "../types.js" */

/** What they are called, what they are for, and how the file ends. @type {[string, string, string, string][]} */
const FORMATS = [
  ["text", "Plain text", "The words and nothing else", "txt"],
  ["srt", "SubRip", "Subtitles for most players", "srt"],
  ["vtt", "WebVTT", "Subtitles for the web", "vtt"],
  ["ass", "Advanced SubStation", "Subtitles with words that light up", "ass"],
  ["verbose_json", "JSON, everything", "Segments, words and times", "json"],
  ["json", "JSON, text only", "As OpenAI's interface has it", "json"],
  ["csv", "CSV", "For spreadsheets", "csv"],
  ["tsv", "TSV", "For spreadsheets, with tabs", "tsv"],
  ["lrc", "Lyrics", "For music players", "lrc"],
  ["aud", "Labels for Audacity", "Start, end and text", "txt"],
];

export class ExportMenu extends HTMLElement {
  #details = h("details", { class: "menu" });

  /** @param {string} id @param {string} name @param {() => Result | null} edited null if it is as the server wrote it */
  constructor(id, name, edited) {
    super();
    this.#details.append(
      h("summary", { class: "button" }, icon("save"), h("span", {}, "Export")),
      h(
        "ul",
        { class: "menu-list" },
        ...FORMATS.map(([format, title, about, ending]) =>
          h(
            "li",
            {},
            h(
              "button",
              { type: "button", "data-format": format, onclick: () => this.#save(id, `${stem(name)}.${ending}`, format, edited) },
              h("span", { class: "menu-title" }, title, h("code", {}, `.${ending}`)),
              h("span", { class: "hint" }, about),
            ),
          ),
        ),
      ),
    );
    this.addEventListener("keydown", (event) => this.#pressed(event));
  }

  connectedCallback() {
    this.append(this.#details);
    document.addEventListener("pointerdown", this.#outside);
  }

  disconnectedCallback() {
    document.removeEventListener("pointerdown", this.#outside);
  }

  /** @param {Event} event */
  #outside = (event) => {
    if (!this.contains(/** @type {Node} */ (event.target))) this.#details.open = false;
  };

  /** @param {KeyboardEvent} event */
  #pressed(event) {
    if (!this.#details.open) return;
    const buttons = [...this.querySelectorAll("button")];
    const at = buttons.indexOf(/** @type {HTMLButtonElement} */ (document.activeElement));
    if (event.key === "Escape") {
      this.#details.open = false;
      this.querySelector("summary")?.focus();
    } else if (event.key === "ArrowDown") buttons[Math.min(at + 1, buttons.length - 1)].focus();
    else if (event.key === "ArrowUp") buttons[Math.max(at - 1, 0)].focus();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  /** @param {string} id @param {string} file @param {string} format @param {() => Result | null} edited */
  async #save(id, file, format, edited) {
    this.#details.open = false;
    this.querySelector("summary")?.focus();
    try {
      const url = URL.createObjectURL(await written(id, format, edited()));
      h("a", { href: url, download: file }).click();
      setTimeout(() => URL.revokeObjectURL(url), 60_000);
      notice(`${file} was saved.`);
    } catch (error) {
      notice(`It could not be exported: ${error instanceof Error ? error.message : error}`);
    }
  }
}

customElements.define("export-menu", ExportMenu);

/** @param {string} text */
export async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Not on a secure page: the old way.
    const field = h("textarea", { class: "unseen", value: text });
    document.body.append(field);
    field.select();
    document.execCommand("copy");
    field.remove();
  }
  notice("The text is in the clipboard.");
}
