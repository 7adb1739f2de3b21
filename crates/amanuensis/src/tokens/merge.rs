//! The merge loop of byte pair encoding: of all neighbouring pairs the one learnt first is joined first.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap};

use super::Token;

/// What a pair of tokens becomes.
#[derive(Debug, Clone, Copy)]
struct Merge {
    /// Position in the list of merges: lower was learnt earlier. Ids need not follow that order.
    rank: u32,
    into: Token,
}

/// The pairs that may be joined.
#[derive(Debug, Clone, Default)]
pub(super) struct Merges {
    by_pair: HashMap<(Token, Token), Merge>,
}

impl Merges {
    pub(super) fn with_capacity(pairs: usize) -> Self {
        Self { by_pair: HashMap::with_capacity(pairs) }
    }

    /// Adds the next pair in the order of learning. A pair that is there already keeps its rank.
    pub(super) fn push(&mut self, left: Token, right: Token, into: Token) {
        let rank = self.by_pair.len() as u32;
        self.by_pair.entry((left, right)).or_insert(Merge { rank, into });
    }

    /// Adds a pair that becomes a token of this rank, which it may share with others that become the same.
    pub(super) fn push_ranked(&mut self, left: Token, right: Token, rank: u32, into: Token) {
        self.by_pair.entry((left, right)).or_insert(Merge { rank, into });
    }

    /// The pairs in the order of learning: one for each rank, the one by which the token comes to be where all that
    /// was learnt before is joined first.
    pub(super) fn in_order(&self) -> Vec<(Token, Token)> {
        let mut by_rank: BTreeMap<u32, Vec<(Token, Token)>> = BTreeMap::new();
        let mut halves: HashMap<Token, (Token, Token)> = HashMap::with_capacity(self.by_pair.len());
        for (&pair, merge) in &self.by_pair {
            by_rank.entry(merge.rank).or_default().push(pair);
            halves.entry(merge.into).or_insert(pair);
        }
        let choose = |(rank, mut pairs): (u32, Vec<(Token, Token)>)| {
            pairs.sort_unstable();
            if let [(left, right), _, ..] = pairs[..] {
                let (mut smallest, mut joined) = (Vec::new(), Vec::new());
                [left, right].into_iter().for_each(|token| take_apart(token, &halves, &mut smallest));
                self.apply_below(rank, smallest.into_iter(), &mut joined);
                if let [left, right] = joined[..] {
                    return Some((left, right));
                }
            }
            pairs.first().copied()
        };
        by_rank.into_iter().filter_map(choose).collect()
    }

    /// Joins the tokens of one piece until no pair is left, and appends them to `output`.
    ///
    /// A heap of candidate pairs keeps this at n log n: a piece is as long as the caller's text has no space.
    pub(super) fn apply(&self, piece: impl Iterator<Item = Token>, output: &mut Vec<Token>) {
        self.apply_below(u32::MAX, piece, output);
    }

    /// The same with only the pairs below a rank.
    fn apply_below(&self, limit: u32, piece: impl Iterator<Item = Token>, output: &mut Vec<Token>) {
        let mut chain = Chain::new(piece);
        let mut candidates = Candidates { limit, heap: BinaryHeap::new() };
        for place in 0..chain.links.len() {
            self.offer(&chain, place, &mut candidates);
        }
        while let Some(Reverse((_, place, into))) = candidates.heap.pop() {
            // A pair that has changed since it was offered is no longer this one.
            if self.pair_at(&chain, place).is_none_or(|merge| merge.into != into) {
                continue;
            }
            chain.join(place, into);
            self.offer(&chain, place, &mut candidates);
            if let Some(before) = chain.links[place].before {
                self.offer(&chain, before, &mut candidates);
            }
        }
        output.extend(chain.links.iter().filter(|link| link.alive).map(|link| link.token));
    }

