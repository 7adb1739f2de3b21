// The keys of this page, as they are explained and as they are pressed.

import { recall } from "./storage.js";

/** By where they work: the keys and what they do. @type {Record<string, [string, string][]>} */
export const SHORTCUTS = {
  "Listening": [
    ["Space K", "Play, pause"],
    ["J L", "Back, forward 5 seconds"],
    ["← →", "The word before, the next word"],
    ["[ ]", "The segment before, the next segment"],
    ["< >", "Slower, faster"],
    ["F", "Follow the sound again"],
  ],
  "Reading and correcting": [
    ["/", "Search; Enter and Shift+Enter go through the matches"],
    ["E", "Edit what is being said, or double-click a word"],
    ["U", "The next unsure word"],
    ["Ctrl+Z", "Undo"],
    ["Ctrl+Shift+Z", "Redo"],
  ],
  "While editing": [
    ["Ctrl+Enter", "Keep and close"],
    ["Escape", "Give up the changes"],
    ["Alt+K", "Play, pause"],
    ["Alt+J Alt+L", "Back, forward 5 seconds"],
  ],
  "Everywhere": [
    ["N", "Choose files"],
    ["T", "All transcripts"],
    ["C", "Live captions"],
    ["?", "This help"],
  ],
};

/** Whether keys go into something that is written. @param {EventTarget | null} target */
function takesText(target) {
  return target instanceof HTMLTextAreaElement || (target instanceof HTMLInputElement && !["range", "checkbox", "radio", "file"].includes(target.type));
}

/**
 * What a key press means: a single letter where nothing is written, or `Ctrl+z`, `Alt+k` and the like.
 * @param {KeyboardEvent} event
 * @returns {string | null}
 */
export function pressed(event) {
  if (event.defaultPrevented || event.isComposing || document.querySelector("dialog[open]")) return null;
  const target = event.target;
  if (event.altKey && !event.ctrlKey && !event.metaKey) {
    // By the key and not by the letter: with Alt some keyboards write other ones.
    return /^Key[JKL]$/.test(event.code) ? `Alt+${event.code.slice(3).toLowerCase()}` : null;
  }
  if (event.ctrlKey || event.metaKey) {
    const letter = event.key.toLowerCase();
    if (takesText(target) || !["z", "y"].includes(letter)) return null;
    return letter === "y" || event.shiftKey ? "redo" : "undo";
  }
  if (takesText(target) || target instanceof HTMLSelectElement || recall("shortcuts") === false) return null;
  if (event.key === " ") {
    // A button that has the focus is pressed by the space bar.
    return target instanceof Element && target.closest("button, a, summary, input") ? null : " ";
  }
  if (event.key.startsWith("Arrow")) return target instanceof HTMLInputElement ? null : event.key;
  return event.key.length === 1 ? event.key.toLowerCase() : null;
}
