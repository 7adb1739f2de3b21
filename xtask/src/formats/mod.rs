//! `cargo xtask formats`: models in every format, made by the formats' own tools, read here; and what is written here,
//! read by other programs.

mod program;
mod python;
mod table;

use std::env;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::{USAGE, page};
use program::{Program, Texts};
use python::{Offer, Pythons};
use table::{Cell, Made, Table, Written};

/// The models, by the ends of their folders' names.
const MODELS: [&str; 2] = ["demo", "std"];

/// The model that other programs read: they know no vocabulary but Whisper's.
const PEERS_MODEL: &str = "std";

const RECORDINGS: [&str; 5] = ["short_00.wav", "short_01.wav", "short_02.wav", "short_03.wav", "packed_0.wav"];

/// What is written, as a format and a type, and who reads it. Nobody else reads a GGUF of Whisper.
const WRITTEN: [(&str, &str, Option<&str>); 10] = [
    ("ggml", "f16", Some("whisper.cpp")),
    ("ggml", "q8_0", Some("whisper.cpp")),
    ("ggml", "q5_1", Some("whisper.cpp")),
    ("gguf", "f16", None),
    ("gguf", "q8_0", None),
    ("gguf", "q5_1", None),
    ("ct2", "f16", Some("faster-whisper")),
    ("ct2", "int8", Some("faster-whisper")),
    ("safetensors", "f16", Some("transformers")),
    ("npz", "f16", Some("numpy")),
];

/// What was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Asked {
    shared: PathBuf,
    pythons: Vec<String>,
    work: PathBuf,
    program: Option<PathBuf>,
    only: Vec<String>,
    write: Option<PathBuf>,
}

impl Asked {
    fn parse(arguments: &[&str]) -> Result<Asked> {
        let mut asked = Asked {
            shared: env::var("AMANUENSIS_SHARED").unwrap_or_else(|_| "../shared".to_owned()).into(),
            pythons: Vec::new(),
            work: "target/formats".into(),
            program: None,
            only: Vec::new(),
            write: None,
        };
        let mut arguments = arguments.iter();
        while let Some(flag) = arguments.next() {
            let Some(value) = arguments.next() else { bail!("{flag} needs a value\n{USAGE}") };
            match *flag {
                "--shared" => asked.shared = value.into(),
                "--python" => asked.pythons.push((*value).to_owned()),
                "--work" => asked.work = value.into(),
                "--program" => asked.program = Some(value.into()),
                "--only" => asked.only = value.split(',').map(str::to_owned).collect(),
                "--write" => asked.write = Some(value.into()),
                _ => bail!("{flag} is no flag of formats\n{USAGE}"),
            }
        }
        if asked.pythons.is_empty() {
            asked.pythons.push("python3".to_owned());
        }
        Ok(asked)
    }

    fn model(&self, name: &str) -> PathBuf {
        self.shared.join("models").join(format!("espeak-whisper-{name}"))
    }

    fn recordings(&self) -> Vec<PathBuf> {
        RECORDINGS.iter().map(|name| self.shared.join("audio").join(name)).collect()
    }

    fn wants(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|part| name.contains(part.as_str()))
    }
}

/// Runs the comparison with the arguments behind its name.
pub(crate) fn run(arguments: &[&str]) -> Result<()> {
    let asked = Asked::parse(arguments)?;
    for path in MODELS.map(|name| asked.model(name)).into_iter().chain(asked.recordings()) {
        if !path.exists() {
            bail!("{} is not here; --shared names the folder that holds it", path.display());
        }
    }
    if asked.write.is_some() && !asked.only.is_empty() {
        bail!("--write wants the whole table, --only a part of it");
    }
    let pythons = Pythons::ask(&asked.pythons)?;
    let program = Program::find(asked.program.as_deref())?;
    let table = Table { made: made(&asked, &pythons, &program)?, written: written(&asked, &pythons, &program)? };
    io::stdout().write_all(table.markdown().as_bytes()).context("cannot write to standard output")?;
    if let Some(path) = &asked.write {
        page::write(path, "formats", &table.markdown())?;
    }
    match table.failures() {
        0 => Ok(()),
        count => bail!("{count} of the models are not what they were made of; see the table"),
    }
}

