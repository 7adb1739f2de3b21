//! The tokenizer that lies beside a file of weights.

use super::config::GenerationConfig;
use super::folder::{Folder, Settings};
use crate::model::{Dims, ModelError};
use crate::tokens::{NamedBytes, Tokenizer, TokenizerFiles, TokenizerSettings};

/// Reads the tokenizer in a folder, in whichever form it lies there.
pub(in crate::model) fn beside(
    folder: &Folder,
    dims: &Dims,
    generation: &GenerationConfig,
) -> Result<Tokenizer, ModelError> {
    let settings = settings_of(dims, generation);
    let (tokenizer, file) = if let Some(whole) = folder.settings("tokenizer.json")? {
        (TokenizerFiles::Whole(named(&whole)).read(&settings)?, whole.file)
    } else if !(folder.has("vocab.json") && folder.has("merges.txt"))
        && let Some(tokenizer) = ranked_beside(folder, dims)?
    {
        return Ok(tokenizer);
    } else {
        let absent = |file: &str| ModelError::NoTokenizer {
            folder: folder.path(),
            absent: file.to_owned(),
            advice: where_to_get_one(dims.vocabulary),
        };
        let vocabulary = folder.settings("vocab.json")?.ok_or_else(|| absent("vocab.json"))?;
        let merges = folder.settings("merges.txt")?.ok_or_else(|| absent("merges.txt"))?;
        let added = match folder.settings("added_tokens.json")? {
            Some(added) => Some(added),
            None => folder.settings("tokenizer_config.json")?,
        };
        let files = TokenizerFiles::Parts {
            vocabulary: named(&vocabulary),
            merges: named(&merges),
            added: added.as_ref().map(named),
        };
        (files.read(&settings)?, vocabulary.file)
    };
    check_size(&tokenizer, dims, &file)?;
    Ok(tokenizer)
}

/// Reads a tokenizer that is one file, of a kind that its reader knows.
pub(in crate::model) fn in_file<'a>(
    kind: fn(NamedBytes<'a>) -> TokenizerFiles<'a>,
    file: &'a Settings,
    dims: &Dims,
    generation: &GenerationConfig,
) -> Result<Tokenizer, ModelError> {
    let tokenizer = kind(named(file)).read(&settings_of(dims, generation))?;
    check_size(&tokenizer, dims, &file.file)?;
    Ok(tokenizer)
}

/// What the model and its settings say about its tokens.
fn settings_of(dims: &Dims, generation: &GenerationConfig) -> TokenizerSettings {
    let languages = generation.lang_to_id.iter().flat_map(|map| map.keys());
    TokenizerSettings {
        vocabulary: Some(dims.vocabulary),
        languages: languages.map(|name| name.trim_matches(['<', '|', '>']).to_owned()).collect(),
        multilingual: generation.is_multilingual,
    }
}

/// Rows of the embedding of OpenAI's English-only models.
const ENGLISH_ONLY_VOCABULARY: usize = 51864;

/// Reads OpenAI's form of a vocabulary, if it lies in the folder: by the name it has in openai-whisper's package, or else
/// the only file of its kind.
pub(in crate::model) fn ranked_beside(folder: &Folder, dims: &Dims) -> Result<Option<Tokenizer>, ModelError> {
    let usual = if dims.vocabulary == ENGLISH_ONLY_VOCABULARY { "gpt2.tiktoken" } else { "multilingual.tiktoken" };
    let name = if folder.has(usual) { Some(usual.to_owned()) } else { folder.only_file_with_extension("tiktoken") };
    let Some(ranks) = name.map(|name| folder.settings(&name)).transpose()?.flatten() else { return Ok(None) };
    let settings = TokenizerSettings { vocabulary: Some(dims.vocabulary), ..TokenizerSettings::default() };
    let tokenizer = TokenizerFiles::Ranked(named(&ranks)).read(&settings)?;
    check_size(&tokenizer, dims, &ranks.file)?;
    Ok(Some(tokenizer))
}

/// Checks that every token has its row.
pub(in crate::model) fn check_size(tokenizer: &Tokenizer, dims: &Dims, file: &str) -> Result<(), ModelError> {
    if tokenizer.vocabulary_size() > dims.vocabulary {
        let largest = tokenizer.vocabulary_size() - 1;
        return Err(ModelError::Vocabulary { file: file.to_owned(), largest, rows: dims.vocabulary });
    }
    Ok(())
}

/// OpenAI's models share three tokenizers, which the number of tokens tells apart.
fn where_to_get_one(rows: usize) -> String {
    let repository = match rows {
        51864 => "openai/whisper-base.en",
        51865 => "openai/whisper-base",
        51866 => "openai/whisper-large-v3",
        _ => return format!("that of the model it was made from, with {rows} tokens"),
    };
    format!("with its {rows} tokens it has that of {repository} on huggingface.co")
}

fn named(settings: &Settings) -> NamedBytes<'_> {
    NamedBytes { name: &settings.file, bytes: &settings.bytes }
}
