//! The order of a product: panels of columns, in each groups of row blocks, two groups under way at a time.

use std::ops::Range;

use super::emit::{Emitter, Group};
use super::transfer::Transfer;
use super::{Bounds, Element, Fifo, Geometry, Limit, Overlay, Port, Refusal, WeightOrder};
use crate::txn::{Descriptor, Form, MOST_ARGUMENTS, MOST_PASSES, Stream, assemble};

/// Row blocks of a group. With two groups under way a channel has four pushes to work off, which is what its queue holds, and a
/// tile with four channels needs sixteen descriptors, which is what it has.
const GROUP: u64 = 2;
/// Words of the longest stream, 4 MiB: the streams of all shapes of a model lie in one heap of 64 MiB.
const LONGEST_STREAM: u64 = 1 << 20;
/// Words of a transfer's instructions, with its token and the wait.
const TRANSFER_WORDS: u64 = 12 + 12 + 7 + 6 + 4;

/// Where a matrix lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slice {
    /// Which argument of the command.
    pub argument: u32,
    /// Bytes behind its beginning.
    pub offset: u64,
}

/// Where the three matrices lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arguments {
    /// The left factor.
    pub activations: Slice,
    /// The right factor.
    pub weights: Slice,
    /// The product.
    pub results: Slice,
}

impl Default for Arguments {
    fn default() -> Self {
        let whole = |argument| Slice { argument, offset: 0 };
        Self { activations: whole(0), weights: whole(1), results: whole(2) }
    }
}

/// A product: m x k times k x n.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gemm {
    /// Rows of the left factor.
    pub m: usize,
    /// What is summed over.
    pub k: usize,
    /// Columns of the right factor.
    pub n: usize,
    /// Where the matrices lie.
    pub arguments: Arguments,
}

impl Gemm {
    /// A product whose matrices are the arguments 0, 1 and 2.
    pub fn new(m: usize, k: usize, n: usize) -> Self {
        Self { m, k, n, arguments: Arguments::default() }
    }
}

/// When in a group what leaves the array is set off. Both are what compilers do; the results are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Drain {
    /// Before what enters: no result waits for room.
    #[default]
    First,
    /// Behind it.
    Last,
}

/// A stream for a product, and what it was made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The stream.
    pub stream: Stream,
    /// How the product was cut.
    pub geometry: Geometry,
    /// Panels of columns it was cut into, 1 where limits allow it.
    pub panels: u64,
    /// Pushes in the stream.
    pub pushes: u64,
    /// Bytes that enter and leave the array.
    pub traffic: u64,
}

impl Plan {
    /// The words of the stream.
    pub fn words(&self) -> Vec<u32> {
        assemble(&self.stream)
    }
}

/// Plans a product on an overlay.
pub fn plan(overlay: &Overlay, gemm: &Gemm, drain: Drain) -> Result<Plan, Refusal> {
    let geometry = Geometry::new(overlay, gemm)?;
    if let Bounds::Fixed { depth } = overlay.bounds
        && u64::from(depth) != geometry.depth
    {
        return Err(Refusal::Depth { k: gemm.k, needed: geometry.depth, depth });
    }
    let arguments = gemm.arguments;
    for slice in [arguments.activations, arguments.weights, arguments.results] {
        if slice.argument >= MOST_ARGUMENTS {
            return Err(Refusal::Argument { argument: slice.argument });
        }
    }
    let most = most_columns(overlay);
    let panels = geometry.column_blocks.div_ceil(most);
    let width = geometry.column_blocks.div_ceil(panels);
    let panels = geometry.column_blocks.div_ceil(width);
    let streams = u64::from(overlay.activation_streams()) + 2 * u64::from(overlay.columns);
    let value = panels.saturating_mul(geometry.row_blocks).saturating_mul(streams * TRANSFER_WORDS);
    if value > LONGEST_STREAM {
        return Err(Refusal::Limit { what: "the product", limit: Limit::Stream, value, most: LONGEST_STREAM });
    }
    let mut planner = Planner { overlay, gemm, geometry, emitter: Emitter::new(overlay.generation), traffic: 0 };
    planner.emitter.parameters(overlay, geometry.depth, geometry.row_blocks * geometry.column_blocks)?;
    let mut under_way: Option<Group> = None;
    for panel in 0..panels {
        let columns = panel * width..((panel + 1) * width).min(geometry.column_blocks);
        for first in (0..geometry.row_blocks).step_by(GROUP as usize) {
            let rows = first..(first + GROUP).min(geometry.row_blocks);
            let group = planner.group(&rows, &columns, drain)?;
            if let Some(before) = under_way.replace(group) {
                planner.emitter.wait(before);
            }
        }
    }
    if let Some(last) = under_way {
        planner.emitter.wait(last);
    }
    let Planner { emitter, traffic, .. } = planner;
    let stream = Stream::new(overlay.generation, Form::Classic, emitter.instructions);
    Ok(Plan { stream, geometry, panels, pushes: emitter.pushes, traffic })
}

