//! The past of a sequence in a decoder: the keys and values of every token it has seen.

use crate::kernels::Kernels;
use crate::memory::AlignedBuffer;
use crate::panels::{Attend, Kept, Layout, scratch_size};
use crate::precision::Precision;
use crate::team::{Region, Shares};

/// Keys and values of the tokens of one sequence, all heads. They grow where they are attended to
/// ([`Region::attention_to_past`]).
#[derive(Debug)]
pub struct Past {
    kernels: &'static Kernels,
    layout: Layout,
    numbers: Numbers,
    length: usize,
}

#[derive(Debug)]
enum Numbers {
    Singles(Panels<f32>),
    Halves(Panels<u16>),
}

/// As [`Layout`] says.
#[derive(Debug)]
struct Panels<T> {
    keys: AlignedBuffer<T>,
    values: AlignedBuffer<T>,
}

impl Past {
    /// Room for `capacity` tokens with `heads` heads of `head_size` channels, as f32 or f16. As f16 a number beyond 65,504
    /// becomes infinite, and what attends to it no number.
    ///
    /// # Panics
    /// When there are no heads or no channels, or it is another precision.
    pub fn new(
        kernels: &'static Kernels,
        precision: Precision,
        heads: usize,
        head_size: usize,
        capacity: usize,
    ) -> Past {
        assert!(heads > 0 && head_size > 0, "{heads} heads of {head_size} channels");
        let layout = Layout { heads, head_size, capacity, panel: kernels.panel };
        let numbers = match precision {
            Precision::F32 => Numbers::Singles(Panels::zeroed(&layout)),
            Precision::F16 => Numbers::Halves(Panels::zeroed(&layout)),
            Precision::Int8 | Precision::Int4 => {
                panic!("a past in {precision}, whose scales are those of what is whole")
            }
        };
        Past { kernels, layout, numbers, length: 0 }
    }

    /// Tokens seen.
    pub fn len(&self) -> usize {
        self.length
    }

    /// Whether no token was seen.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Tokens there is room for.
    pub fn capacity(&self) -> usize {
        self.layout.capacity
    }

    /// Forgets all tokens from `length` on.
    pub fn truncate(&mut self, length: usize) {
        self.length = self.length.min(length);
    }
}

impl<T: Kept> Panels<T> {
    fn zeroed(layout: &Layout) -> Panels<T> {
        Panels {
            keys: AlignedBuffer::zeroed(layout.heads * layout.head_keys()),
            values: AlignedBuffer::zeroed(layout.heads * layout.head_values()),
        }
    }

    /// Takes over the first `length` tokens.
    fn copy(&mut self, source: &Panels<T>, layout: &Layout, length: usize) {
        let Layout { head_size, capacity, panel, .. } = *layout;
        let used = length.next_multiple_of(panel) * head_size;
        let head = layout.head_keys().max(1);
        for (to, from) in self.keys.chunks_exact_mut(head).zip(source.keys.chunks_exact(head)) {
            to[..used].copy_from_slice(&from[..used]);
        }
        let column = (capacity * panel).max(1);
        for (to, from) in self.values.chunks_exact_mut(column).zip(source.values.chunks_exact(column)) {
            to[..length * panel].copy_from_slice(&from[..length * panel]);
        }
    }
}

impl Clone for Past {
    fn clone(&self) -> Past {
        let Layout { heads, head_size, capacity, .. } = self.layout;
        let precision = match self.numbers {
            Numbers::Singles(_) => Precision::F32,
            Numbers::Halves(_) => Precision::F16,
        };
        let mut copy = Past::new(self.kernels, precision, heads, head_size, capacity);
        copy.clone_from(self);
        copy
    }

    /// Copies only the tokens seen: what reordering the beams of a search costs.
    fn clone_from(&mut self, source: &Past) {
        let alike = self.layout == source.layout && std::ptr::eq(self.kernels, source.kernels);
        match (&mut self.numbers, &source.numbers) {
            (Numbers::Singles(own), Numbers::Singles(theirs)) if alike => {
                own.copy(theirs, &source.layout, source.length)
            }
            (Numbers::Halves(own), Numbers::Halves(theirs)) if alike => own.copy(theirs, &source.layout, source.length),
            _ => return *self = source.clone(),
        }
        self.length = source.length;
    }
}

/// What a sequence goes on by.
#[derive(Debug)]
pub struct Turn<'a> {
    /// Its past.
    pub past: &'a mut Past,
    /// New rows, one for each token.
    pub rows: usize,
}

