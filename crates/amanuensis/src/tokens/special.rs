//! The tokens that are not text: where a transcript starts and ends, languages, tasks, times.

use super::vocabulary::Vocabulary;
use super::{Token, TokenizerError, languages};

/// Timestamps per second: a model's times are multiples of 20 ms.
pub const TIMESTAMPS_PER_SECOND: u32 = 50;

/// Timestamps of a 30 s window, both ends included.
pub(super) const TIMESTAMPS_OF_A_WINDOW: usize = 1501;

/// Embedding rows of the English-only models: GPT-2's vocabulary, 99 language tokens that are never used, and the rest.
const ENGLISH_ONLY_VOCABULARY: usize = 51864;

/// What the model's configuration adds to the tokenizer's own files.
#[derive(Debug, Clone, Default)]
pub struct TokenizerSettings {
    /// Rows of the model's embedding. Files written before timestamps were listed leave them to be counted from it.
    pub vocabulary: Option<usize>,
    /// Codes of the languages that the configuration lists.
    pub languages: Vec<String>,
    /// Whether the configuration calls the model multilingual.
    pub multilingual: Option<bool>,
}

/// The ids of the special tokens. Nothing here is a constant: every model's own files say them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Special {
    /// `<|endoftext|>`: the transcript of the window is complete.
    pub end_of_text: Token,
    /// `<|startoftranscript|>`
    pub start_of_transcript: Token,
    /// `<|translate|>`: write English whatever is spoken.
    pub translate: Option<Token>,
    /// `<|transcribe|>`
    pub transcribe: Option<Token>,
    /// `<|startoflm|>`
    pub start_of_lm: Option<Token>,
    /// `<|startofprev|>`: what follows was said before this window.
    pub start_of_previous: Option<Token>,
    /// `<|nospeech|>` or, in older files, `<|nocaptions|>`.
    pub no_speech: Option<Token>,
    /// `<|notimestamps|>`
    pub no_timestamps: Token,
    /// `<|0.00|>`
    pub timestamp_begin: Token,
    /// How many timestamps there are, 1,501 for 30 s.
    pub timestamp_count: u32,
    /// Codes and tokens of the languages, in order of their ids.
    pub languages: Vec<(String, Token)>,
    /// Whether the prompt names a language and a task.
    pub multilingual: bool,
}

impl Special {
    pub(super) fn find(
        vocabulary: &Vocabulary,
        settings: &TokenizerSettings,
        file: &str,
    ) -> Result<Self, TokenizerError> {
        let named = |wanted: &str| vocabulary.specials().find(|(_, name)| *name == wanted).map(|(token, _)| token);
        let required = |name: &str| {
            named(name).ok_or_else(|| TokenizerError::MissingToken { file: file.to_owned(), token: name.to_owned() })
        };
        let start_of_transcript = required("<|startoftranscript|>")?;
        let no_timestamps = required("<|notimestamps|>")?;
        let translate = named("<|translate|>");
        let transcribe = named("<|transcribe|>");
        let (timestamp_begin, timestamp_count) = timestamps(vocabulary, settings, no_timestamps, file)?;

        // Language tokens stand between the start and the tasks; one added later is known by its name or by the
        // configuration.
        let tasks = translate.into_iter().chain(transcribe).min().unwrap_or(start_of_transcript);
        let languages: Vec<(String, Token)> = vocabulary
            .specials()
            .filter_map(|(token, name)| {
                let code = name.strip_prefix("<|")?.strip_suffix("|>")?;
                let known = languages::name_of(code).is_some() || settings.languages.iter().any(|known| known == code);
                let in_place = token > start_of_transcript && token < tasks;
                (known || in_place).then(|| (code.to_owned(), token))
            })
            .collect();
        let taught = settings.multilingual.unwrap_or_else(|| {
            let rows = settings.vocabulary.unwrap_or(vocabulary.size());
            transcribe.is_some() && rows != ENGLISH_ONLY_VOCABULARY
        });
        // Without a token for any language there is none to choose, whatever the settings say.
        let multilingual = taught && !languages.is_empty();
        Ok(Self {
            end_of_text: required("<|endoftext|>")?,
            start_of_transcript,
            translate,
            transcribe,
            start_of_lm: named("<|startoflm|>"),
            start_of_previous: named("<|startofprev|>"),
            no_speech: named("<|nospeech|>").or_else(|| named("<|nocaptions|>")),
            no_timestamps,
            timestamp_begin,
            timestamp_count,
            languages,
            multilingual,
        })
    }

