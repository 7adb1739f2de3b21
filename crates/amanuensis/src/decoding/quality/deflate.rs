//! How many bytes zlib makes of a text, at its default level.
//!
//! Written by hand because a compression ratio is compared with thresholds that were tuned on zlib itself, and every
//! other implementation finds other matches: on the few hundred bytes that a window holds, zlib-rs is up to 6 % off and
//! miniz_oxide 36 %. So this makes zlib's choices one by one, those of 1.2.13 and 1.3: which matches it sees and takes
//! (`matches`), how its tables of codes come out (`codes`), and here where a block ends and how it is written. The
//! bytes themselves are not made, for only their number is wanted.

mod codes;
mod matches;

use codes::{code_lengths, run_length_bits};
use matches::{Matches, Symbol};

/// What stands before the blocks, and the checksum after them.
const HEADER_BYTES: usize = 2;
const CHECKSUM_BYTES: usize = 4;
/// Symbols that zlib's buffer holds at its default use of memory; a full one ends the block.
const BLOCK_SYMBOLS: usize = 16_383;
/// Whether a block is the last, and how it is written.
const BLOCK_HEADER_BITS: usize = 3;
/// A stored block says its length twice.
const STORED_LENGTH_BYTES: usize = 4;
/// Bytes, the end of a block, and 29 ranges of lengths.
const LITERALS_AND_LENGTHS: usize = 286;
const END_OF_BLOCK: usize = 256;
const DISTANCES: usize = 30;
/// A code word of bytes, lengths or distances has at most so many bits.
const LONGEST_CODE: usize = 15;
/// Every distance of the fixed code.
const FIXED_DISTANCE_BITS: usize = 5;

/// The length of `zlib.compress(bytes)`.
pub(super) fn zlib_size(bytes: &[u8]) -> usize {
    let (mut block, mut bits, mut rest) = (Block::default(), 0, bytes.len());
    for symbol in Matches::new(bytes) {
        block.add(&symbol);
        rest -= symbol.length();
        // zlib learns that a literal is the last symbol before it writes it, but not so with a match: behind that comes an
        // empty block to say that it is the last.
        let is_known_last = rest == 0 && matches!(symbol, Symbol::Literal(_));
        if block.symbols == BLOCK_SYMBOLS && !is_known_last {
            bits = block.end(bits);
            block = Block::default();
        }
    }
    bits = block.end(bits);
    HEADER_BYTES + bits.div_ceil(8) + CHECKSUM_BYTES
}

/// A part of the text that has its own code.
struct Block {
    /// How much of the text it is.
    length: usize,
    symbols: usize,
    literals_and_lengths: [u32; LITERALS_AND_LENGTHS],
    distances: [u32; DISTANCES],
}

impl Default for Block {
    fn default() -> Self {
        let mut literals_and_lengths = [0; LITERALS_AND_LENGTHS];
        literals_and_lengths[END_OF_BLOCK] = 1;
        Block { length: 0, symbols: 0, literals_and_lengths, distances: [0; DISTANCES] }
    }
}

impl Block {
    fn add(&mut self, symbol: &Symbol) {
        self.symbols += 1;
        self.length += symbol.length();
        match *symbol {
            Symbol::Literal(byte) => self.literals_and_lengths[usize::from(byte)] += 1,
            Symbol::Match { length, distance } => {
                self.literals_and_lengths[length_code(length)] += 1;
                self.distances[distance_code(distance)] += 1;
            }
        }
    }

    /// Bits of all blocks up to this one, of which those before it have `bits`: it is written in the shortest of three ways.
    fn end(&self, bits: usize) -> usize {
        let (own, fixed) = (self.own_code_bits(), self.fixed_code_bits());
        // zlib compares whole bytes, and takes the fixed code where they are the same.
        let coded = if fixed.div_ceil(8) <= own.div_ceil(8) { fixed } else { own };
        // zlib cannot store what has left its window, but a block of that length is always shorter when coded.
        let stored = self.length + STORED_LENGTH_BYTES;
        if stored <= coded.div_ceil(8) {
            (bits + BLOCK_HEADER_BITS).next_multiple_of(8) + 8 * stored
        } else {
            bits + coded
        }
    }

    /// With a code made for this block, which is written before it.
    fn own_code_bits(&self) -> usize {
        let literals_and_lengths = code_lengths(&self.literals_and_lengths, LONGEST_CODE);
        let distances = code_lengths(&self.distances, LONGEST_CODE);
        let symbols = self.bits(|code| usize::from(literals_and_lengths[code]), |code| usize::from(distances[code]));
        BLOCK_HEADER_BITS + run_length_bits(&literals_and_lengths, &distances) + symbols
    }

    /// With the code that every decoder knows.
    fn fixed_code_bits(&self) -> usize {
        let literal_or_length = |code| match code {
            0..=143 => 8,
            144..=255 => 9,
            256..=279 => 7,
            _ => 8,
        };
        BLOCK_HEADER_BITS + self.bits(literal_or_length, |_| FIXED_DISTANCE_BITS)
    }

    /// Of all symbols, and of the bits that say which of its range a length or distance is.
    fn bits(&self, literal_or_length: impl Fn(usize) -> usize, distance: impl Fn(usize) -> usize) -> usize {
        let sum = |counts: &[u32], bits: &dyn Fn(usize) -> usize| {
            let used = counts.iter().enumerate().filter(|(_, count)| **count > 0);
            used.map(|(code, count)| *count as usize * bits(code)).sum::<usize>()
        };
        sum(&self.literals_and_lengths, &|code| literal_or_length(code) + length_extra_bits(code))
            + sum(&self.distances, &|code| distance(code) + distance_extra_bits(code))
    }
}

/// The code of the range that a length of 3 to 258 is in: eight of one length each, then four of every width 2, 4 and
/// so on, and 258 for itself.
fn length_code(length: usize) -> usize {
    let above = length - matches::MIN_LENGTH;
    let range = match above {
        0..8 => above,
        255 => 28,
        _ => {
            let extra = above.ilog2() as usize - 2;
            4 * extra + (above >> extra)
        }
    };
    END_OF_BLOCK + 1 + range
}

fn length_extra_bits(code: usize) -> usize {
    match code.saturating_sub(END_OF_BLOCK + 1) {
        0..8 | 28 => 0,
        range => range / 4 - 1,
    }
}

/// The code of the range that a distance of 1 to 32768 is in: four of one distance each, then two of every width.
fn distance_code(distance: usize) -> usize {
    let above = distance - 1;
    match above {
        0..4 => above,
        _ => {
            let extra = above.ilog2() as usize - 1;
            2 * extra + (above >> extra)
        }
    }
}

fn distance_extra_bits(code: usize) -> usize {
    (code / 2).saturating_sub(1)
}

#[cfg(test)]
mod tests;
