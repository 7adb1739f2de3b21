//! Attention: over a whole window at once, and of single rows to what was heard.

use crate::generic::product::CHUNK;
use crate::heads::Tile;
use crate::keys_values::{KeysValues, Stored};
use crate::left::Norm;
use crate::matrix::PackedMatrix;
use crate::panels::{Attend, Layout, scratch_size};
use crate::precision::Precision;
use crate::team::{Region, Shares};

/// The scores of chosen heads, kept for whoever aligns words with sound.
#[derive(Clone, Debug, Default)]
pub struct AttentionWeights {
    heads: Vec<usize>,
    lengths: Vec<usize>,
    starts: Vec<usize>,
    scores: Vec<f32>,
}

impl AttentionWeights {
    /// Keep the scores of these heads.
    pub fn new(heads: Vec<usize>) -> AttentionWeights {
        AttentionWeights { heads, ..AttentionWeights::default() }
    }

    /// The heads whose scores are kept.
    pub fn heads(&self) -> &[usize] {
        &self.heads
    }

    /// How many rows of queries the last call had.
    pub fn rows(&self) -> usize {
        self.lengths.len()
    }

    /// The scaled scores, before softmax, of a row of the last call and the `chosen`-th of the heads: one for every
    /// position the row could see.
    ///
    /// # Panics
    /// When there is no such row or head.
    pub fn scores(&self, row: usize, chosen: usize) -> &[f32] {
        assert!(chosen < self.heads.len(), "head {chosen} of {} kept", self.heads.len());
        let length = self.lengths[row];
        &self.scores[self.starts[row] + chosen * length..][..length]
    }

    fn prepare(&mut self, targets: &[&KeysValues]) {
        self.lengths.clear();
        self.starts.clear();
        let mut start = 0;
        for target in targets {
            self.starts.push(start);
            self.lengths.push(target.len());
            start += target.len() * self.heads.len();
        }
        self.scores.clear();
        self.scores.resize(start, 0.0);
    }
}

