// A transcript that can be edited: what the server wrote, a history of changes, and what comes of both.

import { recall, remember } from "./storage.js";
import { isUnsure, retimed, withTokens } from "./words.js";

/** @import { Change, Result, Segment, TimedWord } from "../types.js" */

/** The longest history that is kept, in changes. */
const HISTORY = 2000;

/** Tells with `change` (a CustomEvent with the places of the segments) that something is different. */
export class Transcript extends EventTarget {
  /** @type {Segment[]} */
  segments;
  /** Every entry is undone as one. @type {Change[][]} */
  #history = [];
  /** How many entries are in force. */
  #now = 0;

  /** @param {string} id @param {Result} result */
  constructor(id, result) {
    super();
    this.id = id;
    this.result = result;
    this.original = withTokens(result.segments, result.words);
    this.segments = this.original.map((segment) => ({ ...segment }));
    const kept = /** @type {{history: Change[][], now: number} | null} */ (recall(`edits.${id}`));
    if (!kept) return;
    try {
      for (const change of kept.history.slice(0, kept.now).flat()) this.#set(change.at, change.field, change.after);
      this.#history = kept.history;
      this.#now = kept.now;
    } catch {
      // Kept for another transcript; the server's stands.
      this.segments = this.original.map((segment) => ({ ...segment }));
    }
  }

  get canUndo() {
    return this.#now > 0;
  }

  get canRedo() {
    return this.#now < this.#history.length;
  }

  get isEdited() {
    return this.segments.some((_, at) => this.isChanged(at));
  }

  /** @param {number} at */
  isChanged(at) {
    const [now, then] = [this.segments[at], this.original[at]];
    return now.text !== then.text || now.speaker !== then.speaker;
  }

  /** Whether the server was unsure of any word. */
  get hasDoubts() {
    return this.original.some(({ tokens }) => tokens.some(isUnsure));
  }

  /** Several changes that belong together. @param {{at: number, field: "text" | "speaker", after: string}[]} wanted */
  change(wanted) {
    const changes = wanted
      .map(({ at, field, after }) => ({ at, field, before: this.segments[at][field], after: tidy(after, field, this.original[at].text) }))
      .filter((change) => change.before !== change.after);
    if (changes.length === 0) return false;
    this.#history.length = this.#now;
    this.#history.push(changes);
    this.#now += 1;
    this.#apply(changes, "after");
    return true;
  }

  undo() {
    if (this.canUndo) this.#apply(this.#history[--this.#now], "before");
  }

  redo() {
    if (this.canRedo) this.#apply(this.#history[this.#now++], "after");
  }

  /** Back to what the server wrote; this too can be undone. */
  restore() {
    this.change(
      this.original.flatMap(({ text, speaker }, at) => [
        { at, field: /** @type {const} */ ("text"), after: text },
        { at, field: /** @type {const} */ ("speaker"), after: speaker },
      ]),
    );
  }

  /** @param {Change[]} changes @param {"before" | "after"} side */
  #apply(changes, side) {
    for (const change of changes) this.#set(change.at, change.field, change[side]);
    while (this.#history.flat().length > HISTORY && this.#now > 1) {
      this.#history.shift();
      this.#now -= 1;
    }
    const isKept = remember(`edits.${this.id}`, this.#history.length > 0 ? { history: this.#history, now: this.#now } : null);
    const places = [...new Set(changes.map(({ at }) => at))];
    this.dispatchEvent(new CustomEvent("change", { detail: { places, isKept } }));
  }

  /** @param {number} at @param {"text" | "speaker"} field @param {string} value */
  #set(at, field, value) {
    const segment = this.segments[at];
    segment[field] = value;
    // From the server's words always, so that undoing brings their times back to the hundredth.
    const first = this.original[at];
    if (field === "text") {
      segment.tokens = value === first.text ? first.tokens : retimed(first.tokens, value, segment.start, segment.end);
    }
  }

  /** What is said, as a text with an empty line between paragraphs. @param {number[][]} paragraphs */
  plain(paragraphs) {
    let speaker = "";
    return paragraphs
      .map((places) => {
        const first = this.segments[places[0]];
        const name = first.speaker !== speaker && first.speaker ? `${first.speaker}: ` : "";
        speaker = first.speaker;
        return name + places.map((at) => this.segments[at].text).join("").trim();
      })
      .filter((text) => text !== "")
      .join("\n\n");
  }

  /** The whole as the server would have said it. @returns {Result} */
  edited() {
    const kept = this.segments.filter((segment) => segment.text.trim() !== "");
    const words = kept.flatMap((segment) =>
      segment.tokens.map(({ text, start, end, probability }) => {
        /** @type {TimedWord} */
        const word = { word: text.trim(), start: round(start), end: round(end) };
        return probability === undefined ? word : { ...word, probability };
      }),
    );
    return {
      ...this.result,
      text: kept.map((segment) => segment.text).join("").trim(),
      segments: kept.map(({ raw, text, speaker }) => {
        const { words: _words, channel, speaker: named, ...rest } = raw;
        // A channel says who speaks as long as nobody gave another name.
        if (channel !== undefined && speaker === (named ?? `Channel ${channel + 1}`)) return { ...rest, text, channel, ...(named ? { speaker } : {}) };
        return speaker === "" ? { ...rest, text } : { ...rest, text, speaker };
      }),
      ...(this.result.words ? { words: words.filter(({ word }) => word !== "") } : {}),
    };
  }
}

/** @param {number} seconds */
const round = (seconds) => Math.round(seconds * 1000) / 1000;

/** A text without line breaks, and with the blank before it that it had. @param {string} after @param {"text" | "speaker"} field @param {string} before */
function tidy(after, field, before) {
  const flat = after.replace(/\s+/gu, " ");
  if (field === "speaker") return flat.trim();
  const blank = /^\s/u.test(before) || before === "" ? " " : "";
  return flat.trim() === "" ? "" : blank + flat.trim();
}

/** Silence that begins a paragraph, in seconds. */
const SILENCE = 1.6;
/** Letters after which a paragraph ends with the next sentence. */
const LONG = 420;

/**
 * Which segments stand together. A list of places for each paragraph.
 * @param {Segment[]} segments
 * @param {boolean} together each stands alone if not
 * @returns {number[][]}
 */
export function paragraphs(segments, together) {
  /** @type {number[][]} */
  const all = [];
  let letters = 0;
  segments.forEach((segment, at) => {
    const last = segments[at - 1];
    const isNew =
      !last ||
      !together ||
      last.speaker !== segment.speaker ||
      segment.start - last.end > SILENCE ||
      (letters > LONG && /[.!?…。！？]["'”’)]*\s*$/u.test(last.text)) ||
      letters > 3 * LONG;
    if (isNew) {
      all.push([]);
      letters = 0;
    }
    all[all.length - 1].push(at);
    letters += segment.text.length;
  });
  return all;
}
