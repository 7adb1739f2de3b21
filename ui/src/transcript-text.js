// The text on the page: paragraphs of segments of words, which light up as they are played.

import { h, iconButton } from "./element.js";
import { clock, spoken } from "./format.js";
import { paragraphs } from "./transcript.js";
import { ParagraphEditor } from "./paragraph-editor.js";
import { isUnsure } from "./words.js";

/** @import { Segment, Token } from "../types.js" */

/** @typedef {{token: Token, at: number, element: HTMLElement}} Placed */

/**
 * Tells with `seek` (a CustomEvent with seconds) that a moment was chosen, with `edit` (places and texts) that something
 * was written, with `speaker` (places) that a name is to be changed, and with `follow` whether it moves with the sound.
 */
export class TranscriptText extends HTMLElement {
  /** @type {readonly Segment[]} */
  #segments = [];
  /** @type {number[][]} */
  groups = [];
  /** @type {HTMLElement[]} */
  #blocks = [];
  /** All words in order of time, with their elements; made anew when it is needed. @type {Placed[] | null} */
  #words = null;
  /** @type {HTMLElement | null} */
  #lit = null;
  /** Before anything was played or chosen, nothing is lit. */
  #time = -1;
  /** The elements of the segments; made anew with the words. @type {Map<number, Element> | null} */
  #elements = null;
  #together = true;
  #editable = false;
  isFollowing = true;
  /** @type {(at: number) => boolean} */
  isChanged = () => false;

  connectedCallback() {
    this.classList.add("transcript");
    this.addEventListener("click", (event) => this.#clicked(event));
    this.addEventListener("dblclick", (event) => this.#editAtWord(event));
    // Whoever scrolls wants to read something else than what is played.
    for (const name of ["wheel", "touchmove"]) {
      window.addEventListener(name, this.#leave, { passive: true });
    }
  }

  disconnectedCallback() {
    for (const name of ["wheel", "touchmove"]) window.removeEventListener(name, this.#leave);
  }

  #leave = () => this.#setFollowing(false);

  /** @param {boolean} following */
  #setFollowing(following) {
    if (this.isFollowing === following) return;
    this.isFollowing = following;
    this.dispatchEvent(new Event("follow"));
  }

  /**
   * Shows segments, replacing only the paragraphs that are not what they were.
   * @param {readonly Segment[]} segments
   * @param {{editable: boolean, together: boolean, changed?: number[]}} how the places that changed; all, if not given
   */
  show(segments, { editable, together, changed }) {
    const anew = !changed || editable !== this.#editable || together !== this.#together;
    [this.#segments, this.#editable, this.#together] = [segments, editable, together];
    const before = this.groups.map((group) => group.join());
    this.groups = paragraphs([...segments], together);
    const old = this.#blocks;
    this.#blocks = this.groups.map((group, at) => {
      const same = !anew && before[at] === group.join() && !group.some((place) => changed.includes(place));
      return same && old[at] ? old[at] : this.#paragraph(group);
    });
    this.#blocks.forEach((block, at) => {
      if (this.children[at] !== block) this.insertBefore(block, this.children[at] ?? null);
    });
    while (this.children.length > this.#blocks.length) this.lastElementChild?.remove();
    this.#words = this.#elements = null;
    this.#lit = null;
    this.light(this.#time);
  }

  /** @param {number[]} group */
  #paragraph(group) {
    const first = this.#segments[group[0]];
    const place = this.groups.indexOf(group);
    const last = place > 0 ? this.#segments[(this.groups[place - 1].at(-1)) ?? 0] : null;
    const isSpeaking = first.speaker !== "" && (!last || last.speaker !== first.speaker);
    return h(
      "div",
      { class: "paragraph", "data-first": group[0] },
      h(
        "button",
        { type: "button", class: "moment", "data-time": first.start, "aria-label": `Play from ${spoken(first.start)}` },
        clock(first.start),
      ),
      isSpeaking &&
        (this.#editable
          ? h("button", { type: "button", class: "speaker", title: "Rename", onclick: () => this.dispatchEvent(new CustomEvent("speaker", { detail: group })) }, first.speaker)
          : h("span", { class: "speaker" }, first.speaker)),
      h("p", { dir: "auto" }, ...group.map((at) => this.#segment(at))),
      this.#editable && iconButton("edit", `Edit the paragraph at ${spoken(first.start)}`, () => this.edit(group[0]), { bare: true, class: "edit", title: "Edit (E)" }),
    );
  }

  /** @param {number} at */
  #segment(at) {
    const element = h("span", { class: "segment", "data-at": at });
    if (this.isChanged(at)) element.classList.add("changed");
    this.#segments[at].tokens.forEach((token, index) => {
      const word = token.text.trimStart();
      const blank = token.text.slice(0, token.text.length - word.length);
      const unsure = isUnsure(token);
      if (blank) element.append(blank);
      element.append(
        h("span", { class: unsure ? "word unsure" : "word", "data-index": index, title: unsure ? `Unsure: ${Math.round((token.probability ?? 0) * 100)} %` : null }, word),
      );
    });
    return element;
  }

