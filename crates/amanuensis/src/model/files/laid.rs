//! Numbers that lie in a storage in an order of their own: every axis has its stride.

use std::ops::Range;

use crate::model::bytes::Bytes;
use crate::model::fingerprint::Place;
use crate::model::weights::{Entry, Weights};
use crate::model::{Encoding, ModelError, Transposed};

/// No tensor of any model has this many axes.
pub(in crate::model) const MOST_AXES: usize = 8;

/// How the numbers of a tensor lie in a storage. Strides and the offset count numbers, not bytes.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::model) struct Laid {
    pub(in crate::model) encoding: Encoding,
    /// Bytes of one number.
    pub(in crate::model) size: usize,
    pub(in crate::model) shape: Vec<usize>,
    pub(in crate::model) strides: Vec<usize>,
    pub(in crate::model) offset: usize,
    /// The storage.
    pub(in crate::model) storage: Range<usize>,
}

/// The tensors of one file: those that lie in it as they are wanted, and those that are put in order in memory.
#[derive(Debug, Default)]
pub(in crate::model) struct Tensors {
    in_place: Vec<(String, Entry)>,
    ordered: Vec<(String, Entry)>,
    unpacked: Vec<u8>,
}

impl Tensors {
    /// Adds a tensor of `file`, in which its storage must lie.
    pub(in crate::model) fn add(&mut self, name: String, file: &[u8], laid: Laid) -> Result<(), String> {
        let within = |reason: String| format!("tensor {name}: {reason}");
        let available = laid.storage.len() / laid.size.max(1);
        let count = check(&laid, available).map_err(within)?;
        let Laid { encoding, size, shape, strides, offset, storage } = laid;
        let entry = |encoding, shape, range| Entry { file: 0, encoding, shape, range };
        if count == 0 || is_in_order(&shape, &strides) {
            let start = storage.start + if count == 0 { 0 } else { offset * size };
            let range = start..start + count * size;
            self.in_place.push((name, entry(encoding, shape, range)));
            return Ok(());
        }
        if let ([rows, columns], [1, across]) = (&shape[..], &strides[..])
            && across == rows
            && keeps_its_meaning(&encoding, count)
        {
            let (rows, columns, start) = (*rows, *columns, storage.start + offset * size);
            let transposed = Encoding::Transposed(Transposed { inner: Box::new(encoding), rows, columns });
            self.in_place.push((name, entry(transposed, shape, start..start + count * size)));
            return Ok(());
        }
        let start = self.unpacked.len();
        if start.saturating_add(count * size) > file.len() {
            return Err(within(
                "its numbers do not lie in order, and in order all such would be larger than the file".to_owned(),
            ));
        }
        let numbers = file.get(storage).unwrap_or_default();
        gather(numbers, size, &shape, &strides, offset, &mut self.unpacked);
        self.ordered.push((name, entry(encoding, shape, start..self.unpacked.len())));
        Ok(())
    }

    /// Hands the tensors over, with the file that they are in.
    pub(in crate::model) fn add_to(
        self,
        weights: &mut Weights,
        name: &str,
        place: Place,
        bytes: Bytes,
    ) -> Result<(), ModelError> {
        weights.add_file(name, place, bytes, self.in_place)?;
        Self::add_unpacked_to(weights, name, self.unpacked, self.ordered)
    }

    /// Hands the tensors over, which are in bytes that were unpacked from a file that is there already.
    pub(in crate::model) fn add_to_unpacked(
        self,
        weights: &mut Weights,
        name: &str,
        bytes: Vec<u8>,
    ) -> Result<(), ModelError> {
        Self::add_unpacked_to(weights, name, bytes, self.in_place)?;
        Self::add_unpacked_to(weights, name, self.unpacked, self.ordered)
    }

    fn add_unpacked_to(
        weights: &mut Weights,
        name: &str,
        bytes: Vec<u8>,
        tensors: Vec<(String, Entry)>,
    ) -> Result<(), ModelError> {
        if tensors.is_empty() { Ok(()) } else { weights.add_unpacked(name, bytes, tensors) }
    }
}

/// Whether numbers may change their order without changing what they are.
fn keeps_its_meaning(encoding: &Encoding, count: usize) -> bool {
    match encoding {
        Encoding::Plain(_) => true,
        Encoding::Scaled(scaled) => scaled.run == count,
        _ => false,
    }
}

/// How many numbers there are, once it is sure that all of them are in the storage.
fn check(laid: &Laid, available: usize) -> Result<usize, String> {
    let Laid { shape, strides, offset, .. } = laid;
    if shape.len() > MOST_AXES {
        return Err(format!("{} axes, more than the limit of {MOST_AXES}", shape.len()));
    }
    if shape.len() != strides.len() {
        return Err(format!("{} axes but {} strides", shape.len(), strides.len()));
    }
    if shape.contains(&0) {
        return Ok(0);
    }
    let count = shape.iter().try_fold(1_usize, |count, axis| count.checked_mul(*axis));
    let mut steps = shape.iter().zip(strides).map(|(axis, stride)| (axis - 1).checked_mul(*stride));
    let last = steps.try_fold(*offset, |at, step| at.checked_add(step?));
    // A stride of 0 makes many numbers of few; no weights are written so.
    match (count.filter(|count| *count <= available), last) {
        (Some(count), Some(last)) if last < available => Ok(count),
        _ => Err(format!(
            "its shape {shape:?} with the strides {strides:?} from {offset} on does not fit into its storage of {available} numbers"
        )),
    }
}

