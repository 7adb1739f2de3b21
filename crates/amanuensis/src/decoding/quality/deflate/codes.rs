//! The codes zlib makes for a block, as lengths of code words, and how long they are when written.
//!
//! Any Huffman code of the same counts is equally short, but how its lengths are spread decides how well they can be written,
//! so ties are broken as zlib breaks them: by depth, then by place in its heap.

/// Counts of symbols on their way into a tree. A node is a symbol, or behind them two nodes put together.
struct Forest {
    counts: Vec<u32>,
    depths: Vec<u8>,
    /// A binary heap with the rarest node first.
    heap: Vec<usize>,
}

impl Forest {
    fn is_before(&self, one: usize, other: usize) -> bool {
        (self.counts[one], self.depths[one]) <= (self.counts[other], self.depths[other])
    }

    /// Lets the node at `place` sink to where it belongs.
    fn sink(&mut self, mut place: usize) {
        let node = self.heap[place];
        loop {
            let mut child = 2 * place + 1;
            if child >= self.heap.len() {
                break;
            }
            if child + 1 < self.heap.len() && self.is_before(self.heap[child + 1], self.heap[child]) {
                child += 1;
            }
            if self.is_before(node, self.heap[child]) {
                break;
            }
            self.heap[place] = self.heap[child];
            place = child;
        }
        self.heap[place] = node;
    }
}

/// Bits of the code word of every symbol up to the last that has one, none of more than `longest`; 0 for symbols without.
///
/// There are always two code words at least, if need be of symbols that do not occur.
pub(super) fn code_lengths(counts: &[u32], longest: usize) -> Vec<u8> {
    let symbols = counts.len();
    let mut heap: Vec<usize> = (0..symbols).filter(|symbol| counts[*symbol] > 0).collect();
    let mut forest = Forest { counts: counts.to_vec(), depths: vec![0; symbols], heap: Vec::new() };
    let mut last = heap.last().copied();
    while heap.len() < 2 {
        let unused = match last {
            None => 0,
            Some(last @ 0..2) => last + 1,
            Some(_) => 0,
        };
        last = last.max(Some(unused));
        forest.counts[unused] = 1;
        heap.push(unused);
    }
    forest.heap = heap;
    for place in (0..forest.heap.len() / 2).rev() {
        forest.sink(place);
    }
    let (parents, order) = join(&mut forest);
    let lengths = limited(&forest.counts, &parents, &order, symbols, longest);
    lengths[..last.map_or(0, |last| last + 1)].to_vec()
}

/// Puts the two rarest nodes together until one is left: the parent of every node, and the nodes in the order in which they
/// were taken, the root last.
fn join(forest: &mut Forest) -> (Vec<usize>, Vec<usize>) {
    let mut parents = vec![0; forest.counts.len()];
    let mut order = Vec::new();
    while forest.heap.len() > 1 {
        let one = forest.heap.swap_remove(0);
        forest.sink(0);
        let other = forest.heap[0];
        let joined = forest.counts.len();
        forest.counts.push(forest.counts[one] + forest.counts[other]);
        forest.depths.push(forest.depths[one].max(forest.depths[other]) + 1);
        parents.push(0);
        (parents[one], parents[other]) = (joined, joined);
        order.extend([one, other]);
        forest.heap[0] = joined;
        forest.sink(0);
    }
    order.push(forest.heap[0]);
    (parents, order)
}