impl Region<'_> {
    /// Attention of every position of a window to every other: `qkv` is `[time, 3 * width]`, queries, keys and values
    /// side by side; `out` is `[time, width]`; the width is `heads * head_size`. Scores are divided by the root of the
    /// head size. The precision is that of queries, keys, values and probabilities.
    ///
    /// # Panics
    /// When the lengths do not fit each other, or the precision is not one of attention.
    pub fn self_attention(
        &mut self,
        precision: Precision,
        qkv: &[f32],
        heads: usize,
        head_size: usize,
        out: &mut [f32],
    ) {
        let (width, time) = window(out.len(), heads, head_size);
        assert_eq!(qkv.len(), 3 * out.len(), "self-attention: {} numbers in, {} out", qkv.len(), out.len());
        let kept = self.team.scratch.kept.take();
        let mut kept = KeysValues::ensure(kept, self, precision, heads, head_size, time);
        kept.fill_from(self, qkv, 3 * width, width);
        self.attend_to(&kept, qkv, 3 * width, out);
        self.team.scratch.kept = Some(kept);
    }

    /// The same of products: rows of `x`, each through `norm` if there is one, times `weights`, whose outputs are queries, keys
    /// and values side by side. Queries are the only products that go to memory: keys and values are laid out by the thread
    /// that multiplies them, a head at a time.
    ///
    /// # Panics
    /// When the lengths do not fit each other, the matrix was packed for other kernels, or the precision is not one of
    /// attention.
    #[expect(clippy::too_many_arguments, reason = "what is multiplied, what it means, and where it goes")]
    pub fn attend(
        &mut self,
        precision: Precision,
        x: &[f32],
        norm: Option<Norm<'_>>,
        weights: &PackedMatrix,
        heads: usize,
        head_size: usize,
        out: &mut [f32],
    ) {
        let (width, time) = window(out.len(), heads, head_size);
        let mut rows = std::mem::take(&mut self.team.scratch.rows);
        let mut queries = std::mem::take(&mut self.team.scratch.queries);
        let kept = self.team.scratch.kept.take();
        self.pack_rows(x, norm, weights, &mut rows);
        assert_eq!(rows.len(), time, "self-attention: {} rows in, {time} out", rows.len());
        let mut kept = KeysValues::ensure(kept, self, precision, heads, head_size, time);
        let asked = queries.ensure(time * width);
        kept.project(self, &rows, weights, Some(&mut *asked));
        self.attend_to(&kept, asked, width, out);
        let scratch = &mut self.team.scratch;
        (scratch.rows, scratch.queries, scratch.kept) = (rows, queries, Some(kept));
    }

    /// Attention of every position to all that are kept: queries are the first columns of rows of `stride` numbers.
    fn attend_to(&mut self, kept: &KeysValues, queries: &[f32], stride: usize, out: &mut [f32]) {
        let kernels = self.kernels();
        let Layout { heads, head_size, .. } = kept.layout;
        let (width, time) = (kept.width(), kept.len());
        let (tile, floats) = match &kept.stored {
            Stored::Singles { .. } => (kernels.tile, scratch_size(kernels, head_size, time)),
            Stored::Bytes(held) => (kernels.tile_of_bytes, held.scratch()),
        };
        let tiles = time.div_ceil(tile);
        let lengths = vec![time; tile];
        let target = Shares(out.as_mut_ptr());
        self.split_with_scratch(heads * tiles, floats, |scratch, block| {
            let (head, first) = (block / tiles, block % tiles * tile);
            let rows = tile.min(time - first);
            let queries = &queries[first * stride + head * head_size..];
            // SAFETY: row `first` and the columns of this head lie in `out`.
            let out = unsafe { target.get().add(first * width + head * head_size) };
            // SAFETY: rows `first ..` and the columns of this head lie in `out` and belong to no other block.
            unsafe {
                match &kept.stored {
                    Stored::Singles { keys, values } => {
                        let (keys, values) = kept.layout.head(keys, values, head);
                        let lengths = &lengths[..rows];
                        let layout = kept.layout;
                        let attend =
                            Attend { kernels, queries, query_stride: stride, rows, layout, keys, values, lengths };
                        attend.run(scratch, out, width, |_| ());
                    }
                    Stored::Bytes(held) => {
                        let (kept, kept_stride) = (std::ptr::null_mut(), 0);
                        let tile =
                            Tile { queries, query_stride: stride, rows, out, out_stride: width, kept, kept_stride };
                        held.attend(head, &tile, scratch);
                    }
                }
            }
        });
    }

    /// Attention of single rows to what was heard, in a decoder: `queries` and `out` are `[rows, width]`, `targets` has one
    /// entry per row, and a row sees all its positions. Consecutive rows with the same keys and values read them once
    /// together. With `weights` the scores of its heads are kept.
    ///
    /// A row's result is the same to the last bit whatever rows stand beside it. A row that sees nothing gets zeros.
    ///
    /// # Panics
    /// When the lengths do not fit each other, or a kept head does not exist.
    pub fn attention(
        &mut self,
        queries: &[f32],
        targets: &[&KeysValues],
        heads: usize,
        out: &mut [f32],
        weights: Option<&mut AttentionWeights>,
    ) {
        let rows = targets.len();
        assert_eq!(queries.len(), out.len(), "attention: {} numbers in, {} out", queries.len(), out.len());
        if rows == 0 {
            assert!(out.is_empty(), "attention: queries without targets");
            if let Some(weights) = weights {
                weights.prepare(targets);
            }
            return;
        }
        assert!(out.len().is_multiple_of(rows), "attention: {} numbers are not {rows} rows", out.len());
        let width = out.len() / rows;
        let head_size = head_size(width, heads);
        let kernels = self.kernels();
        for (row, kept) in targets.iter().enumerate() {
            assert!(std::ptr::eq(kept.kernels, kernels), "keys and values laid out for {}", kept.kernels.isa());
            assert!(
                kept.layout.heads == heads && kept.layout.head_size == head_size,
                "row {row} has {heads} heads of {head_size}, its keys {} of {}",
                kept.layout.heads,
                kept.layout.head_size
            );
        }
        let groups = group(targets, kernels.tile);
        let longest = targets.iter().map(|target| target.len()).max().unwrap_or(0);
        let kept = weights.map(|weights| {
            assert!(weights.heads.iter().all(|&head| head < heads), "a kept head beyond the {heads} heads");
            weights.prepare(targets);
            Kept { heads: &weights.heads, starts: &weights.starts, scores: Shares(weights.scores.as_mut_ptr()) }
        });
        let target = Shares(out.as_mut_ptr());
        let bytes = targets.iter().find_map(|target| match &target.stored {
            Stored::Bytes(heads) => Some(heads.scratch()),
            Stored::Singles { .. } => None,
        });
        let floats = scratch_size(kernels, head_size, longest).max(bytes.unwrap_or(0));
        self.split_with_scratch(groups.len() * heads, floats, |scratch, block| {
            let (group, head) = (&groups[block / heads], block % heads);
            let state = targets[group.first];
            // SAFETY: row `first` of the group and the columns of this head lie in `out`.
            let out = unsafe { target.get().add(group.first * width + head * head_size) };
            let (keys, values) = match &state.stored {
                Stored::Singles { keys, values } => (keys, values),
                Stored::Bytes(held) => {
                    let place = kept.as_ref().and_then(|wanted| wanted.place(group, head));
                    let (scores, kept_stride) = place.unwrap_or((std::ptr::null_mut(), 0));
                    let queries = &queries[group.first * width + head * head_size..];
                    let rows = group.lengths.len();
                    let tile =
                        Tile { queries, query_stride: width, rows, out, out_stride: width, kept: scores, kept_stride };
                    // SAFETY: the rows of the group and the columns of this head lie in `out` and belong to no other
                    // block; every row sees all positions, and has room for their scores if they are kept.
                    unsafe { held.attend(head, &tile, scratch) };
                    if let Some(wanted) = &kept {
                        // SAFETY: the rows of this group and this head belong to this block alone.
                        unsafe { wanted.repeat(group, head) }
                    }
                    return;
                }
            };
            let (keys, values) = state.layout.head(keys, values, head);
            let attend = Attend {
                kernels,
                queries: &queries[group.first * width + head * head_size..],
                query_stride: width,
                rows: group.lengths.len(),
                layout: state.layout,
                keys,
                values,
                lengths: &group.lengths,
            };
            let keep = |strip: &[f32]| {
                if let Some(kept) = &kept {
                    // SAFETY: the rows of this group and this head belong to this block alone.
                    unsafe { kept.keep(strip, group, head) }
                }
            };
            // SAFETY: the rows of the group and the columns of this head lie in `out` and belong to no other block.
            unsafe { attend.run(scratch, out, width, keep) }
        });
    }
}

