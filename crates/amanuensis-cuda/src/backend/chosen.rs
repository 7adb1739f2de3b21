//! Heads of the cross-attention whose scores are kept.

/// The heads that are kept, each once.
pub(super) struct Chosen {
    pub(super) distinct: Vec<(usize, usize)>,
    /// Of each head that was asked for, its place among them.
    pub(super) places: Vec<usize>,
    /// For each layer the places of its heads, where any are kept.
    pub(super) tables: Vec<Option<Vec<i32>>>,
}

impl Chosen {
    pub(super) fn of(heads: &[(usize, usize)], layers: usize, per_layer: usize) -> Self {
        let mut chosen = Chosen { distinct: Vec::new(), places: Vec::new(), tables: vec![None; layers] };
        for &(layer, head) in heads {
            let known = chosen.distinct.iter().position(|other| *other == (layer, head));
            let place = known.unwrap_or_else(|| {
                chosen.distinct.push((layer, head));
                chosen.distinct.len() - 1
            });
            chosen.places.push(place);
            let table = chosen.tables[layer].get_or_insert_with(|| vec![-1; per_layer]);
            table[head] = i32::try_from(place).unwrap_or(-1);
        }
        chosen
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_that_are_asked_for_twice_are_kept_once() {
        let chosen = Chosen::of(&[(2, 1), (0, 0), (2, 1), (2, 0)], 3, 2);
        assert_eq!(chosen.distinct, [(2, 1), (0, 0), (2, 0)]);
        assert_eq!(chosen.places, [0, 1, 0, 2]);
        assert_eq!(chosen.tables, [Some(vec![1, -1]), None, Some(vec![2, 0])]);
    }
}
