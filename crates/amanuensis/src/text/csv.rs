//! A table with commas between its columns, as whisper.cpp writes it: start and end in whole milliseconds, the speaker
//! where channels were transcribed apart, and the text in quotes.
//!
//! Differs from whisper.cpp's: the text has no blank before it, it stays on one line, and the speaker is the name of the
//! channel.

use std::io::{self, Write};

use super::channel::{self, Channels};
use super::{plain, time};
use crate::segments::Transcript;

pub(super) fn write(transcript: &Transcript, out: &mut dyn Write) -> io::Result<()> {
    let (channels, speakers) = (Channels::of(transcript), channel::any(transcript));
    writeln!(out, "start,end,{}text", if speakers { "speaker," } else { "" })?;
    for segment in &transcript.segments {
        let (start, end) = time::span(segment)?;
        write!(out, "{},{},", start.0, end.0)?;
        if speakers {
            write!(out, "{},", segment.channel.map(|channel| channels.name(channel)).unwrap_or_default())?;
        }
        writeln!(out, "\"{}\"", plain::one_line(&segment.text).replace('"', "\"\""))?;
    }
    Ok(())
}
