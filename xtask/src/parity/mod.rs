//! `cargo xtask parity`: what the program makes of the test recordings beside what other programs make of them with the
//! same weights, configuration by configuration.

mod compare;
mod document;
mod ours;
mod peer;
mod report;

use std::env;
use std::fs;
use std::io::{self, Write as _};
use std::path::PathBuf;

use anyhow::{Context, Result, bail};

use crate::USAGE;
use compare::Comparison;
use ours::{Made, Program};
use peer::{Peer, Task};
use report::{Report, Row, Standing, Verdict};

/// What was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Asked {
    shared: PathBuf,
    python: String,
    cache: PathBuf,
    only: String,
    write: Option<PathBuf>,
}

impl Asked {
    fn parse(arguments: &[&str]) -> Result<Asked> {
        let from_environment = |name: &str, otherwise: &str| env::var(name).unwrap_or_else(|_| otherwise.to_owned());
        let mut asked = Asked {
            shared: from_environment("AMANUENSIS_SHARED", "../shared").into(),
            python: "python3".to_owned(),
            cache: from_environment("PARITY_CACHE", "target/parity").into(),
            only: String::new(),
            write: None,
        };
        let mut arguments = arguments.iter();
        while let Some(flag) = arguments.next() {
            let Some(value) = arguments.next() else { bail!("{flag} needs a value\n{USAGE}") };
            match *flag {
                "--shared" => asked.shared = value.into(),
                "--python" => asked.python = (*value).to_owned(),
                "--cache" => asked.cache = value.into(),
                "--only" => asked.only = (*value).to_owned(),
                "--write" => asked.write = Some(value.into()),
                _ => bail!("{flag} is no flag of parity\n{USAGE}"),
            }
        }
        Ok(asked)
    }

    fn model(&self) -> PathBuf {
        self.shared.join("models/espeak-whisper-std")
    }

    fn audio(&self) -> PathBuf {
        self.shared.join("audio")
    }
}

/// Runs the comparison with the arguments behind its name.
pub(crate) fn run(arguments: &[&str]) -> Result<()> {
    let asked = Asked::parse(arguments)?;
    for folder in [asked.model(), asked.audio()] {
        if !folder.is_dir() {
            bail!("{} is not here; --shared names the folder that holds it", folder.display());
        }
    }
    let program = Program::build()?;
    let mut report = Report::new(&program)?;
    let mut texts = Vec::new();
    let tasks = peer::results(&asked, Peer::Openai)?;
    for (name, tasks) in by_configuration(&tasks) {
        eprintln!("parity: {name}");
        let made = program.transcribe(&asked.model(), &asked.audio(), &tasks, &asked.cache.join("ours"))?;
        report.rows.push(row(&name, &tasks, &made)?);
        if let (true, Made::Documents(ours)) = (SCORED.contains(&name.as_str()), &made) {
            for task in &tasks {
                texts.push(Standing::text(&format!("openai-whisper, {name}"), &task.file, &task.document()?.text));
                texts.push(Standing::text(&format!("amanuensis, {name}"), &task.file, &ours[&task.file].text));
            }
        }
    }
    report.versions(&tasks);
    if asked.only.is_empty() {
        beside_transformers(&asked, &program, &mut texts, &mut report)?;
        beside_faster_whisper(&asked, &program, &mut texts, &mut report)?;
    }
    report.standings = peer::score(&asked, &texts)?;
    io::stdout().write_all(report.markdown().as_bytes()).context("cannot write to standard output")?;
    if let Some(path) = &asked.write {
        fs::write(path, report.page()).with_context(|| format!("cannot write {}", path.display()))?;
    }
    match report.failures() {
        0 => Ok(()),
        count => bail!("{count} configurations or recordings are not as the peer's; see the table"),
    }
}

/// Configurations over all recordings, whose word error rates can be set beside each other.
const SCORED: [&str; 3] = ["greedy", "greedy, conditioned", "beam 5"];

