//! `npu packs`: kernel packs, one file for each thing that can be done with them.

mod check;
mod import;
mod list;

use super::{Stop, print_json, print_text, read};
use crate::args::{NpuPacks, NpuPacksPart};

pub(super) fn run(asked: &NpuPacks) -> Result<u8, Stop> {
    match &asked.part {
        NpuPacksPart::List(asked) => list::run(asked),
        NpuPacksPart::Check(asked) => check::run(asked),
        NpuPacksPart::Import(asked) => import::run(asked),
    }
}
