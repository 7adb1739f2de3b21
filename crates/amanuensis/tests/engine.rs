//! The engine from outside, with the demo model and the samples of this repository.

mod common;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{LazyLock, Mutex};

use amanuensis::audio::Recording;
use amanuensis::{Control, Engine, Error, Event, Options, Task};
use common::{engine, in_repository, model_folder, open};

/// One engine for all tests: loading it is most of their work.
static DEMO: LazyLock<Engine> = LazyLock::new(|| engine(model_folder("demo", None)));

fn transcribe(sample: &str, options: &Options) -> amanuensis::Outcome {
    let recording = open(&in_repository("samples").join(sample));
    DEMO.transcribe(&recording, options, &mut Control::new()).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn a_sentence_comes_out_with_its_times_and_language() {
    let outcome = transcribe("english.wav", &Options::default());
    let transcript = &outcome.transcript;
    assert_eq!(transcript.text, " Please check the server every eleven weeks.");
    assert_eq!(transcript.language, "en");
    assert_eq!(outcome.languages[0].0, "en");
    assert_eq!(transcript.segments.len(), 1);
    assert_eq!((transcript.segments[0].start, transcript.segments[0].end), (0.0, 3.22));
    assert!(outcome.warnings.is_empty());
}

#[test]
fn german_is_recognised_and_silence_stays_empty() {
    let german = transcribe("german.wav", &Options::default());
    assert_eq!(german.transcript.language, "de");
    assert_eq!(german.transcript.text, " Maria und Laura arbeiten nächstes Jahr am Bahnhof.");
    let silence = transcribe("silence.flac", &Options::default());
    assert_eq!((silence.transcript.text.as_str(), silence.transcript.segments.len()), ("", 0));
}

#[test]
fn the_same_twice_is_the_same() {
    let once = transcribe("two-voices.wav", &Options::default()).transcript;
    assert_eq!(once, transcribe("two-voices.wav", &Options::default()).transcript);
}

#[test]
fn without_timestamps_a_window_is_one_segment() {
    let options = Options { timestamps: false, language: Some("English".to_owned()), ..Options::default() };
    let outcome = transcribe("english.wav", &options);
    let segment = &outcome.transcript.segments[0];
    assert_eq!(segment.text, " Please check the server every eleven weeks.");
    assert_eq!((segment.start, segment.end), (0.0, 3.78), "from the first frame to the last");
    assert!(segment.tokens.iter().all(|token| *token < 2048));
    assert!(outcome.languages.is_empty(), "it was given");
}

#[test]
fn clips_are_all_that_is_heard() {
    // The third sentence of four, with the pauses around it.
    let options = Options { clips: vec![(4.2, Some(7.4))], ..Options::default() };
    let clip = transcribe("two-voices.wav", &options).transcript;
    let all = transcribe("two-voices.wav", &Options::default()).transcript;
    assert!(clip.segments.iter().all(|segment| segment.start >= 4.2 && segment.end <= 7.4), "{:?}", clip.segments);
    assert!(!clip.text.is_empty() && clip.text.len() < all.text.len());
    let nothing = Options { clips: vec![(100.0, None)], ..Options::default() };
    assert_eq!(transcribe("two-voices.wav", &nothing).transcript.segments, []);
}

#[test]
fn an_empty_recording_has_an_empty_transcript() {
    for samples in [0, 1, 159, 160, 400] {
        let recording = Recording::from_samples(&vec![0.0; samples]);
        let outcome = DEMO.transcribe(&recording, &Options::default(), &mut Control::new()).expect("a transcript");
        assert_eq!(outcome.transcript.text, "", "{samples} samples");
    }
}

#[test]
fn times_are_in_order_and_within_the_recording() {
    let transcript = transcribe("ten-sentences.opus", &Options::default()).transcript;
    assert!(transcript.segments.len() >= 8);
    let mut before = 0.0;
    for segment in &transcript.segments {
        assert!(before <= segment.start && segment.start < segment.end && segment.end <= transcript.duration);
        before = segment.start;
    }
}

#[test]
fn events_come_in_order_and_progress_only_grows() {
    let recording = open(&in_repository("samples/ten-sentences.opus"));
    let (mut progress, mut segments, mut languages) = (vec![0.0], 0, 0);
    let never = AtomicBool::new(false);
    let mut on_event = |event: Event<'_>| match event {
        Event::Language(_) => languages += 1,
        Event::Segment(segment) => {
            assert_eq!((segment.id, languages), (segments, 1));
            segments += 1;
        }
        Event::Progress { processed, total } => {
            assert!(processed >= progress[progress.len() - 1] && processed <= total);
            progress.push(processed);
        }
    };
    let outcome = DEMO.transcribe(&recording, &Options::default(), &mut Control::with(&never, &mut on_event));
    let transcript = outcome.expect("a transcript").transcript;
    assert_eq!(segments, transcript.segments.len());
    assert!((progress[progress.len() - 1] - transcript.duration).abs() < 0.01);
}

