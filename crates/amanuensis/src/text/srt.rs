//! SubRip subtitles: cues numbered from 1, hours always, a comma before the milliseconds.
//!
//! Differs from openai-whisper's where a text holds blank lines (they would end the cue: dropped) or more than one arrow
//! head in a row, in words too. The name of a channel stands before the text in brackets.

use std::io::{self, Write};

use super::captions::Captions;
use super::channel::Channels;
use super::cues;
use crate::segments::Transcript;

pub(super) fn write(transcript: &Transcript, captions: &Captions, out: &mut dyn Write) -> io::Result<()> {
    let channels = Channels::of(transcript);
    let cues = cues::of(transcript, captions)?;
    let all = cues::shown(&cues, captions.highlight_words);
    for (number, shown) in (1..).zip(all) {
        writeln!(out, "{number}\n{} --> {}", shown.start.clock_with_hours(','), shown.end.clock_with_hours(','))?;
        writeln!(out, "{}{}\n", channels.prefix(shown.cue.channel), shown.text(str::to_owned))?;
    }
    Ok(())
}
