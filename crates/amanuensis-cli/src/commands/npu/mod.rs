//! `npu`: AMD's NPUs, one file for each thing that can be done with one, or without.

mod bench;
mod device;
mod disasm;
mod doctor;
mod emulate;
mod matrices;
mod packs;
mod selftest;

use std::fs::File;
use std::io::{Read, stdin};
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::Serialize;

use super::{Stop, path_in};
use crate::args::{Npu, NpuEmulatePart, NpuPart, PackFolder};
use crate::console;
#[cfg(feature = "npu-emulated")]
pub(super) use emulate::rounding;

/// Names the folder of packs.
const PACKS_VARIABLE: &str = "AMANUENSIS_NPU_PACKS";
/// Where packs are in the user's data folder.
const PACKS: &str = "amanuensis/npu";

pub(super) fn run(asked: &Npu) -> Result<u8, Stop> {
    match &asked.part {
        NpuPart::Doctor(asked) => doctor::run(asked),
        NpuPart::Packs(asked) => packs::run(asked),
        NpuPart::Disasm(asked) => disasm::run(asked),
        NpuPart::Emulate(asked) => match &asked.part {
            NpuEmulatePart::Gemm(asked) => emulate::run(asked),
        },
        NpuPart::Selftest(asked) => selftest::run(asked),
        NpuPart::Bench(asked) => bench::run(asked),
    }
}

/// The folder of packs: the named one, or the environment's, or the user's.
pub(super) fn packs_folder(asked: Option<&Path>) -> PathBuf {
    asked
        .map(Path::to_owned)
        .or_else(|| path_in(PACKS_VARIABLE))
        .or_else(|| path_in("XDG_DATA_HOME").map(|folder| folder.join(PACKS)))
        .or_else(|| path_in("HOME").map(|home| home.join(".local/share").join(PACKS)))
        .unwrap_or_else(|| PACKS.into())
}

impl PackFolder {
    fn path(&self) -> PathBuf {
        packs_folder(self.packs.as_deref())
    }
}

/// A file's bytes, standard input's for `-`, if they are no more than `limit`.
fn read(path: &Path, limit: u64) -> Result<Vec<u8>, Stop> {
    let name = path.display();
    let mut bytes = Vec::new();
    let read = if path == Path::new("-") {
        stdin().lock().take(limit + 1).read_to_end(&mut bytes)
    } else {
        File::open(path).and_then(|file| file.take(limit + 1).read_to_end(&mut bytes))
    };
    read.with_context(|| format!("cannot read {name}"))?;
    if bytes.len() as u64 > limit {
        return Err(Stop::Failed(anyhow::anyhow!(
            "{name} has more than {limit} bytes, which is more than such a file has"
        )));
    }
    Ok(bytes)
}

/// Prints an object on lines of its own.
fn print_json(value: &impl Serialize) -> Result<(), Stop> {
    let json = serde_json::to_string_pretty(value).context("it cannot be written as JSON")?;
    Ok(console::print(format_args!("{json}"))?)
}

/// Prints a text of several lines in which files may have had a say.
fn print_text(text: &str) -> Result<(), Stop> {
    let lines = text.trim_end().lines().map(|line| console::visible(line.trim_end()));
    Ok(console::print(format_args!("{}", lines.collect::<Vec<_>>().join("\n")))?)
}
