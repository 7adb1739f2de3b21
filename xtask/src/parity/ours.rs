//! The program's side: built for release, run as anybody would run it, read from the JSON it writes.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::document::Document;
use super::peer::Task;

/// The program under test.
pub(super) struct Program {
    path: PathBuf,
    pub(super) version: String,
    /// Flags that switch off what the peer does not have.
    alike: Vec<&'static str>,
}

/// Guards of this program that change a text where openai-whisper would let it pass.
const OWN_GUARDS: [&str; 1] = ["--hallucination-guard"];

/// The exit code for a command line that is refused.
const REFUSED: i32 = 2;

/// What became of a configuration.
pub(super) enum Made {
    /// A transcript for each recording.
    Documents(BTreeMap<String, Document>),
    /// The program does not take these flags; what it said.
    Refused(String),
}

impl Program {
    /// Builds it.
    pub(super) fn build() -> Result<Program> {
        let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let built = Command::new(cargo).args(["build", "--release", "--locked", "-p", "amanuensis-cli"]).status();
        let status = built.context("cargo could not be started")?;
        if !status.success() {
            bail!("the program could not be built ({status})");
        }
        let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| PathBuf::from("target"), PathBuf::from);
        let path = target.join("release").join(format!("amanuensis{}", env::consts::EXE_SUFFIX));
        let said = |arguments: &[&str]| -> Result<String> {
            let output = Command::new(&path).args(arguments).output();
            let output = output.with_context(|| format!("{} could not be started", path.display()))?;
            Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
        };
        let (version, help) = (said(&["--version"])?, said(&["transcribe", "--help"])?);
        let alike = OWN_GUARDS.into_iter().filter(|guard| help.contains(guard)).collect();
        Ok(Program { path, version, alike })
    }

    /// Transcribes the recordings of a configuration, one run for each language.
    pub(super) fn transcribe(&self, model: &Path, audio: &Path, tasks: &[Task], folder: &Path) -> Result<Made> {
        let mut documents = BTreeMap::new();
        let mut by_language: BTreeMap<&str, Vec<&Task>> = BTreeMap::new();
        for task in tasks {
            by_language.entry(&task.language).or_default().push(task);
        }
        if folder.exists() {
            fs::remove_dir_all(folder).with_context(|| format!("cannot empty {}", folder.display()))?;
        }
        for (language, tasks) in by_language {
            let flags = tasks.first().map(|task| flags(&task.flags)).unwrap_or_default();
            // The program's own guards are part of its own ways; where a peer's search is asked for they are not.
            let alike =
                if tasks.iter().any(|task| task.flags.contains_key("temperature")) { &self.alike[..] } else { &[] };
            let output = Command::new(&self.path)
                .arg("transcribe")
                .args(tasks.iter().map(|task| audio.join(&task.file)))
                .args([Path::new("--model"), model, Path::new("--output-dir"), folder])
                .args(["--output-format", "json", "--verbose=False", "--progress=off", "--language", language])
                .args(flags)
                .args(alike.iter().map(|guard| format!("{guard}=False")))
                .output()
                .with_context(|| format!("{} could not be started", self.path.display()))?;
            let said = String::from_utf8_lossy(&output.stderr);
            match output.status.code() {
                Some(0) => {}
                Some(REFUSED) => return Ok(Made::Refused(said.lines().next().unwrap_or_default().to_owned())),
                _ => bail!("the program failed ({}): {said}", output.status),
            }
            for task in tasks {
                let written = folder.join(Path::new(&task.file).with_extension("json"));
                documents.insert(task.file.clone(), Document::read(&written)?);
            }
        }
        Ok(Made::Documents(documents))
    }
}

/// The flags as words of a command line.
fn flags(asked: &BTreeMap<String, String>) -> Vec<String> {
    asked.iter().map(|(name, value)| format!("--{}={value}", name.replace('_', "-"))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_words_of_a_command_line() {
        let asked = BTreeMap::from([("beam_size".to_owned(), "5".to_owned())]);
        assert_eq!(flags(&asked), ["--beam-size=5"]);
    }
}