    fn pair_at(&self, chain: &Chain, place: usize) -> Option<Merge> {
        let link = &chain.links[place];
        let after = link.after.filter(|_| link.alive)?;
        self.by_pair.get(&(link.token, chain.links[after].token)).copied()
    }

    fn offer(&self, chain: &Chain, place: usize, candidates: &mut Candidates) {
        if let Some(merge) = self.pair_at(chain, place).filter(|merge| merge.rank < candidates.limit) {
            candidates.heap.push(Reverse((merge.rank, place, merge.into)));
        }
    }
}

/// Pairs that may be joined next: rank, place, and what they become.
struct Candidates {
    /// Ranks from here on are left alone.
    limit: u32,
    heap: BinaryHeap<Reverse<(u32, usize, Token)>>,
}

/// The tokens that a token is made of and that are made of none. Halves are shorter than the whole, so it ends.
fn take_apart(token: Token, halves: &HashMap<Token, (Token, Token)>, parts: &mut Vec<Token>) {
    let mut open = vec![token];
    while let Some(token) = open.pop() {
        match halves.get(&token) {
            Some(&(left, right)) => open.extend([right, left]),
            None => parts.push(token),
        }
    }
}

/// A piece as a doubly linked list inside one vector.
struct Chain {
    links: Vec<Link>,
}

struct Link {
    token: Token,
    before: Option<usize>,
    after: Option<usize>,
    alive: bool,
}

impl Chain {
    fn new(tokens: impl Iterator<Item = Token>) -> Self {
        let mut links: Vec<Link> = tokens
            .enumerate()
            .map(|(place, token)| Link { token, before: place.checked_sub(1), after: Some(place + 1), alive: true })
            .collect();
        if let Some(last) = links.last_mut() {
            last.after = None;
        }
        Self { links }
    }

    /// Replaces the token at `place` and the one after it by `into`.
    fn join(&mut self, place: usize, into: Token) {
        self.links[place].token = into;
        let Some(gone) = self.links[place].after else { return };
        let beyond = self.links[gone].after;
        self.links[gone].alive = false;
        self.links[place].after = beyond;
        if let Some(beyond) = beyond {
            self.links[beyond].before = Some(place);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(merges: &Merges, tokens: &[Token]) -> Vec<Token> {
        let mut output = Vec::new();
        merges.apply(tokens.iter().copied(), &mut output);
        output
    }

    #[test]
    fn the_pair_learnt_first_is_joined_first() {
        let mut merges = Merges::default();
        merges.push(2, 3, 23);
        merges.push(1, 2, 12);
        merges.push(12, 3, 123);
        assert_eq!(joined(&merges, &[1, 2, 3]), [1, 23]);
        assert_eq!(joined(&merges, &[1, 2, 1, 2, 3]), [12, 1, 23]);
    }

    #[test]
    fn equal_pairs_are_joined_from_the_left() {
        let mut merges = Merges::default();
        merges.push(1, 1, 11);
        assert_eq!(joined(&merges, &[1, 1, 1]), [11, 1]);
        assert_eq!(joined(&merges, &[1; 4]), [11, 11]);
        merges.push(11, 11, 1111);
        assert_eq!(joined(&merges, &[1; 7]), [1111, 11, 1]);
    }

    #[test]
    fn of_several_pairs_that_become_the_same_the_usual_one_is_told() {
        let mut merges = Merges::default();
        for (left, right, into) in [(1, 23, 123), (12, 3, 123), (1, 2, 12), (2, 3, 23)] {
            merges.push_ranked(left, right, into, into);
        }
        // 12 is learnt before 23, so 123 comes of it and 3.
        assert_eq!(merges.in_order(), [(1, 2), (2, 3), (12, 3)]);
    }

    #[test]
    fn nothing_stays_nothing() {
        assert!(joined(&Merges::default(), &[]).is_empty());
        assert_eq!(joined(&Merges::default(), &[7]), [7]);
    }
}
