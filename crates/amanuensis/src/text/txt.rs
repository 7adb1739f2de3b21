//! Plain text: each segment on a line of its own, without the blanks around it.
//!
//! Differs from openai-whisper's where a segment holds a line break: it stays on one line.

use std::io::{self, Write};

use super::plain;
use crate::segments::Transcript;

pub(super) fn write(transcript: &Transcript, out: &mut dyn Write) -> io::Result<()> {
    for segment in &transcript.segments {
        writeln!(out, "{}", plain::one_line(&segment.text))?;
    }
    Ok(())
}