/// A row for every format that others write.
fn made(asked: &Asked, pythons: &Pythons, program: &Program) -> Result<Vec<Made>> {
    let offers: Vec<&Offer> = pythons.makers().filter(|offer| asked.wants(&offer.name)).collect();
    let mut rows: Vec<Made> = offers.iter().map(|offer| Made::new(offer)).collect();
    for model in MODELS {
        let (folder, work) = (asked.model(model), absolute(&asked.work.join(model))?);
        let expected = program.texts(&folder, &asked.recordings(), &[])?;
        for (row, made) in rows.iter_mut().zip(pythons.make(&folder, &work, &offers)?) {
            eprintln!("formats: {model}, {}", row.name);
            row.cells.push(match made {
                Ok(place) => compared(program, &folder, &place, &expected, asked),
                Err(reason) => Cell::NotMade(reason),
            });
        }
    }
    Ok(rows)
}

/// What a model is beside that which it was made of.
fn compared(program: &Program, original: &Path, place: &Path, expected: &Texts, asked: &Asked) -> Cell {
    let verdict = match program.diff(original, place) {
        Ok(verdict) => verdict,
        Err(error) => return Cell::Refused(format!("{error:#}")),
    };
    match program.texts(place, &asked.recordings(), &[]) {
        Ok(texts) => Cell::Read { verdict, others: expected.others(&texts) },
        Err(error) => Cell::Refused(format!("{error:#}")),
    }
}

/// Both programs take the most probable token, once.
const GREEDY: [&str; 2] = ["--temperature-increment-on-fallback=None", "--language=en"];

/// A row for every format that is written here.
fn written(asked: &Asked, pythons: &Pythons, program: &Program) -> Result<Vec<Written>> {
    let model = asked.model(PEERS_MODEL);
    let folder = absolute(&asked.work.join("written"))?;
    let mut rows = Vec::new();
    for (format, kind, peer) in WRITTEN {
        let name = format!("{format}-{kind}");
        if !asked.wants(&name) {
            continue;
        }
        eprintln!("formats: writing {name}");
        // What was written by an earlier run is of an earlier program.
        let place = folder.join(if format.starts_with("gg") { format!("{name}.bin") } else { name.clone() });
        let cell = match program.convert(&model, format, kind, &place) {
            Ok(()) => compared(program, &model, &place, &program.texts(&model, &asked.recordings(), &[])?, asked),
            Err(error) => Cell::NotMade(format!("{error:#}")),
        };
        let mut row = Written { format, kind, cell, peer, with: String::new(), others: Err(String::new()) };
        if let (Some(peer), Cell::Read { .. }) = (peer, &row.cell) {
            row.others = match pythons.read(peer, &place, &model, &asked.recordings()) {
                Ok((with, texts)) => {
                    row.with = with;
                    Ok(program.texts(&place, &asked.recordings(), &GREEDY)?.others(&texts))
                }
                Err(error) => Err(format!("{error:#}")),
            };
        }
        rows.push(row);
    }
    Ok(rows)
}

fn absolute(folder: &Path) -> Result<PathBuf> {
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    folder.canonicalize().with_context(|| format!("cannot find {}", folder.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_have_values_and_names_are_parts() {
        let asked = Asked::parse(&["--only", "ggml,npz", "--python", "a", "--python", "b"]).unwrap();
        assert_eq!(asked.pythons, ["a", "b"]);
        assert!(asked.wants("ggml-q8_0") && asked.wants("npz") && !asked.wants("ct2-int8"));
        assert!(Asked::parse(&["--shared"]).is_err() && Asked::parse(&["--slow", "1"]).is_err());
        assert!(Asked::parse(&[]).unwrap().wants("everything"));
    }
}
