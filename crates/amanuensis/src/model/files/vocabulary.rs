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
    let languages = generation.lang_to_id.iter().flat_map(|map| map.keys());
    let settings = TokenizerSettings {
        vocabulary: Some(dims.vocabulary),
        languages: languages.map(|name| name.trim_matches(['<', '|', '>']).to_owned()).collect(),
        multilingual: generation.is_multilingual,
    };
    let (tokenizer, file) = if let Some(whole) = folder.settings("tokenizer.json")? {
        (TokenizerFiles::Whole(named(&whole)).read(&settings)?, whole.file)
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
    if tokenizer.vocabulary_size() > dims.vocabulary {
        return Err(ModelError::Vocabulary { file, largest: tokenizer.vocabulary_size() - 1, rows: dims.vocabulary });
    }
    Ok(tokenizer)
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
