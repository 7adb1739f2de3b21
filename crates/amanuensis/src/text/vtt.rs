//! WebVTT subtitles: no cue numbers, hours only from one hour on, a point before the milliseconds.
//!
//! Differs from openai-whisper's as `srt` does, and in that `&` and `<` are written as `&amp;` and `&lt;`: a browser
//! takes a bare `<` for a tag and shows nothing of what follows it. The name of a channel is the cue's voice.

use std::io::{self, Write};

use super::captions::Captions;
use super::channel::Channels;
use super::cues;
use crate::segments::Transcript;

pub(super) fn write(transcript: &Transcript, captions: &Captions, out: &mut dyn Write) -> io::Result<()> {
    let channels = Channels::of(transcript);
    let cues = cues::of(transcript, captions)?;
    let all = cues::shown(&cues, captions.highlight_words);
    writeln!(out, "WEBVTT\n")?;
    for shown in all {
        writeln!(out, "{} --> {}", shown.start.clock('.'), shown.end.clock('.'))?;
        let voice = shown.cue.channel.map(|channel| format!("<v {}>", channels.name(channel))).unwrap_or_default();
        writeln!(out, "{voice}{}\n", shown.text(escaped))?;
    }
    Ok(())
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}
