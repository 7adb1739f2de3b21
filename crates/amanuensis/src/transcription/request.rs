//! Options made ready for one model: names become tokens, lists become rules, and what cannot be is refused.

use regex_lite::Regex;

use super::error::Error;
use super::options::{Options, Task};
use crate::decoding::{Request, Rules, Search, room_for_previous, text_prompt};
use crate::model::{Dims, Generation};
use crate::segments::Story;
use crate::tokens::{Special, Token, Tokenizer, languages};

/// What a transcription was asked for, in the model's own terms.
#[derive(Clone)]
pub(super) struct Asked {
    /// Language, task and timestamps of every window.
    pub(super) request: Request,
    /// What may follow what.
    pub(super) rules: Rules,
    /// How to search.
    pub(super) search: Search,
    /// How to search where what is not good enough is heard again in the whole context: not at a higher temperature.
    pub(super) once: Search,
    /// What every part of the recording that is transcribed on its own begins with.
    pub(super) story: Story,
    /// The tokens that the transcript begins with.
    pub(super) prefix: Vec<Token>,
    /// Words of the prompt, to recognise them where they come back.
    pub(super) prompt_text: String,
    /// Code of the language; empty until it is known.
    pub(super) language: String,
    /// The languages it may be in.
    pub(super) allowed: Vec<String>,
    /// What could not be done as asked.
    pub(super) warnings: Vec<String>,
}

impl Asked {
    pub(super) fn new(
        options: &Options,
        tokenizer: &Tokenizer,
        generation: &Generation,
        dims: &Dims,
    ) -> Result<Self, Error> {
        let special = tokenizer.special();
        let mut warnings = Vec::new();
        options.check()?;
        let (language, language_token) = match &options.language {
            Some(asked) => known_language(special, asked, &mut warnings)?,
            None if special.is_multilingual() => (String::new(), None),
            None => ("en".to_owned(), None),
        };
        let task = task(special, options.task)?;
        warn(options, special, dims, &mut warnings);
        let tokens = |text: &Option<String>| text.as_deref().map_or_else(Vec::new, |text| text_prompt(tokenizer, text));
        let story = Story::new(&tokens(&options.initial_prompt), options.condition_on_previous_text)
            .carrying_prompt(options.carry_initial_prompt)
            .expecting(&tokens(&options.hotwords));
        let room = room_for_previous(dims.text_context);
        for (name, text, room) in [
            ("initial prompt", &options.initial_prompt, room),
            ("list of hotwords", &options.hotwords, room / 2),
            ("prefix", &options.prefix, room),
        ] {
            let length = tokens(text).len();
            if length > room {
                warnings.push(format!("the {name} has {length} tokens; the model is told {room} of them"));
            }
        }
        let prompts = [&options.initial_prompt, &options.hotwords];
        let search = Search { stop_loops: options.search.stop_loops && options.guard, ..options.search.clone() };
        let first = search.temperatures.iter().copied().take(1).collect();
        Ok(Asked {
            request: Request { language: language_token, task, timestamps: options.timestamps },
            rules: rules(options, tokenizer, generation)?,
            once: Search { temperatures: first, ..search.clone() },
            search,
            story,
            prefix: prefix(options, tokenizer),
            prompt_text: prompts.into_iter().flatten().fold(String::new(), |all, text| all + " " + text),
            language,
            allowed: allowed_languages(options, special)?,
            warnings,
        })
    }

    /// Takes `code` for the language.
    pub(super) fn speak(&mut self, special: &Special, code: &str) {
        self.request.language = special.language_token(code);
        code.clone_into(&mut self.language);
    }
}

/// What the model cannot do, in words.
fn warn(options: &Options, special: &Special, dims: &Dims, warnings: &mut Vec<String>) {
    let told = options.initial_prompt.is_some() || options.hotwords.is_some();
    if (told || options.condition_on_previous_text) && special.start_of_previous.is_none() {
        let what = "the model's vocabulary has no token for text that came before";
        warnings.push(format!("{what}; the initial prompt, hotwords and earlier windows are not told to it"));
    }
    if let (Task::Translate, Some(name)) = (options.task, dims.size_name())
        && (name.ends_with("turbo") || name.starts_with("distil"))
    {
        warnings.push(format!(
            "models of the sizes of {name} were not taught to translate; the text may be in any language"
        ));
    }
    if options.task == Task::Translate && options.words.is_some() {
        warnings.push(
            "the times of translated words are unreliable: they follow another order than what was said".to_owned(),
        );
    }
    if options.language.is_some() && (options.detection.every_window || !options.detection.allowed.is_empty()) {
        warnings.push(
            "the language is given; it is not detected, and the list of allowed languages is not used".to_owned(),
        );
    }
    if !special.is_multilingual() && options.detection.every_window {
        warnings.push("the model knows English only; the language is not detected".to_owned());
    }
    if options.words.is_some() && !options.timestamps {
        warnings.push(
            "with word times but without timestamps every window is heard again from its last word on".to_owned(),
        );
    }
    let search = &options.search;
    if search.beam_size.is_some() && search.temperatures.iter().all(|temperature| *temperature > 0.0) {
        warnings.push("no temperature is 0, so that no beam is followed; hypotheses are sampled".to_owned());
    }
    if options.prefix.is_some() && options.batch.is_some() {
        warnings.push("only the first window begins with the prefix".to_owned());
    }
}

