//! The merge loop of byte pair encoding: of all neighbouring pairs the one learnt first is joined first.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

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

    /// The pairs in the order of learning.
    pub(super) fn in_order(&self) -> Vec<(Token, Token)> {
        let mut pairs: Vec<_> = self.by_pair.iter().map(|(pair, merge)| (merge.rank, *pair)).collect();
        pairs.sort_unstable();
        pairs.into_iter().map(|(_, pair)| pair).collect()
    }

    /// Joins the tokens of one piece until no pair is left, and appends them to `output`.
    ///
    /// A heap of candidate pairs keeps this at n log n: a piece is as long as the caller's text has no space.
    pub(super) fn apply(&self, piece: impl Iterator<Item = Token>, output: &mut Vec<Token>) {
        let mut chain = Chain::new(piece);
        let mut candidates = BinaryHeap::new();
        for place in 0..chain.links.len() {
            self.offer(&chain, place, &mut candidates);
        }
        while let Some(Reverse((_, place, into))) = candidates.pop() {
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

    fn offer(&self, chain: &Chain, place: usize, candidates: &mut BinaryHeap<Reverse<(u32, usize, Token)>>) {
        if let Some(merge) = self.pair_at(chain, place) {
            candidates.push(Reverse((merge.rank, place, merge.into)));
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
    fn nothing_stays_nothing() {
        assert!(joined(&Merges::default(), &[]).is_empty());
        assert_eq!(joined(&Merges::default(), &[7]), [7]);
    }
}
