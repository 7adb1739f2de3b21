//! Words set in lines, and lines in cues, within a width.
//!
//! Lines are filled one after another, or balanced: as few as can be, their lengths similar, broken behind a mark or
//! before a conjunction where that costs little. How much text goes into each of several cues is decided the same way.

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;

use super::super::captions::Captions;
use super::super::channel::Channels;
use super::words::Unit;
use super::{Cue, CueWord, LONG_PAUSE, pace, sentences, width, words};
use crate::segments::{Segment, Transcript};

/// What a break costs where nothing speaks for it. A part costs the square of how full it is, so that of two lines at
/// 42 columns a break at a mark wins over one at the middle if it is no more than about eight columns away.
const PLAIN_BREAK: f64 = 0.08;
/// What a break before a conjunction costs.
const BREAK_BEFORE_CONJUNCTION: f64 = 0.03;
/// A part less full than this is an orphan.
const ORPHAN: f64 = 0.25;
/// What an orphan costs: more than any balance that it could serve.
const ORPHAN_COST: f64 = 2.0;

/// Words that begin a clause, in the languages most often subtitled.
const CONJUNCTIONS: &[&str] = &[
    "aber", "als", "and", "as", "because", "but", "car", "che", "cuando", "dass", "dat", "denn", "e", "en", "et", "if",
    "ma", "maar", "mais", "mas", "o", "oder", "omdat", "or", "ou", "perché", "pero", "porque", "quand", "que", "qui",
    "so", "than", "that", "und", "want", "weil", "wenn", "when", "which", "while", "who", "y",
];

/// The room that words are set in.
struct Page {
    /// Columns of a line.
    columns: usize,
    /// Words of a line.
    words: usize,
    /// Lines of a cue.
    lines: usize,
    balance: bool,
    /// Columns that the name of the channel takes at the beginning of a cue.
    indent: usize,
}

pub(super) fn cues(transcript: &Transcript, captions: &Captions) -> io::Result<Vec<Cue>> {
    let mut channels: BTreeMap<Option<usize>, Vec<&Segment>> = BTreeMap::new();
    for segment in &transcript.segments {
        channels.entry(segment.channel).or_default().push(segment);
    }
    let names = Channels::of(transcript);
    let mut all = Vec::new();
    for (channel, segments) in channels {
        let page = Page {
            columns: captions.columns().unwrap_or(usize::MAX),
            words: captions.max_words_per_line.map_or(usize::MAX, usize::from),
            lines: captions.lines(),
            balance: captions.balance,
            indent: width::columns(&names.prefix(channel)),
        };
        let mut cues = Vec::new();
        for group in groups(&segments, captions.sentences, &transcript.language)? {
            for part in page.parts(&group, Part::Cue) {
                cues.push(page.cue(&group[part], channel));
            }
        }
        pace::follow(&mut cues);
        if let Some(speed) = captions.max_chars_per_second {
            pace::slow_down(&mut cues, speed, transcript.duration);
        }
        all.extend(cues);
    }
    all.sort_by_key(|cue| cue.start); // stable: each channel stays in its order
    Ok(all)
}

/// The words in groups that a cue does not go beyond: sentences, or segments.
fn groups(segments: &[&Segment], in_sentences: bool, language: &str) -> io::Result<Vec<Vec<Unit>>> {
    let mut groups: Vec<Vec<Unit>> = Vec::new();
    for segment in segments {
        let language = if segment.language.is_empty() { language } else { &segment.language };
        for (index, unit) in words::smallest(segment)?.into_iter().enumerate() {
            let goes_on = |last: &Unit| match in_sentences {
                true => {
                    let pause = unit.start.0.saturating_sub(last.end.0) as f64 / 1000.0;
                    pause <= LONG_PAUSE && !sentences::end_between(&last.body, &unit.body, language)
                }
                false => index > 0,
            };
            match groups.last_mut() {
                Some(group) if group.last().is_some_and(goes_on) => group.push(unit),
                _ => groups.push(vec![unit]),
            }
        }
    }
    Ok(groups)
}

/// What words are divided into.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    /// Cues, each with as many lines as the page allows, and the name of the channel before the first.
    Cue,
    /// The lines of one cue, the name before the first of them.
    Line,
}

/// Words set in lines one after another, as far as they have come.
#[derive(Clone, Copy)]
struct Setting {
    lines: usize,
    /// Columns and words of the last line.
    columns: usize,
    words: usize,
    /// Columns of all lines.
    all: usize,
}

impl Setting {
    /// Sets a word of `body` columns with `gap` columns before it.
    fn add(&mut self, (gap, body): (usize, usize), page: &Page) {
        let joined = self.columns.saturating_add(gap).saturating_add(body);
        if self.words == 0 {
            (self.columns, self.words, self.all) = (self.columns + body, 1, self.all + body);
        } else if joined <= page.columns && self.words < page.words {
            (self.columns, self.words, self.all) = (joined, self.words + 1, self.all + gap + body);
        } else {
            (self.lines, self.columns, self.words, self.all) = (self.lines + 1, body, 1, self.all + body);
        }
    }
}

