//! Prompts as openai/whisper has them: what the decoder is told before each window.

mod common;

use std::sync::LazyLock;

use amanuensis::decoding::{Prompt, Request, text_prompt};
use amanuensis::model::{self, ModelFile, Source};
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
    Prompt::new(special, request, before, &[], CONTEXT)
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
    assert_eq!(Prompt::new(DEMO.tokenizer.special(), request, &[], &[], CONTEXT).tokens, [START[0]]);
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
fn what_is_forced_takes_its_positions_from_what_was_said() {
    let special = DEMO.tokenizer.special();
    let request = Request { language: special.language_token("en"), task: special.transcribe, timestamps: false };
    let told = Prompt::new(special, request, &[5; 300], &[6; 300], CONTEXT);
    assert_eq!((told.tokens.len(), told.start, told.forced, told.room), (CONTEXT, 1 + 220, 223, 1));
}

#[test]
fn a_prompt_longer_than_the_decoder_leaves_no_room() {
    let request = Request { language: None, task: None, timestamps: true };
    let told = Prompt::new(DEMO.tokenizer.special(), request, &[1, 2, 3, 4], &[], 2);
    assert!(told.room <= 1, "{told:?}");
}

#[test]
fn a_text_prompt_is_trimmed_and_begins_with_a_space() {
    let tokenizer = &DEMO.tokenizer;
    assert_eq!(text_prompt(tokenizer, "  The server.\n"), tokenizer.encode(" The server."));
    assert!(text_prompt(tokenizer, " \t").is_empty());
}
