//! `cargo xtask faults`: what goes wrong in the world, done to a server on purpose; and whether what must happen happens.

mod bench;
mod bombs;
mod clients;
mod kills;
mod storage;
mod suite;

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::page::plain;
use crate::serving::process::circumstances;
use crate::{USAGE, built, page};
use bench::Bench;

/// Something that goes wrong.
struct Fault {
    name: &'static str,
    /// What is done.
    done: &'static str,
    /// What must happen.
    must: &'static str,
    /// Does it: what happened, or what happened instead.
    act: fn(&Bench) -> Result<String>,
    /// Whether it takes gigabytes or many minutes.
    is_large: bool,
}

impl Fault {
    const fn new(
        name: &'static str,
        done: &'static str,
        must: &'static str,
        act: fn(&Bench) -> Result<String>,
    ) -> Self {
        Fault { name, done, must, act, is_large: false }
    }

    const fn large(self) -> Self {
        Fault { is_large: true, ..self }
    }
}

/// What was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Asked {
    program: Option<PathBuf>,
    model: PathBuf,
    only: Vec<String>,
    is_small: bool,
    write: Option<PathBuf>,
}

impl Asked {
    fn parse(arguments: &[&str]) -> Result<Asked> {
        let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/demo");
        let mut asked = Asked { program: None, model, only: Vec::new(), is_small: false, write: None };
        let mut arguments = arguments.iter();
        while let Some(flag) = arguments.next() {
            if *flag == "--small" {
                asked.is_small = true;
                continue;
            }
            let Some(value) = arguments.next() else { bail!("{flag} needs a value\n{USAGE}") };
            match *flag {
                "--program" => asked.program = Some(value.into()),
                "--model" => asked.model = value.into(),
                "--only" => asked.only = value.split(',').map(str::to_owned).collect(),
                "--write" => asked.write = Some(value.into()),
                _ => bail!("{flag} is no flag of faults\n{USAGE}"),
            }
        }
        Ok(asked)
    }

    fn wants(&self, fault: &Fault) -> bool {
        let is_named = self.only.is_empty() || self.only.iter().any(|part| fault.name.contains(part.as_str()));
        is_named && !(self.is_small && fault.is_large)
    }
}

/// Does what is wanted of it, with the arguments behind its name.
pub(crate) fn run(arguments: &[&str]) -> Result<()> {
    let asked = Asked::parse(arguments)?;
    if asked.write.is_some() && !asked.only.is_empty() {
        bail!("--write wants the whole table, --only a part of it");
    }
    let program = built::program(asked.program.as_deref())?;
    let bench = Bench::new(&program, &asked.model)?;
    let mut rows = Vec::new();
    let lists: [&[Fault]; 5] = [&kills::FAULTS, &storage::FAULTS, &clients::FAULTS, &bombs::FAULTS, &suite::FAULTS];
    for fault in lists.into_iter().flatten().filter(|fault| asked.wants(fault)) {
        eprintln!("faults: {}", fault.name);
        let began = Instant::now();
        let happened = (fault.act)(&bench).map_err(|error| format!("{error:#}"));
        eprintln!("faults: {:.1} s: {happened:?}", began.elapsed().as_secs_f64());
        rows.push((fault, happened));
    }
    let text = markdown(&rows, &circumstances(&program), if asked.is_small { " --small" } else { "" });
    io::stdout().write_all(text.as_bytes()).context("cannot write to standard output")?;
    if let Some(path) = &asked.write {
        page::write(path, "faults", &text)?;
    }
    match rows.iter().filter(|(_, happened)| happened.is_err()).count() {
        0 => Ok(()),
        count => bail!("{count} faults do not end as they must; see the table"),
    }
}

fn markdown(rows: &[(&Fault, Result<String, String>)], about: &str, flags: &str) -> String {
    let mut text = String::from("| what is done | what must happen | what happened | |\n|---|---|---|---|\n");
    for (fault, happened) in rows {
        let (words, verdict) = match happened {
            Ok(words) => (words, "pass"),
            Err(words) => (words, "**fail**"),
        };
        text += &format!("| {} | {} | {} | {verdict} |\n", plain(fault.done), plain(fault.must), plain(words));
    }
    text + &format!("\n`cargo xtask faults{flags}`\n\n{about}.\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_parts_and_small_runs_leave_large_ones_out() {
        const FAULT: Fault = Fault::new("disk full", "a", "b", |_| Ok(String::new()));
        let asked = Asked::parse(&["--only", "disk,kill", "--small"]).unwrap();
        assert!(asked.wants(&FAULT) && !asked.wants(&FAULT.large()));
        assert!(!Asked::parse(&["--only", "kill"]).unwrap().wants(&FAULT));
        assert!(Asked::parse(&["--only"]).is_err() && Asked::parse(&["--slow", "1"]).is_err());
    }

    #[test]
    fn a_row_says_how_it_ended() {
        const FAULT: Fault = Fault::new("x", "a|b", "c", |_| Ok(String::new()));
        let text = markdown(&[(&FAULT, Err("no\nway".to_owned()))], "here", "");
        assert!(text.contains("| a/b | c | no way | **fail** |"), "{text}");
    }
}
