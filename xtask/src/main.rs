//! Project chores: `cargo xtask check` runs everything a change must pass, `cargo xtask parity` compares transcripts with
//! those of other programs, `cargo xtask formats` models in the formats that other programs write and read; `cargo xtask soak`,
//! `load` and `faults` try what the server promises; `cargo xtask gpu-report` says all that is to be known of a GPU.

mod built;
mod check;
mod faults;
mod figures;
mod formats;
#[cfg(unix)]
mod gpu_report;
mod load;
mod page;
mod parity;
#[cfg(test)]
mod promises;
mod serving;
mod soak;

use std::env;
use std::process::ExitCode;

use anyhow::{Result, bail};

const USAGE: &str = "usage: cargo xtask check [--fast]
       cargo xtask parity [--shared DIR] [--python PROGRAM] [--cache DIR] [--only NAME] [--write FILE]
       cargo xtask formats [--shared DIR] [--python PROGRAM] [--work DIR] [--program FILE] [--only NAMES] [--write FILE]
       cargo xtask soak [--program FILE] [--model MODEL] [--requests COUNT] [--clients COUNT] [--seed NUMBER] [--write FILE]
       cargo xtask load [--program FILE] [--model MODEL] [--compute-type TYPE] [--seconds COUNT] [--clients COUNTS]
                        [--live COUNTS] [--peer NAME=URL] [--peer-model NAME] [--write FILE] [--place NAME]
       cargo xtask faults [--program FILE] [--model FOLDER] [--only NAMES] [--small] [--write FILE]
       cargo xtask gpu-report pack [--out FOLDER] [--program FILE] [--most MIB]
       cargo xtask gpu-report run [--kit FOLDER] [--out FOLDER] [--work FOLDER] [--limit SECONDS] [--device DEVICE]
                        [--models SHAPES] [--python PROGRAM] [--minutes COUNT] [--together COUNT] [--only PARTS]
       cargo xtask gpu-report model SHAPE FOLDER

check    formatting, clippy, documentation, licences and duplicate crates, tests
  --fast            leaves the tests out
parity   transcripts beside those of openai-whisper, faster-whisper and transformers with the same weights
  --shared DIR      folder with models/espeak-whisper-std and audio [default: AMANUENSIS_SHARED, or ../shared]
  --python PROGRAM  a Python that has benches/requirements.txt [default: python3]
  --cache DIR       where the peers' results are kept [default: PARITY_CACHE, or target/parity]
  --only NAME       configurations whose name contains this
  --write FILE      writes the tables to a file too, docs/parity.md for one
formats  models in every format, made by the formats' own tools, read here, and what is written here read by others
  --shared DIR      as above
  --python PROGRAM  a Python that has benches/requirements-formats.txt; several times: what one has not is taken from
                    the next
  --work DIR        where the models are made, and kept [default: target/formats]
  --program FILE    this program, already built [default: builds it]
  --only NAMES      formats with one of these in their names, with commas between
  --write FILE      puts the tables into a page, docs/formats.md for one, between its marks
soak     requests of all kinds at once, a tenth of them broken, cancelled or slow, and what the server is like afterwards
  --program FILE    this program, already built [default: builds it]
  --model MODEL     the model that it serves [default: demo]
  --requests COUNT  how many [default: 2000]
  --clients COUNT   how many at a time [default: 8]
  --seed NUMBER     which of them come in which order [default: 1]
  --write FILE      puts the table into a page, docs/reliability.md for one, between its marks
load     how much a server does for 1, 8, 32 clients, how long a short sound takes while a long one is heard, and whether
         live sessions keep up
  --compute-type T  what the model is computed in [default: auto]
  --seconds COUNT   for each number of clients or sessions [default: 60]
  --clients COUNTS  numbers of clients, with commas between [default: 1,8,32]
  --live COUNTS     numbers of live sessions at once, with commas between [default: 1,8]
  --peer NAME=URL   the same with another server on this machine that has OpenAI's endpoints; as often as there are some
  --peer-model NAME what to ask them for [default: whisper-1]
  --place NAME      between which marks of the page the table goes [default: load]
faults   kills, full disks, damaged files, clients that mean harm: what must happen, and what happens
  --model FOLDER    a model that may be copied, and harmed [default: models/demo]
  --only NAMES      faults with one of these in their names, with commas between
  --small           without what takes gigabytes or many minutes
gpu-report pack     what a report of a GPU needs, in one folder, for a machine that has neither Rust nor a network
  --out FOLDER      where it goes [default: target/gpu-kit]
  --program FILE    this program, already built [default: builds it, for release]
  --most MIB        what the folder may take [default: 40]
gpu-report run      tests, compute-sanitizer, transcripts, benchmarks and other programs, in one report; exit status 0 only if
                    every part was done
  --kit FOLDER      what `pack` made; there `FOLDER/xtask gpu-report run --kit FOLDER` needs no cargo [default: packs one]
  --out FOLDER      where report.md, report.json and log.txt go [default: target/gpu-report]
  --work FOLDER     where models are made, and kept [default: a temporary folder]
  --limit SECONDS   for everything together [default: 570]
  --device DEVICE   as the program names it; cpu tries the report where there is no GPU [default: cuda]
  --models SHAPES   of the models with random weights [default: base,large-v3-turbo,large-v3,tiny]
  --python PROGRAM  a Python with torch and transformers, or with faster-whisper, to compare with [default: python3]
  --minutes COUNT   the most sound of the long piece of work; less where time is short [default: 600]
  --together COUNT  windows of it together [default: 64]
  --only PARTS      of tests, texts, bench, peers, sanitizer, with commas between
gpu-report model    a model of a published shape with random weights";

fn main() -> ExitCode {
    let given: Vec<String> = env::args().skip(1).collect();
    match run(&given.iter().map(String::as_str).collect::<Vec<_>>()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(given: &[&str]) -> Result<()> {
    match given {
        ["check", rest @ ..] => check::run(rest),
        ["parity", rest @ ..] => parity::run(rest),
        ["formats", rest @ ..] => formats::run(rest),
        ["soak", rest @ ..] => soak::run(rest),
        ["load", rest @ ..] => load::run(rest),
        ["faults", rest @ ..] => faults::run(rest),
        #[cfg(unix)]
        ["gpu-report", rest @ ..] => gpu_report::run(rest),
        _ => bail!("{USAGE}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn anything_else_is_refused_with_the_usage() {
        for arguments in [&[][..], &["chekc"], &["parity", "--no-such-flag"], &["parity", "--only"], &["gpu-report"]] {
            let error = run(arguments).err().unwrap().to_string();
            assert!(error.contains("usage:"), "{error}");
        }
    }
}
