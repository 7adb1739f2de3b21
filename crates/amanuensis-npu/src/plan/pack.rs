//! Matrices as the array wants them: padded with zeros to whole blocks, the right factor in the order in which it is used.

use half::bf16;

use super::{Element, Geometry, Overlay, WeightOrder};

mod sealed {
    pub trait Sealed {}
}

/// A number that matrices are made of.
pub trait Lane: Copy + Default + sealed::Sealed {
    /// Which kind it is.
    const ELEMENT: Element;

    /// Its bits, in the lower end of a word.
    fn to_word(self) -> u32;

    /// The number of the lower bits of a word.
    fn from_word(word: u32) -> Self;
}

macro_rules! lanes {
    ($($type:ty, $element:ident, $to:expr, $from:expr;)*) => {$(
        impl sealed::Sealed for $type {}

        impl Lane for $type {
            const ELEMENT: Element = Element::$element;

            fn to_word(self) -> u32 {
                ($to)(self)
            }

            fn from_word(word: u32) -> Self {
                ($from)(word)
            }
        }
    )*};
}

lanes! {
    i8, Int8, |value: i8| u32::from(value as u8), |word: u32| word as i8;
    i16, Int16, |value: i16| u32::from(value as u16), |word: u32| word as i16;
    i32, Int32, |value: i32| value as u32, |word: u32| word as i32;
    bf16, Bf16, |value: bf16| u32::from(value.to_bits()), |word: u32| bf16::from_bits(word as u16);
    f32, F32, f32::to_bits, f32::from_bits;
}

/// How weights are given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weights<'a, T> {
    /// K rows of N, as the product is written.
    ByInput(&'a [T]),
    /// N rows of K, as models keep them.
    ByOutput(&'a [T]),
}

/// Why a matrix was not packed or unpacked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PackError {
    /// It has not the number of elements of its sides.
    #[error("{what} has {found} elements, {expected} are expected")]
    Length {
        /// Which matrix.
        what: &'static str,
        /// How many there are.
        found: usize,
        /// How many there must be.
        expected: usize,
    },
    /// It is made of other numbers than the overlay's.
    #[error("{what} is made of {}, the overlay wants {}", .found.name(), .expected.name())]
    Element {
        /// Which matrix.
        what: &'static str,
        /// What it is made of.
        found: Element,
        /// What it must be made of.
        expected: Element,
    },
}

fn expect<T: Lane>(what: &'static str, found: usize, expected: usize, element: Element) -> Result<(), PackError> {
    if T::ELEMENT != element {
        return Err(PackError::Element { what, found: T::ELEMENT, expected: element });
    }
    if found == expected { Ok(()) } else { Err(PackError::Length { what, found, expected }) }
}

/// Words of a line of elements; what is missing in the last word is zero.
fn words<T: Lane>(line: &[T]) -> impl Iterator<Item = u32> {
    let bits = T::ELEMENT.bytes() as usize * 8;
    let join = move |lanes: &[T]| {
        lanes.iter().rev().fold(0, |word: u32, lane| word.checked_shl(bits as u32).unwrap_or(0) | lane.to_word())
    };
    line.chunks(T::ELEMENT.per_word() as usize).map(join)
}

/// Packs the left factor, m rows of k.
pub fn pack_activations<T: Lane>(rows: &[T], overlay: &Overlay, geometry: &Geometry) -> Result<Vec<u32>, PackError> {
    let ([m, k, _], [_, padded_k, _]) = (geometry.wanted, geometry.padded);
    expect::<T>("the left factor", rows.len(), m.saturating_mul(k), overlay.operands.input)?;
    let line = padded_k / T::ELEMENT.per_word() as usize;
    let mut packed = vec![0; geometry.activation_words];
    for (row, place) in rows.chunks_exact(k).zip(packed.chunks_exact_mut(line)) {
        words(row).zip(place).for_each(|(word, place)| *place = word);
    }
    Ok(packed)
}

/// Packs the right factor, once for all products with it.
pub fn pack_weights<T: Lane>(
    weights: Weights<'_, T>,
    overlay: &Overlay,
    geometry: &Geometry,
) -> Result<Vec<u32>, PackError> {
    let [_, k, n] = geometry.wanted;
    let (Weights::ByInput(values) | Weights::ByOutput(values)) = weights;
    expect::<T>("the right factor", values.len(), k.saturating_mul(n), overlay.operands.input)?;
    let at = |row: usize, column: usize| match weights {
        _ if row >= k || column >= n => T::default(),
        Weights::ByInput(values) => values[row * n + column],
        Weights::ByOutput(values) => values[column * k + row],
    };
    let mut packed = Vec::with_capacity(geometry.weight_words);
    let mut line = Vec::new();
    if !overlay.packs_weights() {
        for row in 0..geometry.padded[1] {
            line.clear();
            line.extend((0..geometry.padded[2]).map(|column| at(row, column)));
            packed.extend(words(&line));
        }
        return Ok(packed);
    }
    let (tile, columns) = (overlay.tile, usize::from(overlay.columns));
    let order = tile_order(overlay);
    for column in 0..columns {
        for block in 0..geometry.column_blocks as usize {
            let first_column = (block * columns + column) * tile.n;
            for first_row in (0..geometry.padded[1]).step_by(tile.k) {
                line.clear();
                line.extend(order.iter().map(|(row, column)| at(first_row + row, first_column + column)));
                packed.extend(words(&line));
            }
        }
    }
    Ok(packed)
}

/// Rows and columns of a tile of the right factor in the order in which they lie in the host's memory.
pub(crate) fn tile_order(overlay: &Overlay) -> Vec<(usize, usize)> {
    let (tile, micro) = (overlay.tile, overlay.micro);
    let (height, width) = match overlay.weights {
        WeightOrder::MicroTiles => (micro.s, micro.t),
        WeightOrder::Matrix | WeightOrder::Tiles => (tile.k, tile.n),
    };
    let mut order = Vec::with_capacity(tile.k * tile.n);
    for top in (0..tile.k).step_by(height.max(1)) {
        for left in (0..tile.n).step_by(width.max(1)) {
            let block = (top..top + height).flat_map(|row| (left..left + width).map(move |column| (row, column)));
            order.extend(block);
        }
    }
    order
}

/// The product without its padding, m rows of n.
pub fn unpack_results<T: Lane>(words: &[u32], overlay: &Overlay, geometry: &Geometry) -> Result<Vec<T>, PackError> {
    expect::<T>("the product", words.len(), geometry.result_words, overlay.operands.output)?;
    let ([m, _, n], per_word) = (geometry.wanted, T::ELEMENT.per_word() as usize);
    let bits = T::ELEMENT.bytes() as usize * 8;
    let mut values = Vec::with_capacity(m.saturating_mul(n));
    for line in words.chunks_exact(geometry.padded[2] / per_word).take(m) {
        let lanes = line.iter().flat_map(|word| (0..per_word).map(move |lane| T::from_word(word >> (lane * bits))));
        values.extend(lanes.take(n));
    }
    Ok(values)
}
