//! Words arranged as openai-whisper's writers do it, line by line and character by character.
//!
//! A cue is a segment, or as many words of it as `max_words_per_line` allows, broken at `max_line_width`. With both a
//! width and a count of lines segments do not matter: a cue is full when its lines are, and ends before a long pause.
//! Differs where theirs loses text: a segment without words among others with words is shown as one word. A cue never
//! goes from one channel to another.

use std::io;

use super::super::captions::Captions;
use super::super::time::Milliseconds;
use super::{Cue, CueWord, LONG_PAUSE, words};
use crate::segments::Transcript;

/// Stands for no limit, there as here.
const UNLIMITED: usize = 1000;

pub(super) fn cues(transcript: &Transcript, captions: &Captions) -> io::Result<Vec<Cue>> {
    let (width, count) = (captions.max_line_width, captions.max_line_count);
    let keep_segments = width.is_none() || count.is_none();
    let width = width.map_or(UNLIMITED, usize::from);
    let chunk = captions.max_words_per_line.map_or(UNLIMITED, usize::from);

    let mut cues: Vec<Cue> = Vec::new();
    let mut cue: Option<Cue> = None;
    let (mut line_length, mut line_count) = (0, 1);
    let mut last: Option<f64> = None;
    for segment in &transcript.segments {
        for (index, unit) in words::given(segment)?.into_iter().enumerate() {
            let length = unit.gap.chars().count() + unit.body.chars().count();
            let long_pause = !keep_segments && last.is_some_and(|last| unit.seconds - last > LONG_PAUSE);
            let has_room = line_length + length <= width;
            let breaks_segment = cue.as_ref().is_some_and(|cue| {
                (index % chunk == 0 && keep_segments) || (index == 0 && cue.channel != segment.channel)
            });
            last = Some(unit.seconds);
            let mut text = unit.body;
            if line_length > 0 && has_room && !long_pause && !breaks_segment {
                text.insert_str(0, &unit.gap);
                line_length += length;
            } else {
                let body = text.chars().count();
                let full = count.is_some_and(|count| line_count >= count.get());
                if breaks_segment || (cue.is_some() && count.is_some() && (long_pause || full)) {
                    cues.extend(cue.take());
                    line_count = 1;
                } else if line_length > 0 {
                    line_count += 1;
                    text.insert(0, '\n');
                }
                line_length = body;
            }
            let word = CueWord { text, start: unit.start, end: unit.end };
            let cue = cue.get_or_insert_with(|| Cue {
                start: unit.start,
                end: Milliseconds(0),
                channel: segment.channel,
                words: Vec::new(),
                timed: true,
            });
            cue.end = unit.end;
            cue.timed &= unit.heard;
            cue.words.push(word);
        }
    }
    cues.extend(cue);
    Ok(cues)
}
