//! What the parts of a report found, as it is written down and as tables are made of it.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::parts::Part;

/// Everything that was found, and what was not.
#[derive(Debug, Default, Serialize)]
pub(super) struct Findings {
    /// The kit that it was made with: commit, version.
    pub(super) commit: String,
    pub(super) version: String,
    pub(super) debug: bool,
    /// `--device` of the program.
    pub(super) device: String,
    /// The models whose speed was asked for.
    pub(super) models: Vec<String>,
    pub(super) seconds: f64,
    pub(super) parts: Vec<Part>,
    /// What the program lists.
    pub(super) devices: Option<Value>,
    pub(super) tests: Option<Tests>,
    /// What each tool of compute-sanitizer summed up.
    pub(super) sanitizer: BTreeMap<String, String>,
    pub(super) texts: Vec<Compared>,
    /// What `bench --json` said of each model, a run after the other.
    pub(super) bench: BTreeMap<String, Vec<Value>>,
    /// What the peers said, a line for each figure.
    pub(super) peers: Vec<Value>,
}

/// How the crate's tests went.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(super) struct Tests {
    pub(super) passed: u64,
    /// Names of those that failed.
    pub(super) failed: Vec<String>,
    /// Why tests said that they left out the GPU, if they did.
    pub(super) without_gpu: Option<String>,
}

/// A transcript of the device beside that of the CPU in f32.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Compared {
    pub(super) model: String,
    pub(super) sample: String,
    /// The device that its receipt names.
    pub(super) device: String,
    /// Tokens of the CPU's transcript.
    pub(super) tokens: usize,
    /// How many have to be put in, left out or replaced.
    pub(super) differences: usize,
    pub(super) same_text: bool,
}

impl Findings {
    /// Whether everything was done, and nothing was found that is not as it should be.
    pub(super) fn is_whole(&self) -> bool {
        self.parts.iter().all(|part| part.outcome == super::parts::Outcome::Done)
    }
}
