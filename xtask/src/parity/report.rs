//! The tables of a comparison, on the screen and as a page.

use std::collections::BTreeMap;
use std::env;
use std::fmt::Write as _;
use std::process::Command;

use anyhow::Result;
use serde::Serialize;

use super::compare::{Comparison, TOLERANCES, Worst};
use super::ours::Program;
use super::peer::Task;

/// A text of a program, to be scored.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Standing {
    name: String,
    file: String,
    text: String,
}

impl Standing {
    pub(super) fn text(name: &str, file: &str, text: &str) -> Self {
        Standing { name: name.to_owned(), file: file.to_owned(), text: text.to_owned() }
    }
}

/// Whether a configuration could be compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    Compared,
    /// The program refuses its flags; what it said.
    NotAvailable(String),
}

/// A configuration over its recordings.
pub(super) struct Row {
    name: String,
    verdict: Verdict,
    pub(super) comparisons: Vec<Comparison>,
    /// Recordings left out because the peer sampled.
    pub(super) sampled: usize,
}

impl Row {
    pub(super) fn new(name: &str, verdict: Verdict) -> Self {
        Row { name: name.to_owned(), verdict, comparisons: Vec::new(), sampled: 0 }
    }

    fn worst(&self) -> Worst {
        self.comparisons.iter().fold(Worst::default(), |worst, comparison| worst.or(comparison.worst))
    }

    /// Words of the peer and those of ours within the tolerance.
    fn words(&self) -> (usize, usize) {
        let sum = |count: fn(&Comparison) -> usize| self.comparisons.iter().map(count).sum();
        (sum(|comparison| comparison.words), sum(|comparison| comparison.equal_words))
    }

    /// Whether everything is the peer's, but for what hangs on a near tie.
    fn passes(&self) -> bool {
        let alike = |comparison: &Comparison| match &comparison.parting {
            Some(parting) => parting.is_near_tie(),
            None => comparison.same_text && comparison.same_count,
        };
        let (words, equal) = self.words();
        self.verdict == Verdict::Compared
            && self.comparisons.iter().all(alike)
            && self.worst().is_small()
            && equal as f64 >= TOLERANCES.words_within * words as f64
    }

    fn cells(&self) -> String {
        if let Verdict::NotAvailable(_) = &self.verdict {
            return format!("| {} | | | | | | | | | not available |", self.name);
        }
        let files = self.comparisons.len();
        let segments: usize = self.comparisons.iter().map(|comparison| comparison.segments).sum();
        let equal: usize = self.comparisons.iter().map(|comparison| comparison.equal_segments).sum();
        let tokens = self.comparisons.iter().filter(|comparison| comparison.same_tokens()).count();
        let worst = self.worst();
        let (words, equal_words) = self.words();
        let words = if words == 0 { String::new() } else { format!("{equal_words}/{words}") };
        let sampled = if self.sampled == 0 { String::new() } else { format!(" (+{} sampled)", self.sampled) };
        format!(
            "| {} | {files}{sampled} | {equal}/{segments} | {tokens}/{files} | {:.3} s | {:.1e} | {:.1e} | {:.2}% | {words} | {} |",
            self.name,
            worst.segment_seconds,
            worst.avg_logprob,
            worst.no_speech_prob,
            100.0 * worst.compression_ratio,
            if self.passes() { "equal" } else { "**differs**" },
        )
    }

    /// What has to be said of single recordings.
    fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if let Verdict::NotAvailable(message) = &self.verdict {
            notes.push(format!("{}: {message}", self.name));
        }
        for comparison in &self.comparisons {
            let place = format!("{}: {}", self.name, comparison.file);
            if let Some(parting) = &comparison.parting {
                let token = |token: Option<u32>| token.map_or("the end".to_owned(), |token| token.to_string());
                let margin = match parting.margin {
                    Some(margin) if parting.is_near_tie() => format!("a near tie, {margin:.1e} apart"),
                    Some(margin) => format!("the peer was sure by {margin:.3}"),
                    None => "how sure the peer was is not known".to_owned(),
                };
                notes.push(format!(
                    "{place}: window at {:.2} s, token {}: {} where the peer has {} ({margin})",
                    parting.seek as f64 / 100.0,
                    parting.position,
                    token(parting.found),
                    token(parting.expected),
                ));
            } else if !comparison.same_text {
                notes.push(format!("{place}: the same tokens, but another text"));
            }
            if !comparison.worst.is_small() {
                notes.push(format!("{place}: outside the tolerances: {}", described(&comparison.worst)));
            }
            if comparison.worst_word_seconds > TOLERANCES.word_seconds {
                let (equal, words) = (comparison.equal_words, comparison.words);
                let apart = comparison.worst_word_seconds;
                notes.push(format!("{place}: {equal} of {words} words in time, the worst {apart:.3} s away"));
            }
        }
        notes
    }
}

/// The measures that are outside the tolerances.
fn described(worst: &Worst) -> String {
    let ratio = 100.0 * worst.compression_ratio;
    let measures = [
        (worst.segment_seconds > TOLERANCES.segment_seconds, format!("times {:.3} s", worst.segment_seconds)),
        (worst.avg_logprob > TOLERANCES.avg_logprob, format!("avg_logprob {:.1e}", worst.avg_logprob)),
        (worst.no_speech_prob > TOLERANCES.no_speech_prob, format!("no_speech_prob {:.1e}", worst.no_speech_prob)),
        (worst.compression_ratio > TOLERANCES.compression_ratio, format!("compression_ratio {ratio:.2}%")),
    ];
    measures.into_iter().filter(|(outside, _)| *outside).map(|(_, measure)| measure).collect::<Vec<_>>().join(", ")
}

