//! British spellings as American ones.
//!
//! openai-whisper has a table of 1,739 words, which is the data of another project and not part of this one. The rules
//! of [`super::american`] cover the families that are regular; `--spelling FILE` reads the table itself for figures that are to be set
//! beside published ones.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fs;
use std::path::Path;

use anyhow::Context;

use super::american::american;

/// How spellings are made the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Spelling(pub(super) Source);

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Source {
    Rules,
    Table {
        path: String,
        words: HashMap<String, String>,
    },
    #[cfg(test)]
    AsItIs,
}

impl Spelling {
    /// By the rules of [`super::american`].
    pub(crate) fn rules() -> Self {
        Spelling(Source::Rules)
    }

    /// By a table: a JSON object whose keys are words and whose values are how they are to be written.
    pub(crate) fn table(path: &Path) -> anyhow::Result<Self> {
        let text = fs::read_to_string(path).with_context(|| format!("cannot read the spellings {}", path.display()))?;
        let words = serde_json::from_str(&text).with_context(|| {
            format!("{} is not a table of spellings: a JSON object from word to word", path.display())
        })?;
        Ok(Spelling(Source::Table { path: path.display().to_string(), words }))
    }

    /// Left as they are.
    #[cfg(test)]
    pub(crate) fn none() -> Self {
        Spelling(Source::AsItIs)
    }

    /// Its name in reports.
    pub(crate) fn name(&self) -> &str {
        match &self.0 {
            Source::Rules => "rules",
            Source::Table { path, .. } => path,
            #[cfg(test)]
            Source::AsItIs => "as it is",
        }
    }

    /// How a word is written.
    pub(super) fn of<'a>(&'a self, word: &'a str) -> Cow<'a, str> {
        match &self.0 {
            Source::Rules => american(word).map_or(Cow::Borrowed(word), Cow::Owned),
            Source::Table { words, .. } => words.get(word).map_or(word, String::as_str).into(),
            #[cfg(test)]
            Source::AsItIs => word.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_replaces_the_rules() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("table.json");
        fs::write(&path, r#"{"kerb": "edge"}"#).unwrap();
        let table = Spelling::table(&path).unwrap();
        assert_eq!((table.of("kerb"), table.of("colour")), ("edge".into(), "colour".into()));
        fs::write(&path, "[1]").unwrap();
        let error = format!("{:#}", Spelling::table(&path).unwrap_err());
        assert!(error.contains("is not a table of spellings"), "{error}");
        assert!(Spelling::table(&folder.path().join("none")).is_err());
    }
}
