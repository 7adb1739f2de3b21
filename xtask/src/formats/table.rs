//! The tables, on the screen and as a part of a page.

use std::fmt::Write as _;

use super::python::Offer;
use super::{MODELS, PEERS_MODEL, RECORDINGS};
use crate::page::plain;

/// A model in a format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Cell {
    /// Read here: what `diff` says, and the recordings that have another text.
    Read { verdict: String, others: Vec<String> },
    /// Not read here; what the program said.
    Refused(String),
    /// Could not be made.
    NotMade(String),
}

impl Cell {
    /// Whether the model is what it was made of. Fewer bits may change a text, but nothing else may.
    fn failed(&self) -> bool {
        match self {
            Cell::Read { verdict, others } => {
                !verdict.starts_with("equal") || (verdict == "equal" && !others.is_empty())
            }
            Cell::Refused(_) => true,
            Cell::NotMade(_) => false,
        }
    }

    fn words(&self) -> String {
        let words = match self {
            Cell::Read { verdict, others } => format!("{verdict}; {}", same(others)),
            Cell::Refused(message) => format!("refused: {}", plain(message)),
            Cell::NotMade(reason) => return format!("not made: {}", plain(reason)),
        };
        if self.failed() { format!("**{words}**") } else { words }
    }
}

/// A format as its own tool makes it.
pub(super) struct Made {
    pub(super) name: String,
    how: String,
    with: String,
    /// One for each model.
    pub(super) cells: Vec<Cell>,
}

impl Made {
    pub(super) fn new(offer: &Offer) -> Made {
        let with = offer.with.clone().unwrap_or_default();
        Made { name: offer.name.clone(), how: offer.how.clone(), with, cells: Vec::new() }
    }
}

/// A format as it is written here.
pub(super) struct Written {
    pub(super) format: &'static str,
    pub(super) kind: &'static str,
    /// Read here again.
    pub(super) cell: Cell,
    pub(super) peer: Option<&'static str>,
    /// The peer's packages.
    pub(super) with: String,
    /// The recordings to which the peer has another text, or why it has none.
    pub(super) others: Result<Vec<String>, String>,
}

impl Written {
    fn peer_words(&self) -> String {
        match (&self.peer, &self.others) {
            (None, _) => "no other program reads it".to_owned(),
            (Some(peer), Ok(others)) => format!("{peer}: {}", same(others)),
            (Some(peer), Err(reason)) => format!("{peer}: not read: {}", plain(reason)),
        }
    }
}

pub(super) struct Table {
    pub(super) made: Vec<Made>,
    pub(super) written: Vec<Written>,
}

impl Table {
    pub(super) fn failures(&self) -> usize {
        let cells = self.made.iter().flat_map(|row| &row.cells).chain(self.written.iter().map(|row| &row.cell));
        cells.filter(|cell| cell.failed()).count()
    }

    pub(super) fn markdown(&self) -> String {
        let mut text = String::new();
        let _ = writeln!(text, "| made | with | {} |\n|---|---|{}", MODELS.join(" | "), "---|".repeat(MODELS.len()));
        for row in &self.made {
            let cells: Vec<String> = row.cells.iter().map(Cell::words).collect();
            let _ = writeln!(text, "| {} | {} | {} |", row.name, row.how, cells.join(" | "));
        }
        let _ = writeln!(text, "\n| written here, of {PEERS_MODEL} | read here | read by others |\n|---|---|---|");
        for row in &self.written {
            let _ = writeln!(text, "| {} {} | {} | {} |", row.format, row.kind, row.cell.words(), row.peer_words());
        }
        let packages = self.made.iter().map(|row| &row.with).chain(self.written.iter().map(|row| &row.with));
        let mut packages: Vec<&str> =
            packages.flat_map(|with| with.split(", ")).filter(|name| !name.is_empty()).collect();
        packages.sort_unstable();
        packages.dedup();
        let _ = writeln!(text, "\nRecordings: {}. Packages: {}.", RECORDINGS.join(", "), packages.join(", "));
        text
    }
}

fn same(others: &[String]) -> String {
    if others.is_empty() { "same text".to_owned() } else { format!("other text: {}", others.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fewer_bits_may_change_a_text_and_nothing_else_may() {
        let read = |verdict: &str, others: &[&str]| Cell::Read {
            verdict: verdict.to_owned(),
            others: others.iter().map(|&name| name.to_owned()).collect(),
        };
        assert!(!read("equal", &[]).failed() && read("equal", &["a.wav"]).failed());
        assert!(!read("equal within the rounding of Q4_0", &["a.wav"]).failed());
        assert!(read("different: 1 tensors and 0 settings", &[]).failed());
        assert!(Cell::Refused(String::new()).failed() && !Cell::NotMade(String::new()).failed());
    }
}