/// Depth of every symbol in the tree, after code words of more than `longest` bits have been made shorter at the cost of others.
fn limited(counts: &[u32], parents: &[usize], order: &[usize], symbols: usize, longest: usize) -> Vec<u8> {
    let mut lengths = vec![0; counts.len()];
    let mut words = vec![0_usize; longest + 1];
    let mut too_long = 0_usize;
    for node in order.iter().rev().skip(1) {
        let depth = lengths[parents[*node]] + 1;
        too_long += usize::from(depth > longest);
        lengths[*node] = depth.min(longest);
        if *node < symbols {
            words[lengths[*node]] += 1;
        }
    }
    if too_long > 0 {
        shorten(&mut words, too_long);
        let mut rarest_first = order.iter().filter(|node| **node < symbols);
        for (length, words) in words.iter().enumerate().rev() {
            for symbol in rarest_first.by_ref().take(*words) {
                lengths[*symbol] = length;
            }
        }
    }
    lengths.iter().take(symbols).map(|length| *length as u8).collect()
}

/// Makes numbers of code words by length into those of a code, if `too_long` nodes were cut off at the last of them.
fn shorten(words: &mut [usize], too_long: usize) {
    let longest = words.len() - 1;
    for _ in 0..too_long.div_ceil(2) {
        // A word one bit shorter takes one of the two that are too many under its wing, and their places become free.
        if let Some(length) = (0..longest).rev().find(|length| words[*length] > 0) {
            words[length] -= 1;
            words[length + 1] += 2;
            words[longest] -= 1;
        }
    }
}

/// Symbols of the code in which lengths are written: 0 to 15, the last one again, and two runs of zeros.
const LENGTH_SYMBOLS: usize = 19;
const AGAIN: usize = 16;
const FEW_ZEROS: usize = 17;
const MANY_ZEROS: usize = 18;
/// The order in which the lengths of that code are written, so that the last ones can mostly be left out.
const WRITTEN_ORDER: [usize; LENGTH_SYMBOLS] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
/// At least so many of them are written, with so many bits each, none with more than `LONGEST_LENGTH_CODE`.
const WRITTEN_AT_LEAST: usize = 4;
const WRITTEN_BITS: usize = 3;
const LONGEST_LENGTH_CODE: usize = 7;
/// How many literals, distances and lengths of lengths there are.
const NUMBERS_BITS: usize = 5 + 5 + 4;

/// Bits of two codes, as they are written before a block.
pub(super) fn run_length_bits(literals_and_lengths: &[u8], distances: &[u8]) -> usize {
    let mut counts = [0; LENGTH_SYMBOLS];
    for lengths in [literals_and_lengths, distances] {
        for run in lengths.chunk_by(|one, next| one == next) {
            count_run(run, &mut counts);
        }
    }
    let words = code_lengths(&counts, LONGEST_LENGTH_CODE);
    let word = |symbol: usize| words.get(symbol).map_or(0, |length| usize::from(*length));
    let last = WRITTEN_ORDER.iter().rposition(|symbol| word(*symbol) > 0);
    let written = last.map_or(0, |last| last + 1).max(WRITTEN_AT_LEAST);
    let symbols =
        counts.iter().enumerate().map(|(symbol, count)| *count as usize * (word(symbol) + repeat_bits(symbol)));
    NUMBERS_BITS + WRITTEN_BITS * written + symbols.sum::<usize>()
}

/// Adds the symbols of a run of equal lengths.
fn count_run(run: &[u8], counts: &mut [u32; LENGTH_SYMBOLS]) {
    let Some((first, rest)) = run.split_first() else { return };
    let length = usize::from(*first);
    let (repeated, at_most) = if length == 0 { (run, 138) } else { (rest, 6) };
    if length > 0 {
        counts[length] += 1;
    }
    for part in repeated.chunks(at_most) {
        match (part.len(), length) {
            (0..3, _) => counts[length] += part.len() as u32,
            (_, 1..) => counts[AGAIN] += 1,
            (3..=10, 0) => counts[FEW_ZEROS] += 1,
            (_, 0) => counts[MANY_ZEROS] += 1,
        }
    }
}

/// Bits that say how often.
fn repeat_bits(symbol: usize) -> usize {
    match symbol {
        AGAIN => 2,
        FEW_ZEROS => 3,
        MANY_ZEROS => 7,
        _ => 0,
    }
}
