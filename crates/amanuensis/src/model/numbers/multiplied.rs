//! Numbers each column of which is multiplied with a factor of its own.

use amanuensis_kernels::Code;

use super::Encoding;

/// What files hold, changed on the way: a matrix whose columns, or a vector whose numbers, have factors.
#[derive(Debug, Clone, PartialEq)]
pub struct Multiplied {
    /// How the files write the numbers.
    pub inner: Box<Encoding>,
    /// A factor for every column.
    pub factors: Vec<f32>,
}

impl Multiplied {
    /// As [`Code::decode`].
    pub(super) fn decode(&self, bytes: &[u8], start: usize, into: &mut [f32]) {
        self.inner.decode(bytes, start, into);
        let columns = self.factors.len().max(1);
        for (number, factor) in into.iter_mut().zip(self.factors.iter().cycle().skip(start % columns)) {
            *number *= factor;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Dtype;
    use super::*;

    #[test]
    fn every_column_has_its_factor_wherever_reading_begins() {
        let bytes: Vec<u8> = (0..6_u8).flat_map(|number| f32::from(number).to_le_bytes()).collect();
        let factors = vec![1.0, 10.0, 0.5];
        let matrix = Multiplied { inner: Box::new(Encoding::Plain(Dtype::F32)), factors };
        let all = [0.0, 10.0, 1.0, 3.0, 40.0, 2.5];
        for start in 0..=6 {
            for end in start..=6 {
                let mut into = vec![-1.0; end - start];
                matrix.decode(&bytes[4 * start..4 * end], start, &mut into);
                assert_eq!(into, all[start..end]);
            }
        }
    }
}
