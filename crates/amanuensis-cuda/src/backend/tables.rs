//! Whole numbers that kernels are told by tables, and not by arguments, so that a recorded step can be asked for again with others.

use std::sync::Arc;

use crate::driver::{Buffer, Gpu, GpuError, View, upload};

/// Room for tables, filled anew for every pass or step with one upload.
pub(super) struct Tables {
    buffer: Buffer<i32>,
    numbers: Vec<i32>,
}

/// A table that was put down, before it is on the device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    first: usize,
    len: usize,
}

impl Tables {
    /// Room for so many numbers, those spent on alignment among them.
    pub(super) fn new(gpu: &Arc<dyn Gpu>, room: usize) -> Result<Self, GpuError> {
        Ok(Tables { buffer: Buffer::new(gpu, room, "tables")?, numbers: Vec::new() })
    }

    /// How many numbers there is room for.
    pub(super) fn room(&self) -> usize {
        self.buffer.view().len()
    }

    /// How many numbers tables of so many numbers take.
    pub(super) fn needed(tables: &[usize]) -> usize {
        tables.iter().map(|len| len.next_multiple_of(4)).sum()
    }

    /// Forgets all tables.
    pub(super) fn clear(&mut self) {
        self.numbers.clear();
    }

    /// Puts a table down; kernels read up to four numbers of it at once.
    pub(super) fn put(&mut self, numbers: impl IntoIterator<Item = usize>) -> Place {
        self.put_signed(numbers.into_iter().map(|number| i32::try_from(number).unwrap_or(i32::MAX)))
    }

    /// The same, of numbers that may be less than zero.
    pub(super) fn put_signed(&mut self, numbers: impl IntoIterator<Item = i32>) -> Place {
        let first = self.numbers.len();
        self.numbers.extend(numbers);
        let len = self.numbers.len() - first;
        self.numbers.resize(self.numbers.len().next_multiple_of(4), 0);
        Place { first, len }
    }

    /// Where a table lies on the device.
    pub(super) fn view(&self, place: Place) -> View<i32> {
        self.buffer.view().part(place.first..place.first + place.len)
    }

    /// Brings all tables to the device.
    pub(super) fn send(&self, gpu: &dyn Gpu) -> Result<(), GpuError> {
        if self.numbers.len() > self.room() {
            let (wanted, there) = (format!("{} numbers", self.numbers.len()), format!("room for {}", self.room()));
            return Err(GpuError::Misuse { what: "tables", wanted, there });
        }
        upload(gpu, self.buffer.view().first(self.numbers.len()), &self.numbers)
    }
}