/// Whether the numbers stand one behind the other, row by row.
fn is_in_order(shape: &[usize], strides: &[usize]) -> bool {
    let mut expected = 1;
    shape.iter().zip(strides).rev().all(|(axis, stride)| {
        let fits = *axis == 1 || *stride == expected;
        expected *= axis;
        fits
    })
}

/// Puts numbers in order behind what is in `into`. They must be in the storage.
fn gather(storage: &[u8], size: usize, shape: &[usize], strides: &[usize], offset: usize, into: &mut Vec<u8>) {
    let (Some((last, outer)), Some((step, outer_strides))) = (shape.split_last(), strides.split_last()) else {
        return;
    };
    into.reserve(shape.iter().product::<usize>() * size);
    let mut place = vec![0; outer.len()];
    loop {
        let row = offset + place.iter().zip(outer_strides).map(|(at, stride)| at * stride).sum::<usize>();
        for column in 0..*last {
            let start = (row + column * step) * size;
            into.extend_from_slice(storage.get(start..start + size).unwrap_or_default());
        }
        // The next row, as an odometer counts.
        let Some(axis) = (0..outer.len()).rev().find(|axis| place[*axis] + 1 < outer[*axis]) else {
            return;
        };
        place[axis] += 1;
        place[axis + 1..].fill(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Dtype, Scaled, Whole};

    fn laid(shape: &[usize], strides: &[usize], offset: usize) -> Laid {
        let (shape, strides) = (shape.to_vec(), strides.to_vec());
        Laid { encoding: Dtype::F16.into(), size: 2, shape, strides, offset, storage: 4..28 }
    }

    fn added(laid: Laid) -> Result<Tensors, String> {
        let file: Vec<u8> = (0..28).collect();
        let mut tensors = Tensors::default();
        tensors.add("t".to_owned(), &file, laid)?;
        Ok(tensors)
    }

    #[test]
    fn what_lies_in_order_stays_where_it_is() {
        for (shape, strides, offset, range) in [
            (&[3, 4][..], &[4, 1][..], 0, 4..28),
            (&[2, 2], &[2, 1], 3, 10..18),
            (&[1, 3], &[77, 1], 1, 6..12),
            (&[], &[], 11, 26..28),
            (&[0, 5], &[1, 1], 9, 4..4),
        ] {
            let tensors = added(laid(shape, strides, offset)).unwrap();
            assert_eq!(tensors.in_place[0].1.range, range);
            assert_eq!((tensors.in_place[0].1.encoding.clone(), tensors.ordered.len()), (Dtype::F16.into(), 0));
        }
    }

    #[test]
    fn columns_stay_where_they_are_and_other_orders_are_made_good() {
        let tensors = added(laid(&[3, 4], &[1, 3], 0)).unwrap();
        let Entry { encoding: Encoding::Transposed(transposed), range, .. } = &tensors.in_place[0].1 else {
            panic!("{tensors:?}");
        };
        assert_eq!((transposed.rows, transposed.columns, range.clone()), (3, 4, 4..28));

        // Every second number; and axes in another order.
        let tensors = added(laid(&[3], &[2], 1)).unwrap();
        assert_eq!(tensors.unpacked, [6, 7, 10, 11, 14, 15]);
        let tensors = added(laid(&[2, 2, 3], &[1, 6, 2], 0)).unwrap();
        let numbers: Vec<u8> = tensors.unpacked.chunks(2).map(|number| (number[0] - 4) / 2).collect();
        assert_eq!(numbers, [0, 2, 4, 6, 8, 10, 1, 3, 5, 7, 9, 11]);
        assert_eq!(tensors.ordered[0].1.range, 0..24);

        // A scale for each row does not survive being read by columns, one for all does.
        let scaled = |run: usize| {
            let scales = vec![1.0; 12 / run];
            let encoding = Encoding::Scaled(Scaled { whole: Whole::I8, run, scales, zeros: vec![] });
            added(Laid { encoding, size: 1, ..laid(&[3, 4], &[1, 3], 0) }).unwrap()
        };
        assert_eq!((scaled(12).in_place.len(), scaled(12).ordered.len()), (1, 0));
        assert_eq!(scaled(4).unpacked, [4, 7, 10, 13, 5, 8, 11, 14, 6, 9, 12, 15]);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        for (shape, strides, offset) in [
            (&[3, 5][..], &[5, 1][..], 0),
            (&[12], &[1], 1),
            (&[2, 2], &[11, 1], 0),
            (&[1 << 40], &[0], 0),
            (&[13], &[0], 0),
            (&[1 << 40, 1 << 40], &[0, 0], 0),
            (&[2], &[usize::MAX], 1),
            (&[3], &[usize::MAX], 0),
            (&[1], &[1], usize::MAX),
        ] {
            let error = added(laid(shape, strides, offset)).unwrap_err();
            assert!(error.contains("does not fit into its storage of 12 numbers"), "{error}");
        }
        assert_eq!(added(laid(&[2, 2], &[1], 0)).unwrap_err(), "tensor t: 2 axes but 1 strides");
        let error = added(laid(&[1; 9], &[1; 9], 0)).unwrap_err();
        assert_eq!(error, "tensor t: 9 axes, more than the limit of 8");

        // Many views of one storage, each of another order, are not each copied without end.
        let file = [0; 28];
        let mut tensors = Tensors::default();
        let view = || laid(&[6], &[2], 0);
        let made: Result<(), String> = (0..9).try_for_each(|number| tensors.add(format!("t{number}"), &file, view()));
        assert!(made.unwrap_err().contains("larger than the file"));
        assert!(tensors.unpacked.len() <= file.len());
    }
}
