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
    let cues = if captions.highlight_words { cues::highlighted(cues) } else { cues };
    for (number, cue) in (1..).zip(&cues) {
        writeln!(out, "{number}\n{} --> {}", cue.start.clock_with_hours(','), cue.end.clock_with_hours(','))?;
        writeln!(out, "{}{}\n", channels.prefix(cue.channel), cues::underlined(cue, str::to_owned))?;
    }
    Ok(())
}
