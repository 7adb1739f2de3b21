// Searching in a transcript, and replacing. Matches are drawn over the text, which stays as it is.

import { announce, h, icon, iconButton, notice } from "./element.js";
import { count } from "./format.js";

/** @import { Transcript } from "./transcript.js" */
/** @import { TranscriptText } from "./transcript-text.js" */

/** @typedef {{at: number, letter: number, endAt: number, endLetter: number}} Match */

export class FindBar extends HTMLElement {
  /** @type {Match[]} */
  #matches = [];
  #current = -1;
  #soon = 0;
  #count = h("span", { class: "find-count", "aria-live": "polite" });
  #field = h("input", { type: "search", placeholder: "Search the text", "aria-label": "Search the text", autocomplete: "off", spellcheck: "false" });
  #by = h("input", { type: "text", placeholder: "Replace by", "aria-label": "Replace by", autocomplete: "off" });

  /** @param {Transcript} transcript @param {TranscriptText} text */
  constructor(transcript, text) {
    super();
    this.transcript = transcript;
    this.text = text;
    this.#field.addEventListener("input", () => {
      clearTimeout(this.#soon);
      this.#soon = window.setTimeout(() => this.#search(true), this.transcript.segments.length > 500 ? 150 : 0);
    });
    this.addEventListener("keydown", (event) => this.#pressed(event));
    this.append(
      h(
        "div",
        { class: "find-row" },
        icon("search"),
        this.#field,
        this.#count,
        iconButton("up", "Previous match", () => this.move(-1), { bare: true }),
        iconButton("down", "Next match", () => this.move(1), { bare: true }),
        iconButton("close", "Close the search", () => this.close(), { bare: true }),
      ),
      h(
        "details",
        {},
        h("summary", {}, "Replace"),
        h(
          "div",
          { class: "find-row" },
          this.#by,
          h("button", { type: "button", class: "quiet", onclick: () => this.#replace(false) }, "Replace"),
          h("button", { type: "button", class: "quiet", onclick: () => this.#replace(true) }, "All"),
        ),
      ),
    );
  }

  connectedCallback() {
    this.className = "find";
    this.setAttribute("role", "search");
    this.setAttribute("aria-label", "In this transcript");
  }

  disconnectedCallback() {
    this.#draw();
  }

  open() {
    const marked = getSelection()?.toString().trim() ?? "";
    this.hidden = false;
    if (marked && marked.length < 80) this.#field.value = marked;
    this.#field.focus();
    this.#field.select();
    this.#search(true);
  }

  close() {
    this.hidden = true;
    this.#draw();
    this.dispatchEvent(new Event("close"));
  }

  /** The text is not what it was. */
  refresh() {
    if (!this.hidden) this.#search(false);
  }

  /** @param {1 | -1} direction */
  move(direction) {
    if (this.#matches.length === 0) return;
    this.#current = (this.#current + direction + this.#matches.length) % this.#matches.length;
    this.#show();
  }

  /** @param {boolean} isNew */
  #search(isNew) {
    const wanted = fold(this.#field.value);
    const segments = this.transcript.segments;
    const whole = fold(segments.map(({ text }) => text).join(""));
    // Matches come in order, so the segments are gone through once.
    let [at, start] = [0, 0];
    const place = (/** @type {number} */ letter, /** @type {boolean} */ isEnd) => {
      while (at < segments.length - 1 && letter - start >= segments[at].text.length + (isEnd ? 1 : 0)) start += segments[at++].text.length;
      return { at, letter: letter - start };
    };
    this.#matches = [];
    for (let found = wanted ? whole.indexOf(wanted) : -1; found >= 0; found = whole.indexOf(wanted, found + wanted.length)) {
      const [from, to] = [place(found, false), place(found + wanted.length, true)];
      this.#matches.push({ at: from.at, letter: from.letter, endAt: to.at, endLetter: to.letter });
    }
    if (isNew) this.#current = 0;
    this.#current = Math.min(this.#current, this.#matches.length - 1);
    if (this.#current < 0 && this.#matches.length > 0) this.#current = 0;
    this.#show(isNew);
  }

  #show(reveals = true) {
    const isEmpty = this.#field.value === "";
    this.#count.textContent = isEmpty ? "" : this.#matches.length === 0 ? "none" : `${this.#current + 1} of ${this.#matches.length}`;
    this.classList.toggle("nothing", !isEmpty && this.#matches.length === 0);
    const now = this.#draw();
    if (now && reveals) {
      this.text.isFollowing = false;
      this.text.dispatchEvent(new Event("follow"));
      const element = now.startContainer.parentElement;
      if (element) this.text.reveal(element);
    }
  }

  /** @returns {Range | null} the one that is looked at */
  #draw() {
    const isShown = !this.hidden && this.isConnected;
    /** @type {Range[]} */
    const ranges = [];
    /** @type {Range | null} */
    let now = null;
    this.#matches.forEach((match, number) => {
      if (!isShown) return;
      const from = this.text.point(match.at, match.letter);
      const to = this.text.point(match.endAt, match.endLetter);
      if (!from || !to) return;
      const range = new Range();
      range.setStart(from.node, from.letter);
      range.setEnd(to.node, to.letter);
      if (number === this.#current) now = range;
      else ranges.push(range);
    });
    if ("highlights" in CSS) {
      CSS.highlights.set("found", new Highlight(...ranges));
      CSS.highlights.set("found-now", new Highlight(...(now ? [now] : [])));
    }
    return now;
  }

  /** @param {boolean} isAll */
  #replace(isAll) {
    const matches = isAll ? this.#matches : this.#matches.slice(this.#current, this.#current + 1);
    const whole = matches.filter(({ at, endAt }) => at === endAt);
    /** @type {Map<number, string>} */
    const texts = new Map();
    // From behind, so that the places before stay right.
    for (const { at, letter, endLetter } of whole.toReversed()) {
      const text = texts.get(at) ?? this.transcript.segments[at].text;
      texts.set(at, text.slice(0, letter) + this.#by.value + text.slice(endLetter));
    }
    if (texts.size > 0) this.transcript.change([...texts].map(([at, after]) => ({ at, field: "text", after })));
    const left = matches.length - whole.length;
    const done = `${count(whole.length, "replacement")} made.${left > 0 ? ` ${count(left, "match")} across two segments left as they are.` : ""}`;
    if (isAll || left > 0) notice(done);
    else announce(done);
  }

  /** @param {KeyboardEvent} event */
  #pressed(event) {
    if (event.key === "Escape") this.close();
    else if (event.key === "Enter" && event.target === this.#field) this.move(event.shiftKey ? -1 : 1);
    else if (event.key === "Enter" && event.target === this.#by) this.#replace(false);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }
}

/** Small letters, but as many as before, so that places stay places. @param {string} text */
function fold(text) {
  const small = text.toLowerCase();
  return small.length === text.length ? small : Array.from(text, (letter) => (letter.toLowerCase().length === letter.length ? letter.toLowerCase() : letter)).join("");
}

customElements.define("find-bar", FindBar);
