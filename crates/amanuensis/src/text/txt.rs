//! Plain text: each segment on a line of its own, without the blanks around it, and the name of its channel before it
//! where channels were transcribed apart.
//!
//! Differs from openai-whisper's where a segment holds a line break: it stays on one line.

use std::io::{self, Write};

use super::channel::Channels;
use super::plain;
use crate::segments::Transcript;

pub(super) fn write(transcript: &Transcript, out: &mut dyn Write) -> io::Result<()> {
    let channels = Channels::of(transcript);
    for segment in &transcript.segments {
        writeln!(out, "{}{}", channels.prefix(segment.channel), plain::one_line(&segment.text))?;
    }
    Ok(())
}