/// The width of a window's rows, and how many they are.
fn window(numbers: usize, heads: usize, head_size: usize) -> (usize, usize) {
    let width = heads * head_size;
    assert!(width > 0, "self-attention: {heads} heads of {head_size}");
    assert!(numbers.is_multiple_of(width), "self-attention: {numbers} numbers are not rows of {width}");
    (width, numbers / width)
}

fn head_size(width: usize, heads: usize) -> usize {
    assert!(heads > 0 && width > 0 && width.is_multiple_of(heads), "{heads} heads do not divide a width of {width}");
    width / heads
}

/// Consecutive rows that look at the same keys and values, at most a tile of them.
struct Group {
    first: usize,
    lengths: Vec<usize>,
}

fn group(targets: &[&KeysValues], tile: usize) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for (row, target) in targets.iter().enumerate() {
        match groups.last_mut() {
            Some(group) if group.lengths.len() < tile && std::ptr::eq(targets[group.first], *target) => {
                group.lengths.push(target.len());
            }
            _ => groups.push(Group { first: row, lengths: vec![target.len()] }),
        }
    }
    groups
}

/// Where the scores of the chosen heads go.
struct Kept<'a> {
    heads: &'a [usize],
    starts: &'a [usize],
    scores: Shares<f32>,
}

impl Kept<'_> {
    /// Where the scores of `head` for the first row of a group go, whose rows all see as many positions, and how far from
    /// there those of the next row; nothing if nobody wants them.
    fn place(&self, group: &Group, head: usize) -> Option<(*mut f32, usize)> {
        let chosen = self.heads.iter().position(|&wanted| wanted == head)?;
        let length = group.lengths[0];
        // SAFETY: the scores have room for every row and chosen head.
        let first = unsafe { self.scores.get().add(self.starts[group.first] + chosen * length) };
        Some((first, length * self.heads.len()))
    }

    /// Copy what stands at [`place`](Kept::place) to wherever else the same head is wanted.
    ///
    /// # Safety
    /// As for [`keep`](Kept::keep).
    unsafe fn repeat(&self, group: &Group, head: usize) {
        let mut wanted = self.heads.iter().enumerate().filter(|&(_, &wanted)| wanted == head).map(|(chosen, _)| chosen);
        let Some(first) = wanted.next() else { return };
        for chosen in wanted {
            for (row, &length) in group.lengths.iter().enumerate() {
                let start = self.starts[group.first + row];
                // SAFETY: both lie in the part of this row, and do not overlap.
                unsafe {
                    let (from, to) = (start + first * length, start + chosen * length);
                    std::ptr::copy_nonoverlapping(self.scores.get().add(from), self.scores.get().add(to), length);
                }
            }
        }
    }

    /// Copy the scores of `head` for the rows of `group` out of their packed strip.
    ///
    /// # Safety
    /// `scores` must have room for every row and chosen head, and nobody else may write those of this group and head.
    unsafe fn keep(&self, strip: &[f32], group: &Group, head: usize) {
        let rows = group.lengths.len();
        for (chosen, _) in self.heads.iter().enumerate().filter(|&(_, &wanted)| wanted == head) {
            for (row, &length) in group.lengths.iter().enumerate() {
                for start in (0..length).step_by(CHUNK) {
                    let from = &strip[(start / CHUNK * rows + row) * CHUNK..][..CHUNK.min(length - start)];
                    let at = self.starts[group.first + row] + chosen * length + start;
                    // SAFETY: at + from.len() lies in the part of this row and chosen head.
                    unsafe { std::ptr::copy_nonoverlapping(from.as_ptr(), self.scores.get().add(at), from.len()) }
                }
            }
        }
    }
}
