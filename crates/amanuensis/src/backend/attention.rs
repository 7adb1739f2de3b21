//! What chosen heads of the decoder looked at in the sound: word times are read from it.

/// Scaled scores, before softmax, of chosen heads of the cross-attention: for each lane and head one row for every
/// token fed, with one score for every position of its window.
///
/// Calls of [`Decoding::attend`](super::Decoding::attend) append rows, so a long text may be fed in pieces.
#[derive(Debug, Clone, Default)]
pub struct CrossAttention {
    /// Of the window of each lane.
    positions: Vec<usize>,
    heads: usize,
    /// `[lane][head]`, each `[row][position]`.
    scores: Vec<Vec<f32>>,
}

impl CrossAttention {
    /// Says what is about to be appended: for backends, at the start of each call. `positions` are those of the window
    /// of each lane.
    ///
    /// # Panics
    ///
    /// If rows of another shape are held.
    pub fn prepare(&mut self, positions: &[usize], heads: usize) {
        if self.scores.is_empty() {
            (self.positions, self.heads) = (positions.to_vec(), heads);
            self.scores.resize(positions.len() * heads, Vec::new());
        }
        let held = (self.positions.as_slice(), self.heads);
        assert_eq!(held, (positions, heads), "attention of other lanes, heads or positions is held");
    }

    /// Appends the row of one more token: for backends, in the order of the tokens.
    ///
    /// # Panics
    ///
    /// If there is no such lane or head, or the row has not one score for each position.
    pub fn push(&mut self, lane: usize, head: usize, row: &[f32]) {
        assert!(head < self.heads, "head {head} of {}", self.heads);
        assert_eq!(row.len(), self.positions[lane], "one score for each position");
        self.scores[lane * self.heads + head].extend_from_slice(row);
    }

    /// How many positions a row of a lane has.
    ///
    /// # Panics
    ///
    /// If there is no such lane.
    pub fn positions(&self, lane: usize) -> usize {
        self.positions[lane]
    }

    /// How many heads there are.
    pub fn heads(&self) -> usize {
        self.heads
    }

    /// The rows of a lane in the `head`-th of the heads asked for: `[row][position]`.
    ///
    /// # Panics
    ///
    /// If there is no such lane or head.
    pub fn rows(&self, lane: usize, head: usize) -> &[f32] {
        assert!(head < self.heads, "head {head} of {}", self.heads);
        &self.scores[lane * self.heads + head]
    }
}
