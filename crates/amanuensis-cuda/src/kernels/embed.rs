//! Embeddings.

use half::f16;

use super::Launch;
use crate::driver::View;
#[cfg(any(test, feature = "fake-driver"))]
use crate::driver::{GpuError, fake::Memory};

/// Embeddings of tokens and of their positions.
#[derive(Debug, Clone, Copy)]
pub struct Embed {
    /// `[vocabulary][width]`.
    pub tokens: View<f16>,
    /// `[context][width]`.
    pub positions: View<f32>,
    /// Token and position of each row.
    pub fed: View<i32>,
    /// `[rows][width]`.
    pub out: View<f32>,
    /// Numbers of a row.
    pub width: usize,
}

impl Embed {
    pub(super) fn launch(&self) -> Launch {
        Launch {
            kernel: "embed",
            grid: [self.fed.len() / 2, 1, 1],
            block: 128,
            arguments: vec![
                self.tokens.into(),
                self.positions.into(),
                self.fed.into(),
                self.out.into(),
                self.width.into(),
            ],
        }
    }

    #[cfg(any(test, feature = "fake-driver"))]
    pub(super) fn reference(&self, memory: &mut Memory) -> Result<(), GpuError> {
        let positions = memory.get(self.positions)?;
        for (row, place) in memory.get(self.fed)?.chunks_exact(2).enumerate() {
            let [token, position] =
                [place[0], place[1]].map(|number| usize::try_from(number).unwrap_or(usize::MAX / 4096));
            let token = memory.get(self.tokens.part(token * self.width..(token + 1) * self.width))?;
            let position = &positions[position * self.width..];
            let sums: Vec<f32> = token.iter().zip(position).map(|(token, place)| token.to_f32() + place).collect();
            memory.set(self.out, row * self.width, &sums)?;
        }
        Ok(())
    }
}
