//! Small files of very long sounds.

use std::time::Instant;

use anyhow::{Result, ensure};

use super::Fault;
use super::bench::{Bench, TRANSCRIPTIONS, expect, form};
use crate::figures::megabytes;
use crate::serving::process::{Peak, memory};
use crate::serving::{Place, sounds};

pub(super) const FAULTS: [Fault; 2] = [
    Fault::new(
        "decompression bomb, FLAC",
        "24 hours of silence in a FLAC of 0.4 MB that does not say how long it is",
        "413 when the limit (12 h) is reached; memory grows by less than 64 MB",
        |bench| bomb(bench, &sounds::silent_flac(24)),
    ),
    Fault::new(
        "decompression bomb, Opus",
        "24 hours of silence in an Opus file of 2.2 MB",
        "413 when the limit (12 h) is reached; memory grows by less than 64 MB",
        |bench| bomb(bench, &sounds::silent_opus(24)),
    ),
];

fn bomb(bench: &Bench, sound: &[u8]) -> Result<String> {
    let place = Place::new()?;
    let server = bench.plan().start(&place)?;
    bench.check(&server)?;
    let before = memory(server.pid())?;
    let peak = Peak::watch(server.pid());
    let began = Instant::now();
    let answer = server.ask(&form(TRANSCRIPTIONS, sound, &[]))?;
    let took = began.elapsed().as_secs_f64();
    let grew = peak.bytes().saturating_sub(before);
    expect(&answer, 413)?;
    ensure!(grew < 64_000_000, "memory grew by {}", megabytes(grew));
    ensure!(place.left_files().is_empty(), "left behind: {:?}", place.left_files());
    bench.check(&server)?;
    Ok(format!("413 after {took:.1} s; memory grew by {}", megabytes(grew)))
}
