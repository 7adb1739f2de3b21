//! What windows are told of what was said before them.

use std::num::NonZeroUsize;

use amanuensis::Options;
use amanuensis::decoding::Search;
use amanuensis::tokens::Token;

use crate::scripted::{Opening, Purpose, Script, hardly, next, special, stairs, stamp, surely, text};
use crate::{conditioned, outcome, plain, said, word};

/// Says another word in each window.
fn numbered() -> Script {
    Script::reading(|window, _| said(["One.", "Two.", "Three.", "Four."][window % 4], 29.0))
}

/// What each window of 100 s was told, in order.
fn told(script: Script, options: &Options) -> Vec<Vec<Token>> {
    let (_, log) = outcome(script, &stairs(100.0), options);
    log.prompts().into_iter().map(|(_, tokens)| tokens).collect()
}

fn prompted(options: Options) -> Options {
    Options { initial_prompt: Some("Names".to_owned()), ..options }
}

#[test]
fn windows_are_told_what_was_said_only_if_that_is_asked_for() {
    let (one, two, three) = (said("One.", 29.0), said("Two.", 29.0), said("Three.", 29.0));
    assert_eq!(
        told(numbered(), &conditioned()),
        [vec![], one.clone(), [one.clone(), two.clone()].concat(), [one, two, three].concat()]
    );
    assert!(told(numbered(), &plain()).iter().all(Vec::is_empty));
}

#[test]
fn the_initial_prompt_is_for_the_first_window_and_fades_as_others_follow() {
    let prompt = text("Names");
    assert_eq!(told(numbered(), &prompted(plain())), [prompt.clone(), vec![], vec![], vec![]]);
    let all = told(numbered(), &prompted(conditioned()));
    assert_eq!(all[..2], [prompt.clone(), [prompt, said("One.", 29.0)].concat()]);
}

#[test]
fn a_carried_prompt_is_told_to_every_window_before_what_was_said() {
    let (prompt, one) = (text("Names"), said("One.", 29.0));
    let carried = |options: Options| Options { carry_initial_prompt: true, ..prompted(options) };
    assert_eq!(told(numbered(), &carried(plain())), vec![prompt.clone(); 4]);
    assert_eq!(told(numbered(), &carried(conditioned()))[1], [prompt, one].concat());
}

#[test]
fn hotwords_are_told_to_every_window_first() {
    let hotwords = |options: Options| Options { hotwords: Some("Ferrer".to_owned()), ..prompted(options) };
    let (hot, prompt) = (text("Ferrer"), text("Names"));
    let first = [hot.clone(), prompt].concat();
    assert_eq!(told(numbered(), &hotwords(plain())), [first.clone(), hot.clone(), hot.clone(), hot]);
    assert_eq!(told(numbered(), &hotwords(conditioned()))[1], [first, said("One.", 29.0)].concat());
}

#[test]
fn the_prompt_has_223_tokens_at_most_with_hotwords_in_half_of_them() {
    let long = |first: usize| (first..first + 300).map(word).collect::<Vec<Token>>();
    let written = |tokens: &[Token]| crate::scripted::DEMO.tokenizer.decode(tokens);
    let (hot, prompt) = (written(&long(0)), written(&long(300)));
    let options = Options { hotwords: Some(hot.clone()), initial_prompt: Some(prompt.clone()), ..conditioned() };
    let speaking = |window: usize| (0..120).map(move |index| word(700 + 120 * window + index)).collect::<Vec<_>>();
    let script = Script::reading(move |window, _| [vec![stamp(0.0)], speaking(window), vec![stamp(29.0)]].concat());
    let all = told(script.clone(), &options);
    let (hot, prompt) = (text(hot.trim()), text(prompt.trim()));
    assert_eq!(all[0], [&hot[..111], &prompt[prompt.len() - 112..]].concat());
    assert!(all.iter().all(|told| told.len() == 223 && told[..111] == hot[..111]), "hotwords keep their places");
    // 122 tokens were said in window 0; of them the last 112 fit.
    assert_eq!(all[1][111..222], speaking(0)[9..120], "{:?}", &all[1][111..]);

    let carried = Options { carry_initial_prompt: true, hotwords: None, ..options };
    let all = told(script, &carried);
    assert!(all.iter().all(|told| *told == prompt[prompt.len() - 223..]), "it fills all there is");
}

