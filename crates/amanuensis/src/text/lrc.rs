//! Lyrics: `[mm:ss.xx]text`, the time a line begins in hundredths of a second. Minutes go on past 59 and past 99: the
//! format has no hours.
//!
//! The shape is whisper.cpp's, with this program's name in the `by` tag and no blank between time and text, except
//! before a bracket, which could be taken for another time. The name of a channel stands before the text in brackets.

use std::io::{self, Write};

use super::channel::Channels;
use super::{plain, time};
use crate::segments::Transcript;

pub(super) fn write(transcript: &Transcript, out: &mut dyn Write) -> io::Result<()> {
    let channels = Channels::of(transcript);
    writeln!(out, "[by:amanuensis]")?;
    for segment in &transcript.segments {
        let total = time::start_in_centiseconds(segment)?;
        let (minutes, seconds, hundredths) = (total / 6000, total / 100 % 60, total % 100);
        let text = channels.prefix(segment.channel) + &plain::one_line(&segment.text);
        let gap = if text.starts_with('[') { " " } else { "" };
        writeln!(out, "[{minutes:02}:{seconds:02}.{hundredths:02}]{gap}{text}")?;
    }
    Ok(())
}
