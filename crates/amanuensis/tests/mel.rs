//! The log-mel spectrogram equals openai-whisper's.

mod common;

use amanuensis::Crew;
use amanuensis::Error;
use amanuensis::audio::Recording;
use amanuensis::mel::{Convention, HOP, Mel, Spectrogram};
use common::{golden, numbers, open, shared};
use serde_json::Value;

/// Largest difference of any value from openai-whisper's, which computes in f32 too.
const TOLERANCE: f32 = 1e-4;

#[test]
fn spectrogram_equals_openai_whisper() {
    let Some(shared) = shared() else { return };
    let golden = golden("mel.json");
    for (name, expected) in golden["files"].as_object().expect("spectrograms by name") {
        let file = name.split([' ', ',']).next().expect("a file name");
        let recording = open(&shared.join("audio").join(file));
        let (mel, frames) = spectrogram(&recording, expected);
        let values: Vec<Vec<f32>> = numbers(&expected["values"]);
        let mut compared = 0;
        for (frame, expected) in numbers::<usize>(&expected["frame_index"]).into_iter().zip(values) {
            if frame < frames {
                compared += 1;
                let values = &mel.values[frame * mel.bins..][..mel.bins];
                for (bin, (value, expected)) in values.iter().zip(expected).enumerate() {
                    assert!(
                        (value - expected).abs() < TOLERANCE,
                        "{name}: frame {frame}, bin {bin}: {value} {expected}"
                    );
                }
            }
        }
        assert!(compared >= 6, "{name}: only {compared} frames were compared");
    }
}

/// The spectrogram that an entry speaks of, and up to where the two can be compared.
fn spectrogram(recording: &Recording, expected: &Value) -> (Mel, usize) {
    let number = |field: &str| expected[field].as_u64().expect("a number") as usize;
    let (bins, frames) = (number("bins"), number("frames"));
    let mut go_on = || Ok::<(), Error>(());
    if number("padding_samples") > 0 {
        let spectrogram =
            Spectrogram::new(recording, bins, Convention::OpenAi, Crew::ALONE, &mut go_on).expect("a spectrogram");
        let content = spectrogram.content_frames() as usize;
        (spectrogram.window(0, content, content).expect("a window"), content)
    } else {
        let mut samples = vec![0.0; frames * HOP];
        recording.read(0, &mut samples).expect("samples");
        let cut = Recording::from_samples(&samples);
        let spectrogram =
            Spectrogram::new(&cut, bins, Convention::HuggingFace, Crew::ALONE, &mut go_on).expect("a spectrogram");
        // Where a recording does not end with a whole frame, its mirror image lies elsewhere.
        let whole = recording.len() as usize == frames * HOP;
        (spectrogram.window(0, frames, frames).expect("a window"), if whole { frames } else { frames - 2 })
    }
}
