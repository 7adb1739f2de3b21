// Which words of a segment's text are said when. The server lists words apart from the segments, without blanks.

/** @import { RawSegment, Segment, TimedWord, Token } from "../types.js" */

/** More than marks and blanks between two words means that something was skipped. */
const GAP = 4;
/** A word less probable than this may be wrong. */
const UNSURE = 0.5;

/** @param {Token} token */
export const isUnsure = ({ probability }) => probability !== undefined && probability < UNSURE;

/**
 * Segments with their tokens.
 * @param {RawSegment[]} segments
 * @param {TimedWord[]} [words] of all segments, in order
 * @returns {Segment[]}
 */
export function withTokens(segments, words = []) {
  let next = 0;
  return segments.map((raw) => {
    /** @type {TimedWord[]} */
    let own = raw.words ?? [];
    if (!raw.words) {
      const first = next;
      let at = 0;
      while (next < words.length) {
        const word = words[next];
        const found = raw.text.indexOf(word.word.trim(), at);
        const isHere = found >= 0 && found - at <= GAP && word.start <= raw.end + 0.5;
        if (isHere) at = found + word.word.trim().length;
        // What begins behind the segment belongs to the next; what is nowhere to be seen is passed over.
        else if (word.start >= raw.end - 0.02 || at > raw.text.trimEnd().length - 1) break;
        next += 1;
      }
      own = words.slice(first, next);
    }
    const { start, end, text, channel } = raw;
    const speaker = raw.speaker ?? (channel === undefined ? "" : `Channel ${channel + 1}`);
    return { raw, start, end, text, speaker, tokens: tokensOf(text, own, start, end) };
  });
}

/**
 * @param {string} text
 * @param {TimedWord[]} words
 * @param {number} start
 * @param {number} end
 * @returns {Token[]}
 */
function tokensOf(text, words, start, end) {
  /** @type {Token[]} */
  const tokens = [];
  let at = 0;
  for (const { word, start, end, probability } of words) {
    const bare = word.trim();
    const found = bare === "" ? -1 : text.indexOf(bare, at);
    if (found < 0 || found - at > GAP) continue;
    tokens.push({ text: text.slice(at, found + bare.length), start, end, probability });
    at = found + bare.length;
  }
  if (tokens.length === 0) return spread(pieces(text), start, end);
  tokens[tokens.length - 1].text += text.slice(at);
  return tokens;
}

const segmenter = typeof Intl.Segmenter === "function" ? new Intl.Segmenter(undefined, { granularity: "word" }) : null;

/** A text cut before its blanks, and into words where a script has no blanks. @param {string} text @returns {string[]} */
function pieces(text) {
  const parts = text.match(/\s*\S+/gu) ?? [];
  const behind = text.slice(parts.join("").length);
  if (parts.length > 0) parts[parts.length - 1] += behind;
  return parts.flatMap((part) =>
    part.length > 12 && segmenter && /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}]/u.test(part)
      ? Array.from(segmenter.segment(part), ({ segment }) => segment)
      : [part],
  );
}

/**
 * Pieces over a time, each as long as it has letters.
 * @param {string[]} parts
 * @param {number} start
 * @param {number} end
 * @returns {Token[]}
 */
function spread(parts, start, end) {
  const total = parts.reduce((sum, part) => sum + part.length, 0) || 1;
  let said = 0;
  return parts.map((text) => {
    const from = start + ((end - start) * said) / total;
    said += text.length;
    return { text, start: from, end: start + ((end - start) * said) / total };
  });
}

/**
 * The tokens of a text that was changed: words that stayed keep their times, new ones share the time between.
 * @param {Token[]} before
 * @param {string} text
 * @param {number} start
 * @param {number} end
 * @returns {Token[]}
 */
export function retimed(before, text, start, end) {
  const parts = pieces(text);
  const kept = commonPairs(before.map((token) => token.text.trim()), parts.map((part) => part.trim()));
  /** @type {Token[]} */
  const tokens = [];
  let [old, fresh] = [0, 0];
  for (const [oldAt, freshAt] of [...kept, [before.length, parts.length]]) {
    if (freshAt > fresh) {
      const from = old > 0 ? before[old - 1].end : start;
      const to = oldAt < before.length ? before[oldAt].start : end;
      tokens.push(...spread(parts.slice(fresh, freshAt), from, Math.max(from, to)));
    }
    if (oldAt < before.length) tokens.push({ ...before[oldAt], text: parts[freshAt] });
    [old, fresh] = [oldAt + 1, freshAt + 1];
  }
  return tokens;
}

/**
 * The longest common subsequence, as pairs of places.
 * @param {string[]} one
 * @param {string[]} other
 * @returns {[number, number][]}
 */
function commonPairs(one, other) {
  const width = other.length + 1;
  const longest = new Uint16Array((one.length + 1) * width);
  for (let row = one.length - 1; row >= 0; row -= 1) {
    for (let column = other.length - 1; column >= 0; column -= 1) {
      longest[row * width + column] =
        one[row] === other[column]
          ? longest[(row + 1) * width + column + 1] + 1
          : Math.max(longest[(row + 1) * width + column], longest[row * width + column + 1]);
    }
  }
  /** @type {[number, number][]} */
  const pairs = [];
  let [row, column] = [0, 0];
  while (row < one.length && column < other.length) {
    if (one[row] === other[column]) pairs.push([row++, column++]);
    else if (longest[(row + 1) * width + column] >= longest[row * width + column + 1]) row += 1;
    else column += 1;
  }
  return pairs;
}
