//! Who said what, where each has a channel.

use amanuensis_server::Settings;
use serde_json::Value;

use super::server::{ENGLISH, GERMAN, sample, start};

/// English on the left and German on the right.
fn conversation() -> Vec<u8> {
    let (left, right) = (sample("english.wav"), sample("german.wav"));
    let mut sound = left[..44].to_vec();
    let (left, right) = (&left[44..], &right[44..]);
    let count = left.len().max(right.len()) / 2;
    for frame in 0..count {
        for side in [left, right] {
            sound.extend_from_slice(side.get(frame * 2..frame * 2 + 2).unwrap_or(&[0, 0]));
        }
    }
    let bytes = (count * 4) as u32;
    sound[4..8].copy_from_slice(&(bytes + 36).to_le_bytes());
    sound[22..24].copy_from_slice(&2_u16.to_le_bytes());
    sound[28..32].copy_from_slice(&64_000_u32.to_le_bytes());
    sound[32..34].copy_from_slice(&4_u16.to_le_bytes());
    sound[40..44].copy_from_slice(&bytes.to_le_bytes());
    sound
}

fn speakers(answer: &Value) -> Vec<(&str, &str)> {
    let segments = answer["segments"].as_array().expect("segments");
    segments
        .iter()
        .map(|segment| {
            (segment["speaker"].as_str().unwrap_or_default(), segment["text"].as_str().unwrap_or_default().trim())
        })
        .collect()
}

#[test]
fn channels_that_are_split_are_speakers() {
    let server = start(Settings::default());
    let sound = conversation();
    let split = ("channels", "split");
    let (status, diarized) = server.transcribe("demo", &sound, &[split, ("response_format", "diarized_json")]);
    assert_eq!(status, 200, "{diarized}");
    let mut said = speakers(&diarized);
    said.sort_unstable();
    assert_eq!(said, [("left", ENGLISH), ("right", GERMAN)], "{diarized}");
    assert_eq!(diarized["segments"][0]["type"], "transcript.text.segment");
    assert!(diarized["segments"][0]["id"].is_string() && diarized["usage"]["type"] == "duration");

    let (status, mut verbose) = server.transcribe("demo", &sound, &[split, ("response_format", "verbose_json")]);
    assert_eq!((status, speakers(&verbose)), (200, speakers(&diarized)), "{verbose}");
    let (_, alone) = server.transcribe("demo", &sound, &[("channels", "right")]);
    assert_eq!(alone["text"], GERMAN);

    // One of them gets a name, which stays.
    let place = usize::from(verbose["segments"][0]["speaker"] != "left");
    verbose["segments"][place]["speaker"] = "Ada".into();
    let (status, rendered) = server.post_json("/v1/render?format=verbose_json", &verbose);
    assert_eq!((status, speakers(&rendered)), (200, speakers(&verbose)), "{rendered}");
    let (_, vtt) = server.post_json("/v1/render?format=vtt", &rendered);
    let vtt = vtt.as_str().expect("captions");
    assert!(vtt.contains("<v Ada>Please") && vtt.contains("<v right>Maria"), "{vtt}");
    let (status, diarized) = server.post_json("/v1/render?format=diarized_json", &verbose);
    assert_eq!((status, speakers(&diarized)), (200, speakers(&verbose)));

    // Where nobody is told from anybody, nobody is named.
    let one = sample("english.wav");
    for (sound, fields) in [
        (&one, &[split, ("response_format", "diarized_json")][..]),
        (&sound, &[("response_format", "diarized_json")][..]),
    ] {
        let (status, error) = server.transcribe("demo", sound, fields);
        assert_eq!((status, &error["error"]["param"]), (400, &"response_format".into()), "{error}");
    }
}
