//! Matrices that are written column by column.

use amanuensis_kernels::Code;

use super::Encoding;

/// A matrix of `rows` rows whose columns stand one behind the other.
#[derive(Debug, Clone, PartialEq)]
pub struct Transposed {
    /// How the numbers are written.
    pub inner: Box<Encoding>,
    /// Rows of the matrix as it is meant: numbers of a column.
    pub rows: usize,
    /// Its columns.
    pub columns: usize,
}

impl Transposed {
    /// As [`Code::decode`], of all bytes. A column at a time, of which only as many rows are read as are asked for.
    pub(super) fn decode(&self, bytes: &[u8], start: usize, into: &mut [f32]) {
        if into.is_empty() {
            return;
        }
        let end = start + into.len();
        let rows = start / self.columns..end.div_ceil(self.columns);
        let mut part = vec![0.0; rows.len()];
        for column in 0..self.columns {
            let first = column * self.rows + rows.start;
            match self.inner.span(first..first + rows.len()) {
                Some(span) => self.inner.decode(&bytes[span], first, &mut part),
                None => self.inner.decode(bytes, first, &mut part),
            }
            for (row, number) in rows.clone().zip(&part) {
                let place = row * self.columns + column;
                if (start..end).contains(&place) {
                    into[place - start] = *number;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Dtype;
    use super::*;

    #[test]
    fn rows_come_out_of_columns_wherever_reading_begins() {
        let bytes: Vec<u8> = [0.0_f32, 3.0, 6.0, 9.0, 1.0, 4.0, 7.0, 10.0, 2.0, 5.0, 8.0, 11.0]
            .iter()
            .flat_map(|number| number.to_le_bytes())
            .collect();
        let matrix = Transposed { inner: Box::new(Encoding::Plain(Dtype::F32)), rows: 4, columns: 3 };
        for start in 0..=12 {
            for end in start..=12 {
                let mut into = vec![-1.0; end - start];
                matrix.decode(&bytes, start, &mut into);
                let expected: Vec<f32> = (start..end).map(|number| number as f32).collect();
                assert_eq!(into, expected);
            }
        }
    }
}
