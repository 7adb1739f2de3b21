//! The peers, through `benches/parity.py`: their results come from a cache that the script fills.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use super::Asked;
use super::document::Document;
use super::report::Standing;

const SCRIPT: &str = "benches/parity.py";

/// Another program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Peer {
    Openai,
    FasterWhisper,
    Transformers,
}

impl Peer {
    fn name(self) -> &'static str {
        match self {
            Peer::Openai => "openai",
            Peer::FasterWhisper => "faster-whisper",
            Peer::Transformers => "transformers",
        }
    }
}

/// A recording in a configuration, and where the peer's result lies.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Task {
    pub(super) configuration: String,
    /// Flags of openai-whisper's command line.
    pub(super) flags: BTreeMap<String, String>,
    pub(super) file: String,
    pub(super) language: String,
    /// The first token that is no text.
    pub(super) end_of_text: u32,
    result: PathBuf,
    /// Packages of the peer.
    pub(super) versions: BTreeMap<String, String>,
}

impl Task {
    /// What the peer made of it.
    pub(super) fn document(&self) -> Result<Document> {
        Document::read(&self.result)
    }

    /// The same recording with other flags.
    pub(super) fn with_flags(&self, flags: &BTreeMap<String, String>) -> Task {
        Task { flags: flags.clone(), ..self.clone() }
    }

    /// The stretches that were asked for, from second to second; none for the whole recording.
    pub(super) fn clips(&self) -> Vec<(f64, f64)> {
        let times = self.flags.get("clip_timestamps").map_or("", String::as_str);
        let times: Vec<f64> = times.split(',').filter_map(|time| time.trim().parse().ok()).collect();
        times.chunks_exact(2).map(|clip| (clip[0], clip[1])).collect()
    }
}

/// The results of a peer, made where they are not yet in the cache. Minutes when nothing is.
pub(super) fn results(asked: &Asked, peer: Peer) -> Result<Vec<Task>> {
    eprintln!("parity: results of {}", peer.name());
    let only = if peer == Peer::Openai { asked.only.as_str() } else { "" };
    let output = Command::new(&asked.python)
        .args([SCRIPT, "run", peer.name()])
        .args([asked.model(), asked.audio(), asked.cache.clone()])
        .args(["--only", only])
        .env("OMP_NUM_THREADS", "1")
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("{} could not be started; --python names another", asked.python))?;
    if !output.status.success() {
        bail!("{SCRIPT} run {} failed ({})", peer.name(), output.status);
    }
    let lines = String::from_utf8(output.stdout).context("the script did not write text")?;
    let tasks: Vec<Task> = lines
        .lines()
        .map(|line| serde_json::from_str(line).with_context(|| format!("the script wrote {line}")))
        .collect::<Result<_>>()?;
    if tasks.is_empty() {
        bail!("no configuration has {:?} in its name; benches/parity.json lists them", asked.only);
    }
    Ok(tasks)
}

/// Errors and words of a program, over all its texts.
#[derive(Debug, Clone, Copy, Deserialize)]
struct Score {
    words: usize,
    errors: usize,
}

/// The word error rate of every program.
pub(super) fn score(asked: &Asked, texts: &[Standing]) -> Result<Vec<(String, usize, usize)>> {
    let mut child = Command::new(&asked.python)
        .args([Path::new(SCRIPT), Path::new("score"), &asked.audio().join("manifest.jsonl")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("{} could not be started", asked.python))?;
    let mut input = child.stdin.take().context("the script has no input")?;
    for text in texts {
        writeln!(input, "{}", serde_json::to_string(text)?).context("the script stopped reading")?;
    }
    drop(input); // the script waits for the end of its input
    let output = child.wait_with_output().context("the script could not be waited for")?;
    if !output.status.success() {
        bail!("{SCRIPT} score failed ({})", output.status);
    }
    let scores: BTreeMap<String, Score> =
        serde_json::from_slice(&output.stdout).context("the script wrote no scores")?;
    Ok(scores.into_iter().map(|(name, score)| (name, score.errors, score.words)).collect())
}
