//! A table with tabs between its columns: start and end in whole milliseconds, and the text.
//!
//! Tabs in the text become spaces. Differs from openai-whisper's where a text holds a line break: a row is one line.

use std::io::{self, Write};

use super::{plain, time};
use crate::segments::Transcript;

pub(super) fn write(transcript: &Transcript, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "start\tend\ttext")?;
    for segment in &transcript.segments {
        let (start, end) = time::span(segment)?;
        writeln!(out, "{}\t{}\t{}", start.0, end.0, plain::one_line(&segment.text).replace('\t', " "))?;
    }
    Ok(())
}
