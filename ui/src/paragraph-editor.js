// A paragraph while it is written in: a field for each of its segments, so that every text keeps its time.

import { announce, h, notice } from "./element.js";
import { clock, spoken } from "./format.js";

/** @import { Segment } from "../types.js" */

/** Tells with `close` that it is done; `changes` are what was written. */
export class ParagraphEditor extends HTMLElement {
  /** @type {{at: number, before: string, field: HTMLTextAreaElement}[]} */
  #fields;
  #isClosed = false;

  /** @param {{at: number, segment: Segment}[]} segments */
  constructor(segments) {
    super();
    this.#fields = segments.map(({ at, segment }) => {
      const before = segment.text.trim();
      const field = h("textarea", { rows: 1, dir: "auto", spellcheck: true, lang: document.documentElement.dataset.spoken ?? null, "aria-label": `Text at ${spoken(segment.start)}`, value: before });
      field.addEventListener("input", () => fit(field));
      return { at, before, field };
    });
    this.addEventListener("keydown", (event) => this.#pressed(event));
    this.append(
      ...this.#fields.map(({ field }, number) => h("div", { class: "line" }, h("span", { class: "moment", "aria-hidden": "true" }, clock(segments[number].segment.start)), field)),
      h(
        "div",
        { class: "editor-tools" },
        h("button", { type: "button", class: "primary small", onclick: () => this.close() }, "Done"),
        h("button", { type: "button", class: "quiet", onclick: () => this.#giveUp() }, "Cancel"),
        h("span", { class: "hint" }, "Ctrl+Enter keeps, Escape gives up; Alt+K plays, Alt+J goes back"),
      ),
    );
  }

  connectedCallback() {
    this.className = "paragraph editor";
    for (const { field } of this.#fields) fit(field);
  }

  /** @param {number} at @param {number} [letter] counted in the segment's text with its blank */
  focusOn(at, letter) {
    const found = this.#fields.find((field) => field.at === at) ?? this.#fields[0];
    found.field.focus();
    const place = Math.min(letter === undefined ? found.before.length : Math.max(0, letter - 1), found.before.length);
    found.field.setSelectionRange(place, place);
  }

  changes() {
    return this.#fields
      .filter(({ before, field }) => field.value.replace(/\s+/gu, " ").trim() !== before)
      .map(({ at, field }) => ({ at, field: /** @type {const} */ ("text"), after: field.value }));
  }

  close() {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.dispatchEvent(new Event("close"));
  }

  #giveUp() {
    const lost = this.#fields.map(({ field }) => field.value);
    const isChanged = this.changes().length > 0;
    for (const { before, field } of this.#fields) field.value = before;
    this.close();
    if (!isChanged) return;
    announce("Changes given up");
    notice("The changes were given up.", {
      label: "Keep them",
      act: () => {
        this.#fields.forEach(({ field }, number) => (field.value = lost[number]));
        this.onkeep?.(this.changes());
      },
    });
  }

  /** Called if given-up changes are wanted after all. @type {((changes: ReturnType<ParagraphEditor["changes"]>) => void) | null} */
  onkeep = null;

  /** @param {KeyboardEvent} event */
  #pressed(event) {
    if (event.key === "Escape") this.#giveUp();
    else if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) this.close();
    // A segment has no line breaks; Enter goes on to the next one.
    else if (event.key === "Enter" && !event.isComposing) {
      const number = this.#fields.findIndex(({ field }) => field === event.target);
      if (number < 0) return;
      if (number + 1 < this.#fields.length) this.#fields[number + 1].field.focus();
      else this.close();
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }
}

/** As high as its text. @param {HTMLTextAreaElement} field */
function fit(field) {
  field.style.height = "auto";
  field.style.height = `${field.scrollHeight}px`;
}

customElements.define("paragraph-editor", ParagraphEditor);