impl Page {
    /// The units in parts, each of at least one unit, however long.
    fn parts(&self, units: &[Unit], part: Part) -> Vec<Range<usize>> {
        if self.balance { self.balanced(units, part) } else { self.filled(units, part) }
    }

    /// Lines that a part may have.
    fn lines_of(&self, part: Part) -> usize {
        match part {
            Part::Cue => self.lines,
            Part::Line => 1,
        }
    }

    /// A part that begins with unit `first`, with nothing set in it yet.
    fn begin(&self, first: usize, part: Part) -> Setting {
        let named = first == 0 || part == Part::Cue;
        let indent = if named { self.indent } else { 0 };
        Setting { lines: 1, columns: indent, words: 0, all: indent }
    }

    fn filled(&self, units: &[Unit], part: Part) -> Vec<Range<usize>> {
        let mut parts = Vec::new();
        let mut first = 0;
        let mut setting = self.begin(first, part);
        for (index, unit) in units.iter().enumerate() {
            let before = setting;
            setting.add(columns_of(unit), self);
            if setting.lines > self.lines_of(part) && before.words > 0 {
                parts.push(first..index);
                first = index;
                setting = self.begin(first, part);
                setting.add(columns_of(unit), self);
            }
        }
        parts.push(first..units.len());
        parts
    }

    /// The fewest parts, and among those the ones that cost least.
    fn balanced(&self, units: &[Unit], part: Part) -> Vec<Range<usize>> {
        let columns: Vec<(usize, usize)> = units.iter().map(columns_of).collect();
        let whole: usize = columns.iter().map(|(gap, body)| gap + body).sum();
        let room = self.columns.saturating_mul(self.lines_of(part)).min(whole.max(1)) as f64;
        // For each place: parts before it, their cost, and where the last of them begins.
        let mut best = vec![(usize::MAX, f64::INFINITY, 0); units.len() + 1];
        best[0] = (0, 0.0, 0);
        for first in 0..units.len() {
            let (parts, cost, _) = best[first];
            let mut setting = self.begin(first, part);
            for behind in first + 1..=units.len() {
                setting.add(columns[behind - 1], self);
                if setting.lines > self.lines_of(part) && behind - first > 1 {
                    break;
                }
                let full = setting.all as f64 / room;
                let mut cost = cost + full * full;
                if behind < units.len() {
                    cost += break_cost(&units[behind - 1].body, &units[behind].body);
                }
                if full < ORPHAN && (first > 0 || behind < units.len()) {
                    cost += ORPHAN_COST;
                }
                if (parts + 1, cost) < (best[behind].0, best[behind].1) {
                    best[behind] = (parts + 1, cost, first);
                }
            }
        }
        let mut parts = Vec::new();
        let mut behind = units.len();
        while behind > 0 {
            let first = best[behind].2;
            parts.push(first..behind);
            behind = first;
        }
        parts.reverse();
        parts
    }

    /// A cue of `units`, set in lines.
    fn cue(&self, units: &[Unit], channel: Option<usize>) -> Cue {
        let mut words = Vec::with_capacity(units.len());
        for line in self.parts(units, Part::Line) {
            let first_line = words.is_empty();
            for (index, unit) in units[line].iter().enumerate() {
                let before = match (first_line, index) {
                    (true, 0) => "",
                    (false, 0) => "\n",
                    _ => &unit.gap,
                };
                words.push(CueWord { text: format!("{before}{}", unit.body), start: unit.start, end: unit.end });
            }
        }
        let start = words.iter().map(|word| word.start).min().unwrap_or_default();
        let end = words.iter().map(|word| word.end).max().unwrap_or_default();
        Cue { start, end, channel, words, timed: units.iter().all(|unit| unit.heard) }
    }
}

/// Columns of the blanks before a word, and of itself.
fn columns_of(unit: &Unit) -> (usize, usize) {
    (width::columns(&unit.gap), width::columns(&unit.body))
}

fn break_cost(before: &str, after: &str) -> f64 {
    const MARKS: &str = ".,;:!?…、。，；：！？—–)）」』”\"";
    let pauses = before.ends_with(|character| MARKS.contains(character));
    // The stop of an abbreviation is none of the sentence.
    if pauses && (!before.ends_with('.') || sentences::end_between(before, after, "")) {
        0.0
    } else if CONJUNCTIONS.contains(&after.to_lowercase().as_str()) {
        BREAK_BEFORE_CONJUNCTION
    } else {
        PLAIN_BREAK
    }
}
