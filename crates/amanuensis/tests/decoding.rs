//! Prompts and context as openai/whisper has them: what the decoder is told before each window.

mod common;

use std::sync::LazyLock;

use amanuensis::decoding::{Decoded, Prompt, Request, text_prompt};
use amanuensis::model::{self, ModelFile, Source};
use amanuensis::segments::{Piece, Story, Window};
use amanuensis::tokens::Token;
use common::model_folder;

static DEMO: LazyLock<ModelFile> =
    LazyLock::new(|| model::open(&Source::Path(model_folder("demo", None))).unwrap_or_else(|error| panic!("{error}")));

/// Positions of the decoder.
const CONTEXT: usize = 448;
/// `<|startofprev|>`, and the prompt of an English transcript.
const PREVIOUS: Token = 2055;
const START: [Token; 3] = [2049, 2050, 2053];
const NO_TIMESTAMPS: Token = 2057;

fn prompt(timestamps: bool, before: &[Token]) -> Prompt {
    let special = DEMO.tokenizer.special();
    let request = Request { language: special.language_token("en"), task: special.transcribe, timestamps };
    Prompt::new(special, request, before, CONTEXT)
}

#[test]
fn a_prompt_names_language_task_and_whether_times_are_wanted() {
    assert_eq!(prompt(true, &[]).tokens, START);
    assert_eq!(prompt(false, &[]).tokens, [&START[..], &[NO_TIMESTAMPS]].concat());
    assert_eq!((prompt(true, &[]).start, prompt(true, &[]).room), (0, 224));
}

#[test]
fn a_model_for_one_language_is_only_told_to_start() {
    let request = Request { language: None, task: None, timestamps: true };
    assert_eq!(Prompt::new(DEMO.tokenizer.special(), request, &[], CONTEXT).tokens, [START[0]]);
}

#[test]
fn of_what_was_said_the_last_half_of_the_positions_is_told() {
    let before: Vec<Token> = (0..300).collect();
    let told = prompt(true, &before);
    assert_eq!(told.tokens[0], PREVIOUS);
    assert_eq!(told.tokens[1..224], before[300 - 223..]);
    assert_eq!(told.tokens[224..], START);
    assert_eq!(told.start, 224, "silence is judged at the start of the transcript, not of the prompt");
    assert_eq!(told.room, CONTEXT + 1 - told.tokens.len(), "the last token that is said takes no position");

    let short = prompt(true, &[5, 6]);
    assert_eq!(short.tokens, [&[PREVIOUS, 5, 6][..], &START].concat());
    assert_eq!(short.room, 224);
}

#[test]
fn a_prompt_longer_than_the_decoder_leaves_no_room() {
    let request = Request { language: None, task: None, timestamps: true };
    let told = Prompt::new(DEMO.tokenizer.special(), request, &[1, 2, 3, 4], 2);
    assert!(told.room <= 1, "{told:?}");
}

#[test]
fn a_text_prompt_is_trimmed_and_begins_with_a_space() {
    let tokenizer = &DEMO.tokenizer;
    assert_eq!(text_prompt(tokenizer, "  The server.\n"), tokenizer.encode(" The server."));
    assert!(text_prompt(tokenizer, " \t").is_empty());
}

fn decoded(temperature: f32) -> Decoded {
    Decoded {
        tokens: Vec::new(),
        text: String::new(),
        avg_logprob: -0.2,
        no_speech_prob: 0.0,
        compression_ratio: 1.0,
        temperature,
    }
}

fn piece(start: u64, text: &str) -> Piece {
    Piece { start, end: start + 100, tokens: DEMO.tokenizer.encode(text) }
}

const WINDOW: Window = Window { start: 0, frames: 3000 };

#[test]
fn a_conditioned_story_tells_all_that_was_said_and_the_initial_prompt() {
    let prompt = DEMO.tokenizer.encode(" Names.");
    let mut story = Story::new(&DEMO.tokenizer, 60.0, &prompt, true);
    assert_eq!(story.context(), prompt);
    let first = piece(0, " The server.");
    story.add(WINDOW, vec![first.clone()], &decoded(0.0));
    assert_eq!(story.context(), [prompt.clone(), first.tokens.clone()].concat());
    story.add(WINDOW, vec![piece(200, " The table.")], &decoded(0.6));
    assert!(story.context().is_empty(), "what was guessed at a high temperature is not told on");
    let transcript = story.finish("en".to_owned());
    assert_eq!(transcript.text, " The server. The table.", "the initial prompt is not part of the text");
    assert_eq!(transcript.segments.iter().map(|segment| segment.id).collect::<Vec<_>>(), [0, 1]);
}

#[test]
fn an_unconditioned_story_tells_the_initial_prompt_once() {
    let prompt = DEMO.tokenizer.encode(" Names.");
    let mut story = Story::new(&DEMO.tokenizer, 60.0, &prompt, false);
    assert_eq!(story.context(), prompt);
    story.add(WINDOW, vec![piece(0, " The server.")], &decoded(0.0));
    assert!(story.context().is_empty());
}

#[test]
fn pieces_without_text_or_length_leave_no_trace() {
    let mut story = Story::new(&DEMO.tokenizer, 60.0, &[], true);
    let without_length = Piece { end: 300, ..piece(300, " The table.") };
    let added = story.add(WINDOW, vec![piece(0, " "), without_length, piece(500, " The server.")], &decoded(0.0));
    assert_eq!(added.len(), 1);
    assert_eq!((added[0].id, added[0].start, added[0].end), (0, 5.0, 6.0));
    assert_eq!(story.finish("en".to_owned()).text, " The server.");
}
