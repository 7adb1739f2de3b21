//! Labels for Audacity: start and end in seconds and the text, with tabs between them. The name of a channel stands
//! before the text in double brackets, as WhisperX writes speakers.

use std::io::{self, Write};

use super::channel::Channels;
use super::{plain, time};
use crate::segments::Transcript;

pub(super) fn write(transcript: &Transcript, out: &mut dyn Write) -> io::Result<()> {
    let channels = Channels::of(transcript);
    for segment in &transcript.segments {
        let (start, end) = time::span(segment)?;
        let seconds = |time: time::Milliseconds| format!("{}.{:03}", time.0 / 1000, time.0 % 1000);
        let voice = segment.channel.map(|channel| format!("[[{}]] ", channels.name(channel))).unwrap_or_default();
        let text = plain::one_line(&segment.text).replace('\t', " ");
        writeln!(out, "{}\t{}\t{voice}{text}", seconds(start), seconds(end))?;
    }
    Ok(())
}
