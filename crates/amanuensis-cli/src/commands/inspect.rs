//! `inspect`: what a model is, and what is in its files.

use super::Stop;
use crate::args::Inspect;

pub(super) fn run(asked: &Inspect) -> Result<u8, Stop> {
    Err(Stop::Failed(anyhow::anyhow!("{} {}", asked.model, asked.json)))
}