    /// The tokens that only a prompt holds: no transcript says them, whatever a model's own list leaves out.
    pub fn prompt_only(&self) -> Vec<Token> {
        let others = [self.translate, self.transcribe, self.start_of_lm, self.start_of_previous, self.no_speech];
        others.into_iter().flatten().chain([self.start_of_transcript]).collect()
    }

    /// Whether the model takes a language and a task. The English-only ones have the tokens but were not taught them.
    pub fn is_multilingual(&self) -> bool {
        self.multilingual
    }

    /// The token of a language, by its code.
    pub fn language_token(&self, code: &str) -> Option<Token> {
        self.languages.iter().find(|(known, _)| known == code).map(|(_, token)| *token)
    }

    /// The code of a language token.
    pub fn language_of(&self, token: Token) -> Option<&str> {
        self.languages.iter().find(|(_, known)| *known == token).map(|(code, _)| code.as_str())
    }

    /// Whether a token is a time.
    pub fn is_timestamp(&self, token: Token) -> bool {
        token.checked_sub(self.timestamp_begin).is_some_and(|steps| steps < self.timestamp_count)
    }

    /// The time that a timestamp stands for, counted in steps of 20 ms from the beginning of the window.
    pub fn timestamp_steps(&self, token: Token) -> Option<u32> {
        self.is_timestamp(token).then(|| token - self.timestamp_begin)
    }

    /// The time that a timestamp stands for, in seconds from the beginning of the window.
    pub fn timestamp_seconds(&self, token: Token) -> Option<f64> {
        self.timestamp_steps(token).map(|steps| f64::from(steps) / f64::from(TIMESTAMPS_PER_SECOND))
    }

    /// The timestamp nearest to a time in the window; times outside it get its first or last one.
    pub fn timestamp(&self, seconds: f64) -> Token {
        let steps = (seconds * f64::from(TIMESTAMPS_PER_SECOND)).round();
        // The cast saturates, so that no number of seconds, not even NaN, leads out of the range.
        self.timestamp_begin + (steps as u32).min(self.timestamp_count - 1)
    }

    /// The name of a timestamp, `<|1.08|>`.
    pub fn timestamp_name(&self, token: Token) -> Option<String> {
        let steps = self.timestamp_steps(token)?;
        let (seconds, rest) = (steps / TIMESTAMPS_PER_SECOND, steps % TIMESTAMPS_PER_SECOND);
        Some(format!("<|{seconds}.{:02}|>", rest * (100 / TIMESTAMPS_PER_SECOND)))
    }
}

/// First timestamp and number of timestamps, as listed or, in older files, as room is left for them.
fn timestamps(
    vocabulary: &Vocabulary,
    settings: &TokenizerSettings,
    no_timestamps: Token,
    file: &str,
) -> Result<(Token, u32), TokenizerError> {
    let inconsistent = |reason: String| TokenizerError::Inconsistent { file: file.to_owned(), reason };
    let mut listed: Option<(Token, u32)> = None;
    for (token, name) in vocabulary.specials() {
        let Some(steps) = steps_of(name) else { continue };
        let (begin, count) = listed.unwrap_or((token, 0));
        if u64::from(begin) + u64::from(steps) != u64::from(token) || steps != count {
            return Err(inconsistent(format!("the timestamp {name} has the id {token}, out of order")));
        }
        listed = Some((begin, count + 1));
    }
    if let Some(listed) = listed {
        return Ok(listed);
    }
    let begin = no_timestamps as usize + 1;
    let rows = settings.vocabulary.unwrap_or(begin + TIMESTAMPS_OF_A_WINDOW);
    let count = rows.saturating_sub(begin).min(TIMESTAMPS_OF_A_WINDOW);
    let end = begin + count;
    if count == 0 {
        return Err(inconsistent(format!("no timestamps are listed and {rows} rows leave no room for them")));
    }
    if let Some((token, name)) = vocabulary.specials().find(|(token, _)| (begin..end).contains(&(*token as usize))) {
        return Err(inconsistent(format!("{name} has the id {token}, where the timestamps must be")));
    }
    Ok((begin as Token, count as u32))
}

/// `<|1.08|>` is 54 steps of 20 ms.
fn steps_of(name: &str) -> Option<u32> {
    let (seconds, hundredths) = name.strip_prefix("<|")?.strip_suffix("|>")?.split_once('.')?;
    if hundredths.len() != 2 || !name[2..name.len() - 2].bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return None;
    }
    let hundredths: u32 = hundredths.parse().ok()?;
    let seconds: u32 = seconds.parse().ok()?;
    let total = seconds.checked_mul(100)?.checked_add(hundredths)?;
    (total % 2 == 0).then_some(total / 2)
}