impl Region<'_> {
    /// Attention of new rows to everything before them in their sequence and to themselves. `queries_keys_values` is
    /// `[rows, 3 * width]`, `out` is `[rows, width]`: those of the first turn, then those of the next. Keys and values of the
    /// new rows belong to the past from here on. Scores are divided by the root of the head size.
    ///
    /// A row's result is the same to the last bit whatever rows stand beside it.
    ///
    /// # Panics
    /// When the lengths do not fit each other, the pasts differ in heads or kernels, or one has no room.
    pub fn attention_to_past(&mut self, queries_keys_values: &[f32], turns: &mut [Turn<'_>], out: &mut [f32]) {
        let (given, wanted) = (queries_keys_values.len(), out.len());
        assert_eq!(given, 3 * wanted, "attention to a past: {given} numbers in, {wanted} out");
        let Some(Layout { heads, head_size, .. }) = turns.first().map(|turn| turn.past.layout) else {
            assert!(out.is_empty(), "attention to no past");
            return;
        };
        let (kernels, width) = (self.kernels(), heads * head_size);
        let mut rows = 0;
        let mut longest = 0;
        let shared: Vec<Shared> = turns
            .iter_mut()
            .map(|Turn { past, rows: new }| {
                assert!(std::ptr::eq(past.kernels, kernels), "a past laid out for {}", past.kernels.isa());
                let Layout { heads: found, head_size: of, capacity, .. } = past.layout;
                assert!((found, of) == (heads, head_size), "{found} heads of {of} beside {heads} of {head_size}");
                let before = past.length;
                assert!(before + *new <= capacity, "{before} and {new} tokens, room for {capacity}");
                let shared = Shared::of(past, rows, *new);
                rows += *new;
                longest = longest.max(before + *new);
                shared
            })
            .collect();
        assert_eq!(wanted, rows * width, "attention to a past: {wanted} numbers for {rows} rows of {width}");
        let target = Shares(out.as_mut_ptr());
        self.split_with_scratch(shared.len() * heads, scratch_size(kernels, head_size, longest), |scratch, block| {
            let (turn, head) = (&shared[block / heads], block % heads);
            let rows = &queries_keys_values[turn.first * 3 * width..][..turn.lengths.len() * 3 * width];
            // SAFETY: the rows of the turn and the columns of this head lie in `out`; they and this head of this past belong
            // to no other block.
            unsafe {
                let out = target.get().add(turn.first * width + head * head_size);
                match &turn.numbers {
                    Pointers::Singles(keys, values) => turn.go_on(kernels, keys, values, head, rows, scratch, out),
                    Pointers::Halves(keys, values) => turn.go_on(kernels, keys, values, head, rows, scratch, out),
                }
            }
        });
        for Turn { past, rows } in turns {
            past.length += *rows;
        }
    }
}

/// A turn as its threads see it, each a head.
struct Shared {
    layout: Layout,
    numbers: Pointers,
    /// The first of its rows among those of all turns.
    first: usize,
    /// How many tokens each of its rows sees.
    lengths: Vec<usize>,
}

/// Keys and values.
enum Pointers {
    Singles(Shares<f32>, Shares<f32>),
    Halves(Shares<u16>, Shares<u16>),
}

impl Shared {
    fn of(past: &mut Past, first: usize, rows: usize) -> Shared {
        let numbers = match &mut past.numbers {
            Numbers::Singles(Panels { keys, values }) => {
                Pointers::Singles(Shares(keys.as_mut_ptr()), Shares(values.as_mut_ptr()))
            }
            Numbers::Halves(Panels { keys, values }) => {
                Pointers::Halves(Shares(keys.as_mut_ptr()), Shares(values.as_mut_ptr()))
            }
        };
        Shared { layout: past.layout, numbers, first, lengths: (past.length + 1..=past.length + rows).collect() }
    }

    /// Puts the keys and values of one head of `rows` behind those before, and lets their queries see them.
    ///
    /// # Safety
    /// `keys` and `values` must be those of a past of this layout, `out` valid for rows of head-size numbers, a width apart;
    /// nobody else may touch this head of either.
    #[expect(clippy::too_many_arguments, reason = "what is read, what is written, and by whom")]
    unsafe fn go_on<T: Kept>(
        &self,
        kernels: &'static Kernels,
        keys: &Shares<T>,
        values: &Shares<T>,
        head: usize,
        rows: &[f32],
        scratch: &mut [f32],
        out: *mut f32,
    ) {
        let Shared { layout, lengths, .. } = self;
        let Layout { heads, head_size, .. } = *layout;
        let (head_keys, head_values, width) = (layout.head_keys(), layout.head_values(), heads * head_size);
        // SAFETY: a past has so many numbers for each of its heads, and this one is the caller's alone.
        let (keys, values) = unsafe {
            (
                std::slice::from_raw_parts_mut(keys.get().add(head * head_keys), head_keys),
                std::slice::from_raw_parts_mut(values.get().add(head * head_values), head_values),
            )
        };
        for (row, length) in rows.chunks_exact(3 * width).zip(lengths) {
            let part = |third: usize| &row[third * width + head * head_size..][..head_size];
            layout.put_key(keys, length - 1, part(1));
            layout.put_value(values, length - 1, part(2));
        }
        for (tile, lengths) in lengths.chunks(kernels.tile).enumerate() {
            let first = tile * kernels.tile;
            let attend = Attend {
                kernels,
                queries: &rows[first * 3 * width + head * head_size..],
                query_stride: 3 * width,
                rows: lengths.len(),
                layout: *layout,
                keys,
                values,
                lengths,
            };
            // SAFETY: the caller's promise.
            unsafe { attend.run(scratch, out.add(first * width), width, |_| ()) }
        }
    }
}
