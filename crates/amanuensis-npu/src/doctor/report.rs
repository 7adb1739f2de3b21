//! What a doctor says.

use std::fmt;

use serde::Serialize;

/// The links of the chain, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// A device on the PCI bus.
    Device,
    /// Its driver.
    Driver,
    /// Its node.
    Node,
    /// Whether the node may be opened.
    Access,
    /// Who answers there.
    Name,
    /// The version of its interface.
    Interface,
    /// The firmware.
    Firmware,
    /// Columns, rows, clocks, power mode.
    Array,
    /// Contexts that are free.
    Contexts,
    /// Memory that may be locked.
    LockedMemory,
    /// The device heap.
    Heap,
    /// A kernel pack.
    Pack,
    /// A multiplication whose result is known.
    Canary,
    /// Multiplications of many sizes.
    Sweep,
}

impl Step {
    /// All of them, in order.
    pub const ALL: [Self; 14] = [
        Self::Device,
        Self::Driver,
        Self::Node,
        Self::Access,
        Self::Name,
        Self::Interface,
        Self::Firmware,
        Self::Array,
        Self::Contexts,
        Self::LockedMemory,
        Self::Heap,
        Self::Pack,
        Self::Canary,
        Self::Sweep,
    ];

    /// What it is called in a report.
    pub fn title(self) -> &'static str {
        match self {
            Self::Device => "PCI device",
            Self::Driver => "driver",
            Self::Node => "device node",
            Self::Access => "access",
            Self::Name => "driver's name",
            Self::Interface => "interface",
            Self::Firmware => "firmware",
            Self::Array => "array",
            Self::Contexts => "contexts",
            Self::LockedMemory => "locked memory",
            Self::Heap => "device heap",
            Self::Pack => "kernel pack",
            Self::Canary => "canary",
            Self::Sweep => "sweep",
        }
    }
}

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// As it should be.
    Passed,
    /// It works, but.
    Warned,
    /// The chain breaks here.
    Failed,
    /// It was not asked for, or cannot be done here.
    Skipped,
    /// The chain broke before.
    NotReached,
}

/// One check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// Which.
    pub step: Step,
    /// How it ended.
    pub outcome: Outcome,
    /// What was found.
    pub detail: String,
    /// What to do, where something is to be done.
    pub remedy: Option<String>,
}

/// Whether there is an NPU that can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// There is, and a canary lived on it.
    Usable,
    /// There is none.
    Absent,
    /// There is one, and it cannot be used.
    Unusable,
}

/// All checks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// What it comes to.
    pub state: State,
    /// In one sentence.
    pub summary: String,
    /// Whether what answered was the driver in memory. Then nothing here is about an NPU.
    pub emulated: bool,
    /// Every check, in order.
    pub checks: Vec<Check>,
}

impl Report {
    /// What a program ends with: 0 usable, 3 no NPU, 4 one that cannot be used.
    pub fn exit_code(&self) -> u8 {
        match self.state {
            State::Usable => 0,
            State::Absent => 3,
            State::Unusable => 4,
        }
    }

    /// The check of a step.
    pub fn check(&self, step: Step) -> Option<&Check> {
        self.checks.iter().find(|check| check.step == step)
    }

    /// The report for programs.
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_else(|error| format!("{{\"error\": \"{error}\"}}"))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Check { step, outcome, detail, remedy } in &self.checks {
            let outcome = match outcome {
                Outcome::Passed => "ok",
                Outcome::Warned => "note",
                Outcome::Failed => "FAILED",
                Outcome::Skipped => "skipped",
                Outcome::NotReached => "-",
            };
            writeln!(f, "{:<14} {outcome:<8} {detail}", step.title())?;
            if let Some(remedy) = remedy {
                writeln!(f, "{:<14} {:<8} {remedy}", "", "do:")?;
            }
        }
        write!(f, "{}", self.summary)
    }
}