#[test]
fn it_stops_when_it_is_told_to() {
    let recording = open(&in_repository("samples/ten-sentences.opus"));
    let cancel = AtomicBool::new(false);
    let heard = Mutex::new(0);
    let mut on_event = |event: Event<'_>| {
        *heard.lock().expect("no one else") += 1;
        if matches!(event, Event::Language(_)) {
            cancel.store(true, Ordering::Relaxed);
        }
    };
    let result = DEMO.transcribe(&recording, &Options::default(), &mut Control::with(&cancel, &mut on_event));
    assert!(matches!(result, Err(Error::Cancelled)));
    assert_eq!(*heard.lock().expect("no one else"), 1, "nothing was said behind the cancelling");
}

#[test]
fn what_cannot_be_is_refused() {
    let recording = Recording::from_samples(&[0.0; 1600]);
    let refused = |options: Options| {
        DEMO.transcribe(&recording, &options, &mut Control::new()).expect_err("an impossible wish").to_string()
    };
    let language = refused(Options { language: Some("klingon".to_owned()), ..Options::default() });
    assert_eq!(language, "language \"klingon\" is not one of the model's: en, de");
    let french = refused(Options { language: Some("French".to_owned()), ..Options::default() });
    assert_eq!(french, "language \"French\" is not one of the model's: en, de");
    let token = refused(Options { suppress_tokens: Some(vec![1, 3559]), ..Options::default() });
    assert!(token.contains("token 3559") && token.contains("3559 tokens"), "{token}");
}

#[test]
fn log_probabilities_of_tokens_are_kept_where_they_are_asked_for() {
    for (sample, beam_size) in [("english.wav", None), ("english.wav", Some(3)), ("ten-sentences.opus", None)] {
        let mut options = Options::default();
        options.search.beam_size = beam_size;
        let plain = transcribe(sample, &options).transcript;
        options.search.keep_logprobs = true;
        let mut kept = transcribe(sample, &options).transcript;
        for segment in &mut kept.segments {
            let logprobs = std::mem::take(&mut segment.logprobs);
            assert_eq!(logprobs.len(), segment.tokens.len());
            assert!(logprobs.iter().all(|logprob| logprob.is_finite() && *logprob <= 0.0), "{logprobs:?}");
            if sample == "english.wav" {
                // The only segment of its window: the mean is theirs, and the end of text's, which is likely.
                let count = logprobs.len() as f32 + 1.0;
                let end = segment.avg_logprob * count - logprobs.iter().sum::<f32>();
                assert!((-0.5..1e-3).contains(&end), "{end}");
            }
        }
        assert_eq!(kept, plain, "it changes nothing");
    }
}

#[test]
fn suppressed_tokens_are_never_said() {
    // " server" is one token; without it the model must find other words.
    let server = DEMO.tokenizer().encode(" server");
    let suppress_tokens = server.iter().map(|token| i64::from(*token)).chain([-1]).collect();
    let options = Options { suppress_tokens: Some(suppress_tokens), ..Options::default() };
    let said = transcribe("english.wav", &options).transcript;
    assert!(
        said.segments.iter().all(|segment| server.iter().all(|token| !segment.tokens.contains(token))),
        "{}",
        said.text
    );
}

#[test]
fn a_prompt_is_not_part_of_the_text() {
    let options = Options { initial_prompt: Some("The server room.".to_owned()), ..Options::default() };
    let said = transcribe("english.wav", &options).transcript;
    assert!(!said.text.contains("room"), "{}", said.text);
    assert!(said.text.contains("server"), "{}", said.text);
}

#[test]
fn translation_is_another_task() {
    let options = Options { task: Task::Translate, ..Options::default() };
    let translated = transcribe("german.wav", &options).transcript;
    assert_eq!(translated.language, "de", "the language that is spoken");
    assert_ne!(translated.text, transcribe("german.wav", &Options::default()).transcript.text);
}
