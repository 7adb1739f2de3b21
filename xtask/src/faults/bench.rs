//! What all faults need: servers, and questions of which the answer is known.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::serving::http::{Answer, Request};
use crate::serving::sounds::sample;
use crate::serving::{Place, Plan, Served};

/// How long anything that is not a large job may take.
pub(super) const PATIENCE: Duration = Duration::from_secs(300);

/// What all faults need.
pub(super) struct Bench {
    program: PathBuf,
    /// The folder of a model.
    pub(super) model: PathBuf,
    /// A short sound, and what is said in it.
    clip: Vec<u8>,
    text: String,
}

impl Bench {
    pub(super) fn new(program: &Path, model: &Path) -> Result<Self> {
        let model = model.canonicalize().with_context(|| format!("there is no model in {}", model.display()))?;
        let mut bench = Bench { program: program.to_owned(), model, clip: sample("english.wav")?, text: String::new() };
        let place = Place::new()?;
        let server = bench.plan().start(&place)?;
        bench.text = text(&server, &bench.clip)?;
        ensure!(!bench.text.is_empty(), "the model hears nothing in a sample");
        Ok(bench)
    }

    /// A server as anybody would start it.
    pub(super) fn plan(&self) -> Plan {
        Plan::new(&self.program, &format!("demo={}", self.model.display()))
    }

    /// Asks what is said in the short sound, and is content with the truth only.
    pub(super) fn check(&self, server: &Served) -> Result<()> {
        let heard = text(server, &self.clip)?;
        ensure!(heard == self.text, "it hears {heard:?} where {:?} is said", self.text);
        Ok(())
    }

    pub(super) fn clip(&self) -> &[u8] {
        &self.clip
    }
}

/// A form with a sound in it.
pub(super) fn form(path: &str, sound: &[u8], fields: &[(&str, &str)]) -> Request {
    let mut parts: Vec<(&str, Option<&str>, &[u8])> = vec![("model", None, b"whisper-1")];
    parts.extend(fields.iter().map(|(name, value)| (*name, None, value.as_bytes())));
    parts.push(("file", Some("sound"), sound));
    Request::form(path, &parts)
}

pub(super) const TRANSCRIPTIONS: &str = "/v1/audio/transcriptions";

/// What is said in a sound.
pub(super) fn text(server: &Served, sound: &[u8]) -> Result<String> {
    let answer = server.ask(&form(TRANSCRIPTIONS, sound, &[])).context("a transcription")?;
    expect(&answer, 200)?;
    Ok(answer.json()["text"].as_str().context("a transcript without text")?.to_owned())
}

/// An answer has to have this status, and an error the words that belong to it.
pub(super) fn expect(answer: &Answer, status: u16) -> Result<()> {
    ensure!(answer.status == status, "{} instead of {status}: {}", answer.status, answer.text());
    ensure!(
        status < 400 || answer.json()["error"]["message"].is_string(),
        "{status} without a message: {}",
        answer.text()
    );
    Ok(())
}

/// The message of an error.
pub(super) fn message(answer: &Answer) -> String {
    answer.json()["error"]["message"].as_str().unwrap_or_default().to_owned()
}

/// Adds a job: its number.
pub(super) fn add_job(server: &Served, sound: &[u8], fields: &[(&str, &str)], key: &str) -> Result<String> {
    let request = form("/v1/jobs", sound, fields).with("idempotency-key", key);
    let answer = server.ask(&request).context("a job")?;
    expect(&answer, 202)?;
    Ok(answer.json()["id"].as_str().context("a job without an id")?.to_owned())
}

/// Tries until it is so.
pub(super) fn wait_until(what: &str, patience: Duration, mut is_so: impl FnMut() -> Result<bool>) -> Result<()> {
    let begun = Instant::now();
    while !is_so()? {
        if begun.elapsed() > patience {
            bail!("{what}: not within {} s", patience.as_secs());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// A small disk in a folder, where this system lets one be made.
pub(super) struct SmallDisk {
    folder: PathBuf,
}

impl SmallDisk {
    pub(super) fn mount(folder: &Path, megabytes: u32) -> Option<Self> {
        let size = format!("size={megabytes}m");
        let mut command = Command::new("mount");
        command.args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(folder);
        let output = command.output().ok()?;
        output.status.success().then(|| SmallDisk { folder: folder.to_owned() })
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: a server that is just being killed may still have files there.
        let _ = Command::new("umount").arg("-l").arg(&self.folder).status();
    }
}
