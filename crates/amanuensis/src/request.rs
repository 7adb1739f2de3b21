//! Options made ready for one model: names become tokens, lists become rules, and what cannot be is refused.

use crate::decoding::{Request, Rules, text_prompt};
use crate::error::Error;
use crate::model::Generation;
use crate::options::{Options, Task};
use crate::tokens::{Special, Token, Tokenizer, languages};

/// What a transcription was asked for, in the model's own terms.
pub(crate) struct Asked {
    /// Language, task and timestamps of every window.
    pub(crate) request: Request,
    /// What may follow what.
    pub(crate) rules: Rules,
    /// The initial prompt.
    pub(crate) before: Vec<Token>,
    /// Code of the language; empty until it is known.
    pub(crate) language: String,
    /// What could not be done as asked.
    pub(crate) warnings: Vec<String>,
}

impl Asked {
    pub(crate) fn new(options: &Options, tokenizer: &Tokenizer, generation: &Generation) -> Result<Self, Error> {
        let special = tokenizer.special();
        let mut warnings = Vec::new();
        let (language, language_token) = match &options.language {
            Some(asked) => known_language(special, asked, &mut warnings)?,
            None if special.is_multilingual() => (String::new(), None),
            None => ("en".to_owned(), None),
        };
        Ok(Asked {
            request: Request {
                language: language_token,
                task: task(special, options.task)?,
                timestamps: options.timestamps,
            },
            rules: rules(options, tokenizer, generation)?,
            before: options.initial_prompt.as_deref().map_or_else(Vec::new, |text| text_prompt(tokenizer, text)),
            language,
            warnings,
        })
    }

    /// Whether the language is still to be detected.
    pub(crate) fn needs_language(&self) -> bool {
        self.language.is_empty()
    }

    /// Takes the most probable of the detected languages.
    pub(crate) fn heard(&mut self, special: &Special, languages: &[(String, f32)]) {
        if let Some((code, _)) = languages.first() {
            self.request.language = special.language_token(code);
            self.language.clone_from(code);
        }
    }
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

fn rules(options: &Options, tokenizer: &Tokenizer, generation: &Generation) -> Result<Rules, Error> {
    let special = tokenizer.special();
    let suppressed = match &options.suppress_tokens {
        Some(asked) => suppressed(asked, tokenizer)?,
        None => generation.suppress_tokens.clone(),
    };
    let suppressed_first = if options.suppress_blank { generation.begin_suppress_tokens.clone() } else { Vec::new() };
    let rules = Rules::new(suppressed, suppressed_first);
    let initial = generation.max_initial_timestamp_index.unwrap_or(INITIAL_TIMESTAMP);
    Ok(if options.timestamps { rules.with_timestamps(special, initial) } else { rules })
}

/// The tokens of a list in which -1 stands for all that is not spoken.
fn suppressed(asked: &[i64], tokenizer: &Tokenizer) -> Result<Vec<Token>, Error> {
    let vocabulary = tokenizer.vocabulary_size();
    let mut tokens = Vec::new();
    for &token in asked {
        match usize::try_from(token) {
            Ok(id) if id < vocabulary => tokens.push(token as Token),
            _ if token == -1 => tokens.extend(unspoken(tokenizer)),
            _ => return Err(Error::UnknownToken { token, vocabulary }),
        }
    }
    Ok(tokens)
}

/// Symbols that nobody speaks, and the special tokens that only a prompt holds.
fn unspoken(tokenizer: &Tokenizer) -> Vec<Token> {
    let special = tokenizer.special();
    let mut tokens = tokenizer.non_speech_tokens();
    tokens.push(special.start_of_transcript);
    let others =
        [special.transcribe, special.translate, special.start_of_previous, special.start_of_lm, special.no_speech];
    tokens.extend(others.into_iter().flatten());
    tokens
}
