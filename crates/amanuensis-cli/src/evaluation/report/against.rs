//! Two computations of the same recordings as a table, and what the gate says.

use super::percent;
use crate::console::visible;
use crate::evaluation::against::{Beside, Check, Cosines, Gate, Steady, points};
use crate::evaluation::measure::{Errors, Evaluation};
use crate::table::aligned;

/// The table of all files and their sum, and the gate's verdict as the last line.
pub(super) fn lines(evaluation: &Evaluation, gate: &Gate) -> Vec<String> {
    let (this, other) = (gate.compute_type, gate.against);
    let headings = ["file", &format!("WER {this}"), other, "points", &format!("CER {this}"), other, "points"];
    let rest = ["text", "cosine", "mean", "windows", "words", "20 ms"];
    let mut rows = vec![headings.iter().chain(&rest).map(|heading| (*heading).to_owned()).collect::<Vec<_>>()];
    for file in &evaluation.files {
        let Some(Beside { words, characters, same_text, cosines, word_times, .. }) = &file.against else { continue };
        let mut row = vec![visible(&file.file).into_owned()];
        row.extend(rates(&file.words, words));
        row.extend(rates(&file.characters, characters));
        row.push(if *same_text { "same" } else { "differs" }.to_owned());
        row.extend(likeness(Cosines::of(cosines), *word_times));
        rows.push(row);
    }
    let total = &evaluation.total;
    let mut all = vec!["all".to_owned()];
    all.extend(rates(&total.words, &gate.words));
    all.extend(rates(&total.characters, &gate.characters));
    all.push(format!("{}/{} same", gate.same_texts, total.files));
    all.extend(likeness(gate.cosines, gate.word_times));
    rows.push(all);
    let mut lines = vec![
        String::new(),
        format!("{this} against {other}; cosine: the smallest between the encoders' outputs for a window"),
    ];
    lines.extend(aligned(&rows));
    if gate.word_times.is_some() {
        lines.push("20 ms: words of texts that are the same with both times within 20 ms of each other".to_owned());
    } else {
        lines.push(
            "times of words are not compared: they need --word-timestamps and a text that is the same".to_owned(),
        );
    }
    let checks: Vec<String> = gate.checks.iter().map(check).collect();
    lines.push(format!("gate {}: {}", if gate.passed { "passed" } else { "not passed" }, checks.join("; ")));
    lines
}

fn rates(this: &Errors, other: &Errors) -> [String; 3] {
    let apart = points(this, other).map_or(String::new(), |points| format!("{points:+.2}"));
    [percent(this), percent(other), apart]
}

fn likeness(cosines: Option<Cosines>, times: Option<Steady>) -> [String; 5] {
    let cosine = |value: fn(Cosines) -> f64| cosines.map_or(String::new(), |all| format!("{:.6}", value(all)));
    [
        cosine(|all| all.smallest),
        cosine(|all| all.mean),
        cosines.map_or(String::new(), |all| all.windows.to_string()),
        times.map_or(String::new(), |times| times.words.to_string()),
        times.and_then(Steady::share).map_or(String::new(), |share| format!("{:.2}%", 100.0 * share)),
    ]
}

/// A figure of the gate in words.
fn check(Check { name, value, limit, kept }: &Check) -> String {
    let name = name.replace('_', " ");
    match (value, kept) {
        (Some(value), Some(true)) => format!("{name} {value:.5} (limit {limit})"),
        (Some(value), _) => format!("{name} {value:.5} (limit {limit}, not kept)"),
        (None, _) => format!("{name} not measured"),
    }
}
