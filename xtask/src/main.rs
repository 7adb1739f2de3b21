//! Project chores: `cargo xtask check` runs everything a change must pass, `cargo xtask parity` compares transcripts with
//! those of other programs, `cargo xtask formats` models in the formats that other programs write and read.

mod check;
mod formats;
mod parity;

use std::env;
use std::process::ExitCode;

use anyhow::{Result, bail};

const USAGE: &str = "usage: cargo xtask check [--fast]
       cargo xtask parity [--shared DIR] [--python PROGRAM] [--cache DIR] [--only NAME] [--write FILE]
       cargo xtask formats [--shared DIR] [--python PROGRAM] [--work DIR] [--program FILE] [--only NAMES] [--write FILE]

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
  --write FILE      puts the tables into a page, docs/formats.md for one, between its marks";

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
        _ => bail!("{USAGE}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn anything_else_is_refused_with_the_usage() {
        for arguments in [&[][..], &["chekc"], &["parity", "--no-such-flag"], &["parity", "--only"]] {
            let error = run(arguments).err().unwrap().to_string();
            assert!(error.contains("usage:"), "{error}");
        }
    }
}