/// Results in the order of their configurations.
fn by_configuration(tasks: &[Task]) -> Vec<(String, Vec<Task>)> {
    let mut groups: Vec<(String, Vec<Task>)> = Vec::new();
    for task in tasks {
        match groups.last_mut() {
            Some((name, group)) if *name == task.configuration => group.push(task.clone()),
            _ => groups.push((task.configuration.clone(), vec![task.clone()])),
        }
    }
    groups
}

/// Compares all recordings of a configuration.
fn row(name: &str, tasks: &[Task], made: &Made) -> Result<Row> {
    let ours = match made {
        Made::Documents(documents) => documents,
        Made::Refused(message) => {
            return Ok(Row::new(name, Verdict::NotAvailable(message.clone())));
        }
    };
    let mut row = Row::new(name, Verdict::Compared);
    for task in tasks {
        let expected = task.document()?;
        if expected.was_sampled() {
            row.sampled += 1;
            continue;
        }
        row.comparisons.push(Comparison::between(&task.file, &expected, &ours[&task.file], &task.clips()));
    }
    Ok(row)
}

/// Text tokens beside those of transformers, which tells no more than them.
fn beside_transformers(asked: &Asked, program: &Program, texts: &mut Vec<Standing>, report: &mut Report) -> Result<()> {
    let tasks = peer::results(asked, Peer::Transformers)?;
    report.versions(&tasks);
    for (name, tasks) in by_configuration(&tasks) {
        let made = program.transcribe(&asked.model(), &asked.audio(), &tasks, &asked.cache.join("ours"))?;
        let Made::Documents(ours) = made else { bail!("the program refuses the flags for transformers, {name}") };
        let mut others = Vec::new();
        for task in &tasks {
            let theirs = task.document()?;
            texts.push(Standing::text("transformers, greedy", &task.file, &theirs.text));
            if theirs.text_tokens(task.end_of_text) != ours[&task.file].text_tokens(task.end_of_text) {
                others.push(task.file.clone());
            }
        }
        report.transformers.push((name, tasks.len(), others));
    }
    Ok(())
}

/// Ways of the program that no peer has exactly.
const OWN_WAYS: [(&str, &[(&str, &str)]); 4] = [
    ("its defaults", &[]),
    ("batched", &[("batched", "True")]),
    ("batched, beam 5", &[("batched", "True"), ("beam_size", "5")]),
    ("batched, speech only", &[("batched", "True"), ("vad_filter", "True")]),
];

/// Both programs with their own defaults, and this one in its other ways, by the words they get right.
fn beside_faster_whisper(
    asked: &Asked,
    program: &Program,
    texts: &mut Vec<Standing>,
    report: &mut Report,
) -> Result<()> {
    let tasks = peer::results(asked, Peer::FasterWhisper)?;
    report.versions(&tasks);
    for task in &tasks {
        texts.push(Standing::text("faster-whisper, its defaults", &task.file, &task.document()?.text));
    }
    for (name, flags) in OWN_WAYS {
        let flags = flags.iter().map(|(flag, value)| ((*flag).to_owned(), (*value).to_owned())).collect();
        let tasks: Vec<Task> = tasks.iter().map(|task| task.with_flags(&flags)).collect();
        let made = program.transcribe(&asked.model(), &asked.audio(), &tasks, &asked.cache.join("ours"))?;
        let Made::Documents(ours) = made else { bail!("the program refuses its own flags, {name}") };
        for task in &tasks {
            texts.push(Standing::text(&format!("amanuensis, {name}"), &task.file, &ours[&task.file].text));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_have_values() {
        let asked = Asked::parse(&["--shared", "a", "--only", "beam", "--write", "docs/parity.md"]).unwrap();
        assert_eq!((asked.model(), asked.only.as_str()), (PathBuf::from("a/models/espeak-whisper-std"), "beam"));
        assert_eq!(asked.write, Some(PathBuf::from("docs/parity.md")));
        assert!(Asked::parse(&["--shared"]).is_err() && Asked::parse(&["--slow", "1"]).is_err());
    }
}
