//! The program's side: run as anybody would run it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Context, Result, bail};

use crate::built;

/// What was said in each recording, by its name; spaces and ends of lines are one space.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Texts(BTreeMap<String, String>);

impl Texts {
    pub(super) fn insert(&mut self, recording: &str, text: &str) {
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        self.0.insert(recording.to_owned(), text);
    }

    /// The recordings whose texts are not the same.
    pub(super) fn others(&self, other: &Texts) -> Vec<String> {
        let differs = |(name, text): &(&String, &String)| other.0.get(*name) != Some(text);
        self.0.iter().filter(differs).map(|(name, _)| name.clone()).collect()
    }
}

/// The program under test.
pub(super) struct Program {
    path: PathBuf,
}

impl Program {
    /// The one that is named, or else built for debugging: all but its speed is the same.
    pub(super) fn find(named: Option<&Path>) -> Result<Program> {
        Ok(Program { path: built::program(named)? })
    }

    fn run(&self, build: impl FnOnce(&mut Command)) -> Result<Output> {
        let mut command = Command::new(&self.path);
        build(&mut command);
        command.env("HF_HUB_OFFLINE", "1");
        command.output().with_context(|| format!("{} could not be started", self.path.display()))
    }

    /// The last line of the comparison: the verdict. An error where one of the two could not be read.
    pub(super) fn diff(&self, model: &Path, other: &Path) -> Result<String> {
        let output = self.run(|command| {
            command.arg("diff").args([model, other]);
        })?;
        let said = String::from_utf8_lossy(&output.stdout);
        match said.lines().rev().find(|line| !line.trim().is_empty()) {
            Some(verdict) if !output.stderr.starts_with(b"error") => Ok(verdict.trim().to_owned()),
            _ => bail!("{}", first_line(&output.stderr)),
        }
    }

    /// Writes a model in another format, in place of what an earlier run has written.
    pub(super) fn convert(&self, model: &Path, format: &str, kind: &str, place: &Path) -> Result<()> {
        let output = self.run(|command| {
            command.arg("convert").arg(model).args(["--to", format, "--type", kind, "--force", "-o"]).arg(place);
        })?;
        if !output.status.success() {
            bail!("{}", first_line(&output.stderr));
        }
        Ok(())
    }

    /// Transcribes the recordings one by one.
    pub(super) fn texts(&self, model: &Path, recordings: &[PathBuf], flags: &[&str]) -> Result<Texts> {
        let mut texts = Texts::default();
        for recording in recordings {
            let output = self.run(|command| {
                command.arg("transcribe").arg(recording).arg("--model").arg(model).args(flags);
                command.args(["-f", "txt", "--output-dir", "-", "--verbose=False", "--progress=off"]);
            })?;
            if !output.status.success() {
                bail!("{}", first_line(&output.stderr));
            }
            let name = recording.file_name().unwrap_or_default().to_string_lossy();
            texts.insert(&name, &String::from_utf8_lossy(&output.stdout));
        }
        Ok(texts)
    }
}

/// The first line that says something.
fn first_line(said: &[u8]) -> String {
    String::from_utf8_lossy(said).lines().find(|line| !line.trim().is_empty()).unwrap_or("no word of why").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_compared_by_their_words() {
        let mut texts = [Texts::default(), Texts::default()];
        texts[0].insert("a.wav", "One.\nTwo.\n");
        texts[1].insert("a.wav", " One. Two.");
        assert!(texts[0].others(&texts[1]).is_empty());
        texts[0].insert("b.wav", "Three.");
        assert_eq!(texts[0].others(&texts[1]), ["b.wav"]);
    }
}
