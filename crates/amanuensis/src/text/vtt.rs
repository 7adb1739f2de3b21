//! WebVTT subtitles: no cue numbers, hours only from one hour on, a point before the milliseconds.
//!
//! Differs from openai-whisper's as `srt` does, and in that `&` and `<` are written as `&amp;` and `&lt;`: a browser
//! takes a bare `<` for a tag and shows nothing of what follows it.

use std::io::{self, Write};

use super::{plain, time};
use crate::segments::Transcript;

pub(super) fn write(transcript: &Transcript, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "WEBVTT\n")?;
    for segment in &transcript.segments {
        let (start, end) = time::span(segment)?;
        writeln!(out, "{} --> {}", start.clock('.'), end.clock('.'))?;
        writeln!(out, "{}\n", plain::cue(&segment.text).replace('&', "&amp;").replace('<', "&lt;"))?;
    }
    Ok(())
}