/// Windows that were told something of windows before them, where window 1 is what the script makes of it.
fn told_behind_second(
    second: impl Fn(&crate::scripted::Lane<'_>) -> Vec<(Token, f32)> + Send + Sync + 'static,
    options: &Options,
) -> Vec<Token> {
    let script = Script::saying(move |lane| match lane.window {
        1 => second(lane),
        window => surely(next(&said(["One.", "Two.", "Three.", "Four."][window % 4], 29.0), lane.said)),
    });
    let (_, log) = outcome(script, &stairs(85.0), options);
    log.prompts().into_iter().find(|(window, _)| *window == 2).expect("a third window").1
}

#[test]
fn what_was_sampled_above_the_limit_is_not_told_on() {
    // Never sure, so the last temperature is taken.
    let unsure = |lane: &crate::scripted::Lane<'_>| match lane.said.len() {
        0 => surely(stamp(0.0)),
        1..4 => hardly(word(50)),
        _ => surely(next(&[], &[])),
    };
    let at = |temperature: f32, reset: f32| {
        let search = Search { temperatures: vec![0.0, temperature], best_of: 1, ..Search::default() };
        told_behind_second(unsure, &Options { search, prompt_reset_on_temperature: reset, ..conditioned() })
    };
    assert!(at(0.6, 0.5).is_empty());
    assert!(at(0.5, 0.5).starts_with(&said("One.", 29.0)), "at the limit it is told");
    assert!(at(0.5, 0.4).is_empty());
}

#[test]
fn what_has_something_wrong_behind_it_is_told_on_only_without_the_guard() {
    let looping = |lane: &crate::scripted::Lane<'_>| surely(if lane.said.is_empty() { stamp(0.0) } else { word(7) });
    let repetitive = |lane: &crate::scripted::Lane<'_>| {
        // Four words forty times over, in three orders, so that no tail of it is a loop.
        let words = (0..150).map(|index| word([3, 5, 3, 7, 5, 3, 9][(index * index + index / 3) % 7]));
        surely(next(&[vec![stamp(0.0)], words.collect(), vec![stamp(29.0)]].concat(), lane.said))
    };
    let guarded = |guard: bool| Options { guard, ..conditioned() };
    assert!(told_behind_second(looping, &guarded(true)).is_empty());
    assert!(!told_behind_second(looping, &guarded(false)).is_empty());
    assert!(told_behind_second(repetitive, &guarded(true)).is_empty());
    assert!(!told_behind_second(repetitive, &guarded(false)).is_empty());
}

#[test]
fn a_silent_window_changes_nothing_of_what_is_told() {
    let script = numbered()
        .opening(|window, _| Opening { no_speech: if window == 1 { 0.9 } else { 0.0 }, ..Opening::default() });
    let mut options = conditioned();
    options.thresholds.logprob = Some(1.0);
    let all = told(script, &options);
    assert_eq!(all[1], all[2]);
}

#[test]
fn the_prefix_begins_the_first_window_only() {
    for batch in [None, NonZeroUsize::new(3)] {
        let options = Options { prefix: Some("Dear".to_owned()), batch, ..plain() };
        let script = Script::saying(|lane| {
            // It goes on behind what was forced.
            let all = said("Dear all.", 20.0);
            let forced = lane.prompt.iter().rev().take_while(|token| !is_task(**token)).count();
            surely(all.get(forced + lane.said.len()).copied().unwrap_or(special().end_of_text))
        });
        let (outcome, log) = outcome(script, &stairs(80.0), &options);
        let forced: Vec<_> = log
            .told
            .iter()
            .filter(|told| told.purpose == Purpose::Text)
            .map(|told| told.tokens.rsplit(|token| is_task(*token)).next().unwrap_or(&[]).to_vec())
            .collect();
        let prefix = [vec![stamp(0.0)], text("Dear")].concat();
        assert_eq!((&forced[0], forced[1..].iter().all(Vec::is_empty)), (&prefix, true), "{batch:?}");
        assert!(outcome.transcript.text.starts_with(" Dear all."), "{}", outcome.transcript.text);
    }
}

#[test]
fn a_long_prefix_leaves_room_for_text_and_for_the_times_of_its_words() {
    for timestamps in [false, true] {
        let words = Some(amanuensis::segments::Punctuation::default());
        let options = Options { prefix: Some("long ".repeat(500)), words, guard: false, timestamps, ..plain() };
        let script = Script::saying(|lane| surely(word(lane.said.len())));
        let (outcome, _) = outcome(script, &stairs(20.0), &options);
        let said = outcome.transcript.segments[0].tokens.len();
        assert!((219..=219 + 224).contains(&said), "{said} tokens");
    }
}

fn is_task(token: Token) -> bool {
    Some(token) == special().transcribe
}
