//! Which parts of a text zlib finds again, and which of them it takes.
//!
//! Every three bytes are entered into a chain of the places that have the same hash. A chain is followed only so far, a
//! match is put off by a byte to see whether a longer one begins there, and nothing is found that lies half a window
//! back: all three limits shape the result and are zlib's, level 6.

/// Lengths of matches.
pub(super) const MIN_LENGTH: usize = 3;
const MAX_LENGTH: usize = 258;
/// A match this long is not put off.
const LAZY_LENGTH: usize = 16;
/// A match this long ends the search for a better one.
const NICE_LENGTH: usize = 128;
/// Places of a chain that are looked at, and how many if there is a match of `GOOD_LENGTH` to be improved on.
const CHAIN: usize = 128;
const SHORT_CHAIN: usize = CHAIN / 4;
const GOOD_LENGTH: usize = 8;
/// Three bytes that are farther away than this cost more than three literals.
const FAR: usize = 4096;

/// zlib's window, of which the second half is moved into the first when less than `MARGIN` of it is left to be compressed.
const HALF_WINDOW: usize = 32_768;
const MARGIN: usize = MAX_LENGTH + MIN_LENGTH + 1;
const MAX_DISTANCE: usize = HALF_WINDOW - MARGIN;
/// Three bytes are mixed into 15 bits, five bits apart.
const HASHES: usize = 1 << 15;

/// A piece of the text as it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Symbol {
    /// A byte as it is.
    Literal(u8),
    /// So many bytes as they stand so far before.
    Match { length: usize, distance: usize },
}

impl Symbol {
    /// So many bytes of the text it stands for.
    pub(super) fn length(&self) -> usize {
        match self {
            Symbol::Literal(_) => 1,
            Symbol::Match { length, .. } => *length,
        }
    }
}

/// A place where the bytes of another stand already.
#[derive(Clone, Copy)]
struct Found {
    length: usize,
    start: usize,
}

const NOTHING: Found = Found { length: MIN_LENGTH - 1, start: 0 };

/// The symbols of a text, one after the other.
pub(super) struct Matches<'a> {
    bytes: &'a [u8],
    /// The next byte to be looked at.
    position: usize,
    /// The last place with each hash, and for each place the one before with the same. 0 is none: zlib never finds the first
    /// byte of its window.
    last: Vec<usize>,
    before: Vec<usize>,
    /// What was found for the byte before, which is not written yet if `pending`.
    found: Found,
    pending: bool,
}

impl<'a> Matches<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        let (last, before) = (vec![0; HASHES], vec![0; bytes.len().min(HALF_WINDOW)]);
        Matches { bytes, position: 0, last, before, found: NOTHING, pending: false }
    }

    /// Enters the three bytes at `position` and gives the last place before that had their hash.
    fn enter(&mut self, position: usize) -> usize {
        let Some([first, second, third]) = self.bytes[position..].first_chunk() else { return 0 };
        let hash = (usize::from(*first) << 10 ^ usize::from(*second) << 5 ^ usize::from(*third)) % HASHES;
        let before = std::mem::replace(&mut self.last[hash], position);
        self.before[position % HALF_WINDOW] = before;
        before
    }

    /// The longest match of what comes, if it is longer than `known`: the nearest of the longest.
    fn longest(&self, candidate: usize, known: usize) -> Found {
        let rest = &self.bytes[self.position..];
        let most = rest.len().min(MAX_LENGTH);
        let nice = most.min(NICE_LENGTH);
        let chain = if known >= GOOD_LENGTH { SHORT_CHAIN } else { CHAIN };
        // Only the first place of a chain may be exactly as far away as a match may be.
        let limit = self.position.saturating_sub(MAX_DISTANCE);
        let mut best = Found { length: known, start: 0 };
        let mut start = candidate;
        for _ in 0..chain {
            let there = &self.bytes[start..];
            // Where the byte that would make it longer differs there is no need to look at the others.
            if there.get(best.length) == rest.get(best.length) {
                let length = rest[..most].iter().zip(there).take_while(|(here, there)| here == there).count();
                if length > best.length {
                    best = Found { length, start };
                    if length >= nice {
                        break;
                    }
                }
            }
            start = self.before[start % HALF_WINDOW];
            if start <= limit {
                break;
            }
        }
        best
    }

    /// What is found for the byte at `position` if the byte before it has `known`.
    fn find(&mut self, known: usize) -> Found {
        let candidate = self.enter(self.position);
        let distance = self.position - candidate;
        // At the end of a text the window may slide just before a place at its very reach is looked at. That place then is
        // the first of the window, which is none.
        let is_ending = self.bytes.len() - self.position < MARGIN;
        let slides_to_start = is_ending && distance == MAX_DISTANCE && candidate.is_multiple_of(HALF_WINDOW);
        if candidate == 0 || distance > MAX_DISTANCE || slides_to_start || known >= LAZY_LENGTH {
            return NOTHING;
        }
        let found = self.longest(candidate, known);
        let is_far = found.length == MIN_LENGTH && self.position - found.start > FAR;
        if is_far { NOTHING } else { found }
    }
}

impl Iterator for Matches<'_> {
    type Item = Symbol;

    fn next(&mut self) -> Option<Symbol> {
        loop {
            if self.position == self.bytes.len() {
                let last = std::mem::take(&mut self.pending).then(|| self.bytes.last());
                return last.flatten().map(|byte| Symbol::Literal(*byte));
            }
            let previous = self.found;
            self.found = self.find(previous.length);
            if previous.length >= MIN_LENGTH && self.found.length <= previous.length {
                let start = self.position - 1;
                let end = start + previous.length;
                for inside in self.position + 1..end {
                    self.enter(inside);
                }
                self.position = end;
                self.found = NOTHING;
                self.pending = false;
                return Some(Symbol::Match { length: previous.length, distance: start - previous.start });
            }
            self.position += 1;
            if std::mem::replace(&mut self.pending, true) {
                return Some(Symbol::Literal(self.bytes[self.position - 2]));
            }
        }
    }
}