/// How many blocks of columns a panel may have: a push repeats the left factor so often, and a descriptor steps
/// through an unpacked right factor so often.
const fn most_columns(overlay: &Overlay) -> u64 {
    match overlay.weights {
        WeightOrder::Matrix => Descriptor::MOST_ITERATIONS as u64,
        WeightOrder::Tiles | WeightOrder::MicroTiles => MOST_PASSES as u64,
    }
}

struct Planner<'a> {
    overlay: &'a Overlay,
    gemm: &'a Gemm,
    geometry: Geometry,
    emitter: Emitter,
    traffic: u64,
}

impl Planner<'_> {
    fn group(&mut self, rows: &Range<u64>, columns: &Range<u64>, drain: Drain) -> Result<Group, Refusal> {
        let mut group = Group::default();
        let (streams, width) = (self.overlay.activation_streams(), self.overlay.columns);
        for index in 0..streams.max(width) {
            if drain == Drain::First && index < width {
                self.results(&mut group, index, rows, columns)?;
            }
            for row in rows.clone() {
                if index < streams {
                    let transfer = self.activations(index, row, columns);
                    self.push(
                        &mut group,
                        Fifo::Activations(index),
                        self.gemm.arguments.activations.argument,
                        &transfer,
                    )?;
                }
                if index < width {
                    let transfer = self.weights(index, columns);
                    self.push(&mut group, Fifo::Weights(index), self.gemm.arguments.weights.argument, &transfer)?;
                }
            }
            if drain == Drain::Last && index < width {
                self.results(&mut group, index, rows, columns)?;
            }
        }
        Ok(group)
    }

    /// The tiles of some rows of cores, once for each block of columns.
    fn activations(&self, stream: u8, row: u64, columns: &Range<u64>) -> Transfer {
        let (tile, geometry) = (self.overlay.tile, &self.geometry);
        let (m, k, inner) = (tile.m as u64, tile.k as u64, geometry.padded[1] as u64);
        let lines = m * u64::from(self.overlay.rows_per_stream);
        let first = row * m * u64::from(self.overlay.rows) + u64::from(stream) * lines;
        Transfer {
            what: "the left factor",
            element: self.overlay.operands.input,
            base: self.gemm.arguments.activations.offset,
            start: first * inner,
            sizes: [columns.end - columns.start, geometry.depth, lines, k],
            strides: [0, k, inner, 1],
        }
    }

    /// The tiles of a column of cores, for each block of columns.
    fn weights(&self, column: u8, columns: &Range<u64>) -> Transfer {
        let (tile, geometry) = (self.overlay.tile, &self.geometry);
        let (k, n) = (tile.k as u64, tile.n as u64);
        let (element, base) = (self.overlay.operands.input, self.gemm.arguments.weights.offset);
        let blocks = columns.end - columns.start;
        let what = "the right factor";
        if self.overlay.packs_weights() {
            let block = geometry.depth * k * n;
            let start = (u64::from(column) * geometry.column_blocks + columns.start) * block;
            return Transfer::row(what, element, base, start, blocks * block);
        }
        let (across, wide) = (n * u64::from(self.overlay.columns), geometry.padded[2] as u64);
        let start = columns.start * across + u64::from(column) * n;
        let (sizes, strides) = ([blocks, geometry.depth, k, n], [across, k * wide, wide, 1]);
        Transfer { what, element, base, start, sizes, strides }
    }

    /// The tiles of the product that a column of cores makes. A step from one row block to the next that is too
    /// long for a descriptor is made by another descriptor.
    fn results(
        &mut self,
        group: &mut Group,
        column: u8,
        rows: &Range<u64>,
        columns: &Range<u64>,
    ) -> Result<(), Refusal> {
        let (tile, wide) = (self.overlay.tile, self.geometry.padded[2] as u64);
        let (n, lines) = (tile.n as u64, tile.m as u64 * u64::from(self.overlay.rows));
        let across = n * u64::from(self.overlay.columns);
        let element: Element = self.overlay.operands.output;
        let step = lines * wide / element.per_word();
        let together = if step <= Descriptor::LONGEST_STRIDE as u64 { rows.end - rows.start } else { 1 };
        for first in rows.clone().step_by(together as usize) {
            let transfer = Transfer {
                what: "the product",
                element,
                base: self.gemm.arguments.results.offset,
                start: first * lines * wide + columns.start * across + u64::from(column) * n,
                sizes: [together.min(rows.end - first), columns.end - columns.start, lines, n],
                strides: [lines * wide, across, wide, 1],
            };
            self.push(group, Fifo::Results(column), self.gemm.arguments.results.argument, &transfer)?;
        }
        Ok(())
    }

    fn push(&mut self, group: &mut Group, fifo: Fifo, argument: u32, transfer: &Transfer) -> Result<(), Refusal> {
        let lowered = transfer.lower()?;
        let words = u64::from(lowered.descriptor.length) * u64::from(lowered.passes);
        self.traffic = self.traffic.saturating_add(words.saturating_mul(4));
        let port: Option<Port> = self.overlay.port(fifo);
        let port = port.ok_or(super::OverlayError::Ports { fifo, ports: 0 })?;
        self.emitter.transfer(group, port, argument, &lowered)
    }
}
