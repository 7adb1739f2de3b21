//! whisper.cpp's dialect: `transcription` with offsets in milliseconds, and the tokens where `-ojf` listed them.

use super::field::{self, Object};
use super::{ReadError, joined};
use crate::segments::{Segment, Transcript};

pub(super) fn read(document: Object<'_>) -> Result<Transcript, ReadError> {
    let objects = document.objects("transcription")?.unwrap_or_default();
    let segments: Vec<Segment> =
        objects.iter().enumerate().map(|(index, object)| segment(object, index)).collect::<Result<_, _>>()?;
    let language = match document.object("result")? {
        Some(result) => result.text("language")?.unwrap_or_default(),
        None => "",
    };
    Ok(Transcript {
        text: joined(segments.iter().map(|segment| segment.text.as_str())),
        segments,
        language: language.to_owned(),
        ..Transcript::default()
    })
}

fn segment(object: &Object<'_>, index: usize) -> Result<Segment, ReadError> {
    let offsets =
        object.object("offsets")?.ok_or_else(|| object.wrong("offsets", "missing; from and to are expected"))?;
    let milliseconds = |key: &str| {
        let missing = || object.wrong("offsets", format_args!("`{key}` is missing; milliseconds are expected"));
        offsets.whole::<u32>(key)?.ok_or_else(missing).map(|count| f64::from(count) / 1000.0)
    };
    let (start, end) = (milliseconds("from")?, milliseconds("to")?);
    field::in_order(object, start, end)?;
    let mut tokens = Vec::new();
    for token in object.objects("tokens")?.unwrap_or_default() {
        tokens.extend(token.whole::<u32>("id")?);
    }
    Ok(Segment {
        id: index,
        start,
        end,
        text: object.needed_text("text")?.to_owned(),
        tokens,
        temperature: f32::NAN,
        avg_logprob: f32::NAN,
        compression_ratio: f32::NAN,
        no_speech_prob: f32::NAN,
        // Its speakers are the channels of a stereo recording, "?" where it could not tell.
        channel: object.text("speaker")?.and_then(|speaker| speaker.parse().ok()),
        ..Segment::default()
    })
}
