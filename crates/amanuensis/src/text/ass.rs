//! Advanced SubStation Alpha: subtitles with a style of their own. Where words have times each lights up when it is
//! said (karaoke), so that `highlight_words` has nothing to add.
//!
//! Times are hundredths of a second. Braces would begin commands and a backslash be one: braces are escaped, and a word
//! joiner, which nobody sees, stands behind a backslash.

use std::io::{self, Write};

use super::captions::Captions;
use super::channel::Channels;
use super::cues::{self, Cue};
use super::time::Milliseconds;
use crate::segments::Transcript;

/// The picture is said to be 1920 by 1080, so that sizes are those of a full picture on any screen. White letters with
/// a dark edge; a word that was not yet said is grey.
const HEAD: &str = "\
[Script Info]
ScriptType: v4.00+
PlayResX: 1920
PlayResY: 1080
WrapStyle: 0
ScaledBorderAndShadow: yes

[V4+ Styles]
Format: Name, Fontname, Fontsize, PrimaryColour, SecondaryColour, OutlineColour, BackColour, Bold, Italic, Underline, \
StrikeOut, ScaleX, ScaleY, Spacing, Angle, BorderStyle, Outline, Shadow, Alignment, MarginL, MarginR, MarginV, Encoding
Style: Default,Arial,64,&H00FFFFFF,&H00A8A8A8,&H00101010,&H80000000,0,0,0,0,100,100,0,0,1,3,1,2,96,96,64,1

[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
";

pub(super) fn write(transcript: &Transcript, captions: &Captions, out: &mut dyn Write) -> io::Result<()> {
    let channels = Channels::of(transcript);
    out.write_all(HEAD.as_bytes())?;
    for cue in cues::of(transcript, captions)? {
        let name = cue.channel.map(|channel| channels.name(channel)).unwrap_or_default();
        let text = if cue.timed { karaoke(&cue) } else { cue.words.iter().map(|word| escaped(&word.text)).collect() };
        let (start, end, prefix) = (clock(cue.start), clock(cue.end), channels.prefix(cue.channel));
        writeln!(out, "Dialogue: 0,{start},{end},Default,{name},0,0,0,,{prefix}{text}")?;
    }
    Ok(())
}

/// The words, each with the hundredths of a second that it lasts before it; pauses last too, and have no text.
fn karaoke(cue: &Cue) -> String {
    let mut text = String::new();
    let mut now = cue.start.centiseconds();
    for word in &cue.words {
        let start = word.start.centiseconds().max(now);
        let end = word.end.centiseconds().max(start);
        if start > now {
            text += &format!("{{\\k{}}}", start - now);
        }
        text += &format!("{{\\k{}}}{}", end - start, escaped(&word.text));
        now = end;
    }
    text
}

fn escaped(text: &str) -> String {
    let mut result = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' => result.push_str("\\N"),
            '\\' => result.push_str("\\\u{2060}"),
            '{' => result.push_str("\\{"),
            '}' => result.push_str("\\}"),
            _ => result.push(character),
        }
    }
    result
}

/// `H:MM:SS.cc`.
fn clock(time: Milliseconds) -> String {
    let total = time.centiseconds();
    let (hours, minutes) = (total / 360_000, total / 6000 % 60);
    format!("{hours}:{minutes:02}:{:02}.{:02}", total / 100 % 60, total % 100)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::segments::{Segment, Word};

    fn written(words: Option<Vec<Word>>, text: &str) -> String {
        let segment = Segment { start: 3599.996, end: 3602.0, text: text.to_owned(), words, ..Segment::default() };
        let transcript = Transcript { segments: vec![segment], ..Transcript::default() };
        let mut bytes = Vec::new();
        write(&transcript, &Captions::default(), &mut bytes).unwrap();
        let file = String::from_utf8(bytes).unwrap();
        file.lines().last().unwrap().to_owned()
    }

    #[test]
    fn commands_in_the_text_are_text() {
        let line = written(None, " {\\b1}a\\Nb\nc");
        assert_eq!(line, "Dialogue: 0,1:00:00.00,1:00:02.00,Default,,0,0,0,,\\{\\\u{2060}b1\\}a\\\u{2060}Nb\\Nc");
    }

    #[test]
    fn words_and_the_pauses_between_them_last_as_long_as_they_did() {
        let word = |word: &str, start, end| Word { word: word.to_owned(), start, end, probability: 1.0 };
        let line = written(Some(vec![word(" Good", 3600.0, 3600.505), word(" day.", 3601.0, 3601.5)]), " Good day.");
        assert_eq!(line, "Dialogue: 0,1:00:00.00,1:00:01.50,Default,,0,0,0,,{\\k51}Good{\\k49}{\\k50} day.");
    }
}
