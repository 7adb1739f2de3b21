//! What windows are told, and what they begin with.

use amanuensis::decoding::Search;
use amanuensis::{Options, Outcome, Task};

use crate::scripted::{DEMO, Log, Purpose, Script, hardly, special, surely};
use crate::{A, B, Case, plain, word, words};

/// What each window was told of the time before.
fn before(_: &Outcome, log: &Log) -> String {
    let told = |(_, tokens): (usize, Vec<_>)| DEMO.tokenizer.decode(&tokens);
    log.prompts().into_iter().map(told).collect::<Vec<_>>().join("|")
}

fn task(_: &Outcome, log: &Log) -> String {
    let prompt = &log.told[0].tokens;
    let named = |token: Option<u32>| token.is_some_and(|token| prompt.contains(&token));
    format!("transcribe {}, translate {}", named(special().transcribe), named(special().translate))
}

/// The tokens behind the task.
fn forced(_: &Outcome, log: &Log) -> String {
    let texts = log.told.iter().filter(|told| told.purpose == Purpose::Text);
    let forced = texts
        .map(|told| DEMO.tokenizer.decode(told.tokens.rsplit(|t| *t >= special().end_of_text).next().unwrap_or(&[])));
    forced.collect::<Vec<_>>().join("|")
}

fn prompted() -> Options {
    Options { initial_prompt: Some("Hm".to_owned()), ..plain() }
}

pub(crate) fn cases() -> Vec<Case> {
    let told = |name, with, expected| Case::new(name, words(&[A]), with, expected).lasting(70.0).seeing(before);
    let conditioned = Options { condition_on_previous_text: true, ..plain() };
    // Unsure of its second word, so that the higher temperature is taken.
    let unsure = Script::saying(|lane| match lane.said.len() {
        0 => surely(word(A)),
        1 => hardly(word(B)),
        _ => surely(special().end_of_text),
    });
    let mut hot =
        Options { search: Search { temperatures: vec![0.4], best_of: 1, ..Search::default() }, ..conditioned.clone() };
    hot.search.max_new_tokens = Some(1);
    vec![
        Case::new(
            "task",
            words(&[A]),
            Options { task: Task::Translate, ..plain() },
            ["transcribe true, translate false", "transcribe false, translate true"],
        )
        .seeing(task),
        told("initial_prompt", prompted(), ["||", " Hm||"]),
        told("carry_initial_prompt", Options { carry_initial_prompt: true, ..prompted() }, [" Hm||", " Hm| Hm| Hm"])
            .without(prompted()),
        told("hotwords", Options { hotwords: Some("Hm".to_owned()), ..plain() }, ["||", " Hm| Hm| Hm"]),
        told("prefix", Options { prefix: Some("Hm".to_owned()), ..plain() }, ["||", " Hm||"]).seeing(forced),
        told("condition_on_previous_text", conditioned, ["||", "| A| A A"]),
        Case {
            script: unsure,
            ..told(
                "prompt_reset_on_temperature",
                Options { prompt_reset_on_temperature: 0.3, ..hot.clone() },
                ["| A| A A", "||"],
            )
        }
        .without(hot),
    ]
}