/// Everything that was found.
pub(super) struct Report {
    pub(super) rows: Vec<Row>,
    /// What was compared with transformers: its name, how many recordings, and those with other text tokens.
    pub(super) transformers: Vec<(String, usize, Vec<String>)>,
    /// Programs with their errors and words.
    pub(super) standings: Vec<(String, usize, usize)>,
    versions: BTreeMap<String, String>,
    program: String,
}

impl Report {
    pub(super) fn new(program: &Program) -> Result<Self> {
        let commit = Command::new("git").args(["describe", "--always", "--dirty"]).output();
        let commit = commit.ok().filter(|output| output.status.success());
        let commit = commit.map(|output| format!(" ({})", String::from_utf8_lossy(&output.stdout).trim()));
        Ok(Report {
            rows: Vec::new(),
            transformers: Vec::new(),
            standings: Vec::new(),
            versions: BTreeMap::new(),
            program: format!("{}{}", program.version, commit.unwrap_or_default()),
        })
    }

    /// Notes which packages the results are of.
    pub(super) fn versions(&mut self, tasks: &[Task]) {
        self.versions.extend(tasks.iter().flat_map(|task| task.versions.clone()));
    }

    /// Configurations outside the tolerances or not available, and recordings that transformers reads otherwise.
    pub(super) fn failures(&self) -> usize {
        let others: usize = self.transformers.iter().map(|(_, _, others)| others.len()).sum();
        self.rows.iter().filter(|row| !row.passes()).count() + others
    }

    /// The tables.
    pub(super) fn markdown(&self) -> String {
        let mut text = "| configuration | files | segments equal | files with equal tokens | times | avg_logprob | \
                        no_speech_prob | compression_ratio | words in time | |\n|---|---|---|---|---|---|---|---|---|---|\n"
            .to_owned();
        // Writing to a String does not fail.
        for row in &self.rows {
            let _ = writeln!(text, "{}", row.cells());
        }
        let notes: Vec<String> = self.rows.iter().flat_map(Row::notes).collect();
        if !notes.is_empty() {
            let _ = writeln!(text, "\n* {}", notes.join("\n* "));
        }
        for (name, all, others) in &self.transformers {
            let equal = all - others.len();
            let names = if others.is_empty() { String::new() } else { format!(", not {}", others.join(", ")) };
            let _ = writeln!(text, "\nText tokens equal to those of transformers, {name}: {equal} of {all}{names}.");
        }
        if !self.standings.is_empty() {
            text.push_str("\n| program | words | errors | word error rate |\n|---|---|---|---|\n");
            for (name, errors, words) in &self.standings {
                let rate = 100.0 * *errors as f64 / (*words).max(1) as f64;
                let _ = writeln!(text, "| {name} | {words} | {errors} | {rate:.2}% |");
            }
        }
        text
    }

    /// The page with the tables and what is needed to make them again.
    pub(super) fn page(&self) -> String {
        let versions: Vec<String> = self.versions.iter().map(|(name, version)| format!("{name} {version}")).collect();
        format!(
            "# Parity\n\n\
             Transcripts of this program beside those of openai-whisper, with the same weights (float32, one of this\n\
             project's own models with Whisper's standard vocabulary) and the same recordings. Made by\n\n    \
             cargo xtask parity --write docs/parity.md\n\n\
             which `benches/parity.json` tells what to run. Compared: {}, with {}; on {} {}.\n\n\
             Every number is the largest difference over all recordings of a configuration. Equal are the segments with\n\
             the same tokens that lie within {} s, and a configuration in which all tokens are the same, avg_logprob\n\
             within {:e}, no_speech_prob within {:e}, compression_ratio within {}%, and {}% of the words\n\
             within 20 ms. Tokens may part where the peer's own choice led by no more than {:e}: sums of float32 in\n\
             another order differ by that much. Segments without text, which openai-whisper keeps, and times behind the\n\
             end of the sound, which it passes on, do not count. Where the default ladder of the peer samples, no other\n\
             program can repeat it, and the recording is left out. With word times a segment that begins with a mark\n\
             shifts the words of those behind it by one in openai-whisper; here each keeps its own, so that some segments\n\
             have other words and times, while the words and their times are the same.\n\n\
             {}\n\
             Word error rates are over all recordings with text, judged by openai-whisper's normalisers. The\n\
             model is small and never learnt to follow a prompt: conditioned on its own mistakes it makes more, and\n\
             faster-whisper conditions by default. The defaults of two programs are not the same settings; those rows show\n\
             what a user gets, not parity.\n",
            self.program,
            versions.join(", "),
            env::consts::OS,
            env::consts::ARCH,
            TOLERANCES.segment_seconds,
            TOLERANCES.avg_logprob,
            TOLERANCES.no_speech_prob,
            100.0 * TOLERANCES.compression_ratio,
            100.0 * TOLERANCES.words_within,
            TOLERANCES.near_tie,
            self.markdown(),
        )
    }
}
