//! An evaluation as a table.

mod against;

use super::measure::{Cost, Errors, Evaluation};
use super::times::WordTimes;
use crate::console::visible;
use crate::table::aligned;

const HEADINGS: [&str; 14] = [
    "file", "words", "WER", "CER", "sub", "del", "ins", "segments", "start", "end", "sound", "wall", "realtime", "peak",
];

/// The table of all files, their sum, and what has to be said beside it.
pub(crate) fn table(evaluation: &Evaluation) -> String {
    let mut rows = vec![HEADINGS.map(str::to_owned).to_vec()];
    for file in &evaluation.files {
        let segments = match file.segments.reference {
            Some(reference) => format!("{}/{reference}", file.segments.heard),
            None => file.segments.heard.to_string(),
        };
        let errors = (&file.words, &file.characters, file.word_times.as_ref());
        rows.push(row(&visible(&file.file), errors, &segments, &file.cost, file.peak_resident_bytes));
    }
    let total = &evaluation.total;
    let errors = (&total.words, &total.characters, total.word_times.as_ref());
    rows.push(row("all", errors, "", &total.cost, total.peak_resident_bytes));
    let mut lines =
        vec![format!("{} with {}, spelling: {}", evaluation.program, evaluation.model, evaluation.spelling)];
    lines.extend(aligned(&rows));
    if total.word_times.is_some() {
        lines.push("start, end: median and 90th percentile of the error, in ms, of the words that match".to_owned());
    }
    for invented in &evaluation.invented {
        lines.push(format!("invented: {}: {}", visible(&invented.file), visible(&invented.text)));
    }
    for file in &evaluation.files {
        lines.extend(
            file.warnings.iter().map(|warning| format!("warning: {}: {}", visible(&file.file), visible(warning))),
        );
    }
    for failed in &evaluation.failed {
        lines.push(format!("failed: {}: {}", visible(&failed.file), visible(&failed.error)));
    }
    if let Some(gate) = &evaluation.gate {
        lines.extend(against::lines(evaluation, gate));
    }
    lines.join("\n")
}

/// A rate of errors as a table has it.
fn percent(errors: &Errors) -> String {
    errors.rate.map_or("-".to_owned(), |rate| format!("{:.2}%", 100.0 * rate))
}

fn row(
    name: &str,
    (words, characters, times): (&Errors, &Errors, Option<&WordTimes>),
    segments: &str,
    cost: &Cost,
    peak: Option<u64>,
) -> Vec<String> {
    let milliseconds = |spread: Option<super::times::Spread>| {
        spread.map_or(String::new(), |spread| {
            format!("{:.0}/{:.0}", 1000.0 * spread.median, 1000.0 * spread.percentile_90)
        })
    };
    vec![
        name.to_owned(),
        words.reference.to_string(),
        percent(words),
        percent(characters),
        words.edits.substitutions.to_string(),
        words.edits.deletions.to_string(),
        words.edits.insertions.to_string(),
        segments.to_owned(),
        milliseconds(times.map(|times| times.start)),
        milliseconds(times.map(|times| times.end)),
        format!("{:.2} s", cost.sound_seconds),
        format!("{:.2} s", cost.wall_seconds),
        cost.realtime_factor.map_or(String::new(), |factor| format!("{factor:.1}x")),
        peak.map_or(String::new(), |bytes| format!("{} MiB", bytes >> 20)),
    ]
}
