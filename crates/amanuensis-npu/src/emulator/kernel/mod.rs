//! What cores promise to do with their tiles. Integers are exact; for floats a promise is an order of sums and a way to round, and
//! results are judged by their error, since the order within a core's instruction is not published.

mod float;
mod integer;

use crate::plan::{Arithmetic, Element, Overlay};

/// What a column of cores does: tiles of the left factor, one below the other, times a tile of the right factor. Elements
/// lie row by row in words, the first in the lowest bits.
pub trait Kernel: Send {
    /// Begins a tile of the product.
    fn begin(&mut self);

    /// Adds a product of two tiles.
    fn accumulate(&mut self, activations: &[u32], weights: &[u32]);

    /// Appends the tile of the product.
    fn store(&mut self, results: &mut Vec<u32>);
}

/// Sides of what a column of cores multiplies.
#[derive(Debug, Clone, Copy)]
struct Sides {
    rows: usize,
    inner: usize,
    columns: usize,
}

/// The kernel that an overlay promises.
pub fn kernel_of(overlay: &Overlay) -> Box<dyn Kernel> {
    let tile = overlay.tile;
    let sides = Sides { rows: tile.m * usize::from(overlay.rows), inner: tile.k, columns: tile.n };
    match (overlay.operands.arithmetic, overlay.operands.input) {
        (Arithmetic::Integer, Element::Int8) => Box::new(integer::Integer::new(sides, integer::bytes)),
        (Arithmetic::Integer, _) => Box::new(integer::Integer::new(sides, integer::halves)),
        (Arithmetic::Float | Arithmetic::BlockFloat, _) => Box::new(float::Float::new(sides, overlay)),
    }
}