/// Codes of the languages that the recording may be in.
fn allowed_languages(options: &Options, special: &Special) -> Result<Vec<String>, Error> {
    let mut ignored = Vec::new();
    let code = |asked: &String| known_language(special, asked, &mut ignored).map(|(code, _)| code);
    options.detection.allowed.iter().map(code).collect()
}

/// The tokens of a prefix. With timestamps the first one stands before it, as before every text.
fn prefix(options: &Options, tokenizer: &Tokenizer) -> Vec<Token> {
    let text = options.prefix.as_deref().map_or_else(Vec::new, |text| text_prompt(tokenizer, text));
    let first = options.timestamps.then_some(tokenizer.special().timestamp_begin).filter(|_| !text.is_empty());
    first.into_iter().chain(text).collect()
}

/// The language that was asked for and its token, if the model distinguishes languages.
fn known_language(
    special: &Special,
    asked: &str,
    warnings: &mut Vec<String>,
) -> Result<(String, Option<Token>), Error> {
    let code = languages::find(asked).map_or_else(|| asked.to_lowercase(), |language| language.code.to_owned());
    if !special.is_multilingual() {
        if code != "en" {
            warnings.push(format!("the model knows English only; language {asked:?} is ignored"));
        }
        return Ok(("en".to_owned(), None));
    }
    match special.language_token(&code) {
        Some(token) => Ok((code, Some(token))),
        None => {
            let known: Vec<&str> = special.languages.iter().map(|(code, _)| code.as_str()).collect();
            Err(Error::UnknownLanguage { asked: asked.to_owned(), known: known.join(", ") })
        }
    }
}

/// The task's token, if the model distinguishes tasks.
fn task(special: &Special, task: Task) -> Result<Option<Token>, Error> {
    match task {
        Task::Transcribe if special.is_multilingual() => Ok(special.transcribe),
        Task::Transcribe => Ok(None),
        Task::Translate if !special.is_multilingual() => {
            Err(Error::CannotTranslate { reason: "it knows English only" })
        }
        Task::Translate if special.translate.is_none() => {
            Err(Error::CannotTranslate { reason: "its vocabulary has no token for that task" })
        }
        Task::Translate => Ok(special.translate),
    }
}

/// Whisper lets the first timestamp be one second late at most.
const INITIAL_TIMESTAMP: usize = 50;

/// Timestamps in a second.
const TIMESTAMPS_PER_SECOND: f64 = 50.0;

fn rules(options: &Options, tokenizer: &Tokenizer, generation: &Generation) -> Result<Rules, Error> {
    let special = tokenizer.special();
    let mut suppressed = match &options.suppress_tokens {
        Some(asked) => suppressed(asked, tokenizer)?,
        None => generation.suppress_tokens.clone(),
    };
    suppressed.extend(special.prompt_only());
    if options.suppress_numerals {
        suppressed.extend(tokens_that(tokenizer, |text| text.contains(NUMERALS)));
    }
    if let Some(pattern) = &options.suppress_regex {
        let regex = whole(pattern)?;
        suppressed.extend(tokens_that(tokenizer, |text| regex.is_match(text)));
    }
    let suppressed_first = if options.suppress_blank { generation.begin_suppress_tokens.clone() } else { Vec::new() };
    let rules = Rules::new(suppressed, suppressed_first)
        .with_repetitions(options.repetition_penalty, options.no_repeat_ngram_size);
    let asked =
        options.max_initial_timestamp.map(|seconds| (seconds.max(0.0) * TIMESTAMPS_PER_SECOND).round() as usize);
    let initial = asked.or(generation.max_initial_timestamp_index).unwrap_or(INITIAL_TIMESTAMP);
    Ok(if options.timestamps { rules.with_timestamps(special, initial) } else { rules })
}

/// A regular expression that matches nothing but whole texts.
pub(super) fn whole(pattern: &str) -> Result<Regex, Error> {
    let bad = |error: regex_lite::Error| Error::BadOption { option: "suppress_regex", reason: error.to_string() };
    Regex::new(&format!("^(?:{pattern})$")).map_err(bad)
}

/// What WhisperX takes for a sign of numbers.
const NUMERALS: [char; 13] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', '%', '$', '\u{a3}'];

/// The tokens of text for which `wanted` holds.
fn tokens_that(tokenizer: &Tokenizer, wanted: impl Fn(&str) -> bool) -> Vec<Token> {
    let text = |token: &Token| tokenizer.token_bytes(*token).and_then(|bytes| std::str::from_utf8(bytes).ok());
    let size = tokenizer.vocabulary_size() as Token;
    (0..size).filter(|token| text(token).is_some_and(&wanted)).collect()
}

/// The tokens of a list in which -1 stands for all that is not spoken.
fn suppressed(asked: &[i64], tokenizer: &Tokenizer) -> Result<Vec<Token>, Error> {
    let vocabulary = tokenizer.vocabulary_size();
    let mut tokens = Vec::new();
    for &token in asked {
        match usize::try_from(token) {
            Ok(id) if id < vocabulary => tokens.push(token as Token),
            _ if token == -1 => tokens.extend(tokenizer.non_speech_tokens()),
            _ => return Err(Error::UnknownToken { token, vocabulary }),
        }
    }
    Ok(tokens)
}
