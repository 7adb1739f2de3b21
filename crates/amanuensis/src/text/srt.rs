//! SubRip subtitles: cues numbered from 1, hours always, a comma before the milliseconds.
//!
//! Every segment is a cue, also one whose text was cleared: openai-whisper's numbers stay the same numbers. Differs
//! from it where a text holds blank lines (they would end the cue: dropped) or more than one arrow head in a row.

use std::io::{self, Write};

use super::{plain, time};
use crate::segments::Transcript;

pub(super) fn write(transcript: &Transcript, out: &mut dyn Write) -> io::Result<()> {
    for (number, segment) in (1..).zip(&transcript.segments) {
        let (start, end) = time::span(segment)?;
        writeln!(out, "{number}\n{} --> {}", start.clock_with_hours(','), end.clock_with_hours(','))?;
        writeln!(out, "{}\n", plain::cue(&segment.text))?;
    }
    Ok(())
}
