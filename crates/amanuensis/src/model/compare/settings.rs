//! Sizes, settings of decoding, and tokens of two models beside each other.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::model::{AlignmentSource, ModelFile};
use crate::tokens::{Special, Token, Tokenizer};

/// How many unequal tokens are named.
const NAMED: usize = 5;

/// A setting that is not the same in both models.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Its name.
    pub setting: String,
    /// What the first model says.
    pub one: String,
    /// What the second model says.
    pub other: String,
    /// Whether it makes them different models. What one of them does not say, because its format has no place for it,
    /// does not.
    pub counts: bool,
}

/// What is not the same.
pub(super) fn compare(one: &ModelFile, other: &ModelFile) -> Vec<Difference> {
    let mut found = Found::default();
    let (a, b) = (&one.dims, &other.dims);
    for (setting, one, other) in [
        ("mel_bins", a.mel_bins, b.mel_bins),
        ("audio_context", a.audio_context, b.audio_context),
        ("audio_width", a.audio_width, b.audio_width),
        ("audio_heads", a.audio_heads, b.audio_heads),
        ("audio_layers", a.audio_layers, b.audio_layers),
        ("audio_feed_forward", a.audio_feed_forward, b.audio_feed_forward),
        ("text_context", a.text_context, b.text_context),
        ("text_width", a.text_width, b.text_width),
        ("text_heads", a.text_heads, b.text_heads),
        ("text_layers", a.text_layers, b.text_layers),
        ("text_feed_forward", a.text_feed_forward, b.text_feed_forward),
        ("vocabulary", a.vocabulary, b.vocabulary),
    ] {
        found.compare(setting, &one, &other, true);
    }
    let (a, b) = (&one.generation, &other.generation);
    found.sets("suppress_tokens", &a.suppress_tokens, &b.suppress_tokens, true);
    found.sets("begin_suppress_tokens", &a.begin_suppress_tokens, &b.begin_suppress_tokens, true);
    let said = [a, b].iter().all(|generation| generation.alignment_heads_from == AlignmentSource::Model);
    found.sets("alignment_heads", &a.alignment_heads, &b.alignment_heads, said);
    let first = (a.max_initial_timestamp_index, b.max_initial_timestamp_index);
    found.compare("max_initial_timestamp_index", &first.0, &first.1, first.0.is_some() && first.1.is_some());
    found.compare("median_filter_width", &a.median_filter_width, &b.median_filter_width, true);
    special(&mut found, one.tokenizer.special(), other.tokenizer.special());
    languages(&mut found, &one.tokenizer, &other.tokenizer);
    texts(&mut found, &one.tokenizer, &other.tokenizer);
    found.0
}

/// A value in the words of whoever reads the comparison.
trait Said {
    fn said(&self) -> String;
}

impl Said for usize {
    fn said(&self) -> String {
        self.to_string()
    }
}

impl Said for u32 {
    fn said(&self) -> String {
        self.to_string()
    }
}

impl Said for bool {
    fn said(&self) -> String {
        if *self { "yes" } else { "no" }.to_owned()
    }
}

impl<T: Said> Said for Option<T> {
    fn said(&self) -> String {
        self.as_ref().map_or_else(|| "not said".to_owned(), Said::said)
    }
}

/// A head of the decoder.
impl Said for (usize, usize) {
    fn said(&self) -> String {
        format!("head {} of layer {}", self.1, self.0)
    }
}

impl Said for Language<'_> {
    fn said(&self) -> String {
        format!("{} {}", self.code, self.token)
    }
}

#[derive(Default)]
struct Found(Vec<Difference>);

impl Found {
    fn push(&mut self, setting: &str, one: String, other: String, counts: bool) {
        self.0.push(Difference { setting: setting.to_owned(), one, other, counts });
    }

    fn compare<T: Said + PartialEq>(&mut self, setting: &str, one: &T, other: &T, counts: bool) {
        if one != other {
            self.push(setting, one.said(), other.said(), counts);
        }
    }

    /// Lists whose order does not matter; what only one of them has is named.
    fn sets<T: Said + Ord + Copy>(&mut self, setting: &str, one: &[T], other: &[T], counts: bool) {
        let sets = [one, other].map(|list| list.iter().copied().collect::<BTreeSet<T>>());
        if sets[0] != sets[1] {
            let only = |this: &BTreeSet<T>, that: &BTreeSet<T>| {
                let only: Vec<String> = this.difference(that).map(Said::said).collect();
                if only.is_empty() {
                    format!("{} of them", this.len())
                } else {
                    format!("{} of them, alone {}", this.len(), only.join(", "))
                }
            };
            self.push(setting, only(&sets[0], &sets[1]), only(&sets[1], &sets[0]), counts);
        }
    }
}

fn special(found: &mut Found, one: &Special, other: &Special) {
    let tokens = |special: &Special| {
        [
            ("end of text", Some(special.end_of_text)),
            ("start of transcript", Some(special.start_of_transcript)),
            ("translate", special.translate),
            ("transcribe", special.transcribe),
            ("start of lm", special.start_of_lm),
            ("start of previous", special.start_of_previous),
            ("no speech", special.no_speech),
            ("no timestamps", Some(special.no_timestamps)),
            ("first timestamp", Some(special.timestamp_begin)),
            ("timestamps", Some(special.timestamp_count)),
        ]
    };
    for ((setting, one), (_, other)) in tokens(one).into_iter().zip(tokens(other)) {
        // A token that one model does not name is not used with it, which is no other model.
        found.compare(setting, &one, &other, one.is_some() && other.is_some());
    }
    found.compare("multilingual", &one.multilingual, &other.multilingual, true);
}

/// Names that a model's files do not give are no reason to call it another model; how many languages it has is one.
fn languages(found: &mut Found, one: &Tokenizer, other: &Tokenizer) {
    let sides = [one, other];
    if !sides.iter().any(|tokenizer| tokenizer.special().is_multilingual()) {
        return;
    }
    let [of_one, of_other] = sides.map(|tokenizer| -> Vec<Language<'_>> {
        tokenizer.special().languages.iter().map(|(code, token)| Language { token: *token, code }).collect()
    });
    let assumed = sides.iter().any(|tokenizer| tokenizer.assumes_languages());
    found.sets("languages", &of_one, &of_other, !assumed || of_one.len() != of_other.len());
}

/// A language as a model knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Language<'a> {
    token: Token,
    code: &'a str,
}

/// The bytes of every token of text.
fn texts(found: &mut Found, one: &Tokenizer, other: &Tokenizer) {
    let size = one.vocabulary_size().max(other.vocabulary_size());
    let unequal: Vec<Token> = (0..Token::try_from(size).unwrap_or(Token::MAX))
        .filter(|token| one.token_bytes(*token) != other.token_bytes(*token))
        .collect();
    if unequal.is_empty() {
        return;
    }
    let named = |tokenizer: &Tokenizer| {
        let text = |token: &Token| match tokenizer.token_bytes(*token) {
            Some(bytes) => format!("{token} {:?}", String::from_utf8_lossy(bytes)),
            None => format!("{token} no text"),
        };
        let named: Vec<String> = unequal.iter().take(NAMED).map(text).collect();
        let more = if unequal.len() > NAMED { ", ..." } else { "" };
        format!("{}{more}", named.join(", "))
    };
    found.push(&format!("text of {} tokens", unequal.len()), named(one), named(other), true);
}
