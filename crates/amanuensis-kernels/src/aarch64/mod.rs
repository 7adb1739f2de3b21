//! Vectors of 64-bit ARM.

mod neon;
mod neon_dot;

pub(crate) use neon::NEON;
pub(crate) use neon_dot::NEON_DOT;