  #placed() {
    if (this.#words) return this.#words;
    /** @type {Placed[]} */
    const words = [];
    for (const element of this.querySelectorAll(".word")) {
      const segment = /** @type {HTMLElement} */ (element.parentElement);
      const at = Number(segment.dataset.at);
      const token = this.#segments[at]?.tokens[Number(/** @type {HTMLElement} */ (element).dataset.index)];
      if (token) words.push({ token, at, element: /** @type {HTMLElement} */ (element) });
    }
    this.#words = words;
    return words;
  }

  /** The last word that has begun at a time. @param {number} time */
  #wordAt(time) {
    const words = this.#placed();
    let [low, high] = [0, words.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (words[middle].token.start <= time + 0.01) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  /** Lights up what is said at a time. @param {number} time */
  light(time) {
    this.#time = time;
    const found = this.#placed()[this.#wordAt(time)];
    // Through the short gaps between words the light stays, or it would flicker.
    const element = found && time < found.token.end + 0.35 ? found.element : null;
    if (element === this.#lit) return;
    this.#lit?.classList.remove("now");
    element?.classList.add("now");
    this.#lit = element;
    if (element && this.isFollowing) this.#reveal(element);
  }

  /** Moves with the sound again. */
  follow() {
    this.#setFollowing(true);
    const found = this.#placed()[Math.max(0, this.#wordAt(this.#time))];
    if (found) this.#reveal(found.element);
  }

  /** @param {Element} element @param {number} [tries] */
  #reveal(element, tries = 5) {
    const { top, bottom } = element.getBoundingClientRect();
    if (top > 80 && bottom < innerHeight - 190) return;
    const isNear = top > -innerHeight && bottom < 2 * innerHeight;
    const isStill = matchMedia("(prefers-reduced-motion: reduce)").matches;
    element.scrollIntoView({ block: "center", behavior: isStill || !isNear ? "instant" : "smooth" });
    // Paragraphs far away have a guessed height until they are near, so the way there is corrected.
    if (!isNear && tries > 0) requestAnimationFrame(() => this.#reveal(element, tries - 1));
  }

  /** Where the word before or behind a time begins, or the segment. @param {-1 | 1} direction @param {boolean} isSegment */
  neighbour(direction, isSegment) {
    const words = this.#placed();
    let at = this.#wordAt(this.#time);
    const here = words[at]?.at;
    do at += direction;
    while (isSegment && words[at] && (words[at].at === here || (direction < 0 && words[at - 1]?.at === words[at].at)));
    return words[Math.min(Math.max(0, at), words.length - 1)]?.token.start ?? 0;
  }

  get unsureCount() {
    return this.querySelectorAll(".unsure").length;
  }

  /** The next word that may be wrong, from where the sound is, and around the end. */
  nextUnsure() {
    const unsure = this.#placed().filter(({ element }) => element.classList.contains("unsure"));
    const found = unsure.find(({ token }) => token.start > this.#time + 0.02) ?? unsure[0];
    if (!found) return null;
    this.#reveal(found.element);
    return { start: found.token.start, word: found.token.text.trim(), probability: found.token.probability ?? 0 };
  }

  /** Opens the paragraph of a segment for writing; that of what is played, if none is given. @param {number} [at] @param {number} [letter] */
  edit(at, letter) {
    if (!this.#editable) return;
    const place = at ?? this.#placed()[Math.max(0, this.#wordAt(this.#time))]?.at ?? 0;
    const number = this.groups.findIndex((group) => group.includes(place));
    if (number < 0) return;
    const block = this.#blocks[number];
    if (block instanceof ParagraphEditor) return block.focusOn(place, letter);
    this.closeEditors();
    const editor = new ParagraphEditor(this.groups[number].map((at) => ({ at, segment: this.#segments[at] })));
    const current = this.#blocks[number];
    editor.addEventListener("close", () => {
      const changes = editor.changes();
      const back = this.#paragraph(this.groups[number]);
      if (this.#blocks[number] === editor) this.#blocks[number] = back;
      const hadFocus = editor.contains(document.activeElement);
      editor.replaceWith(back);
      this.#words = this.#elements = null;
      if (changes.length > 0) this.dispatchEvent(new CustomEvent("edit", { detail: changes }));
      if (hadFocus) /** @type {HTMLElement | null} */ (this.#blocks[number]?.querySelector(".edit"))?.focus({ preventScroll: true });
    });
    editor.onkeep = (changes) => this.dispatchEvent(new CustomEvent("edit", { detail: changes }));
    this.#blocks[number] = editor;
    current.replaceWith(editor);
    this.#words = this.#elements = null;
    editor.focusOn(place, letter);
  }

  /** Keeps what is being written. */
  closeEditors() {
    for (const block of this.#blocks) if (block instanceof ParagraphEditor) block.close();
  }

  /** Where in the document a letter of a segment is; null while it is written in. @param {number} at @param {number} letter */
  point(at, letter) {
    this.#elements ??= new Map([...this.querySelectorAll(".segment")].map((element) => [Number(element.getAttribute("data-at")), element]));
    const segment = this.#elements.get(at);
    if (!segment) return null;
    const texts = document.createTreeWalker(segment, NodeFilter.SHOW_TEXT);
    for (let node = texts.nextNode(); node; node = texts.nextNode()) {
      const length = node.textContent?.length ?? 0;
      if (letter <= length) return { node, letter };
      letter -= length;
    }
    return null;
  }

  /** Brings something into view without being led away by the sound. @param {Element} element */
  reveal(element) {
    if (document.body.contains(element)) this.#reveal(element);
  }

  /** @param {MouseEvent} event */
  #clicked(event) {
    const target = /** @type {HTMLElement} */ (event.target);
    const moment = target.closest(".moment");
    if (moment instanceof HTMLElement) {
      this.dispatchEvent(new CustomEvent("seek", { detail: { time: Number(moment.dataset.time), play: true } }));
      return;
    }
    // Who marks text does not want to go anywhere.
    if (!target.matches(".word") || !getSelection()?.isCollapsed) return;
    const found = this.#placed().find(({ element }) => element === target);
    if (found) this.dispatchEvent(new CustomEvent("seek", { detail: { time: found.token.start, play: false } }));
  }

  /** @param {MouseEvent} event */
  #editAtWord(event) {
    const target = /** @type {HTMLElement} */ (event.target);
    if (!target.matches(".word")) return;
    const found = this.#placed().find(({ element }) => element === target);
    if (!found) return;
    const tokens = this.#segments[found.at].tokens;
    const before = tokens.slice(0, tokens.indexOf(found.token)).reduce((sum, token) => sum + token.text.length, 0);
    getSelection()?.removeAllRanges();
    this.edit(found.at, before + found.token.text.length);
  }
}

customElements.define("transcript-text", TranscriptText);
