//! What is left to do when a reader has found sizes, weights and tokenizer.

use std::collections::BTreeSet;

use super::config::GenerationConfig;
use crate::model::generation::{Generation, Sources};
use crate::model::weights::Weights;
use crate::model::{Dims, Format, ModelError, ModelFile};
use crate::tokens::Tokenizer;

/// What a reader finds in files that have no settings of Hugging Face's beside them.
pub(in crate::model) struct Parts<'a> {
    pub(in crate::model) name: String,
    pub(in crate::model) format: Format,
    pub(in crate::model) dims: Dims,
    pub(in crate::model) weights: Weights,
    pub(in crate::model) tokenizer: Tokenizer,
    /// What is said about decoding, and the file that says it.
    pub(in crate::model) generation: (&'a str, GenerationConfig),
    pub(in crate::model) warnings: Vec<String>,
}

impl Parts<'_> {
    /// The model, once every tensor is found to be there.
    pub(in crate::model) fn complete(self) -> Result<ModelFile, ModelError> {
        let Self { name, format, dims, weights, tokenizer, generation: (file, generation), mut warnings } = self;
        warnings.extend(check_weights(&weights, &dims)?);
        let sources = Sources { config: None, generation: (file, &generation) };
        let generation = Generation::read(&sources, &dims, &tokenizer)?;
        Ok(ModelFile { name, dims, weights, tokenizer, generation, format, warnings })
    }
}

/// The output projection where a file stores it: a copy of the token embedding.
pub(in crate::model) const OUTPUT_PROJECTION: &str = "proj_out.weight";
const TOKEN_EMBEDDING: &str = "decoder.embed_tokens.weight";

/// Checks that everything is there; the result says what is there besides and not used.
pub(in crate::model) fn check_weights(weights: &Weights, dims: &Dims) -> Result<Vec<String>, ModelError> {
    let mut expected = BTreeSet::new();
    for (name, shape) in dims.tensors() {
        weights.tensor(&name, &shape)?;
        expected.insert(name);
    }
    let mut warnings = Vec::new();
    if weights.get(OUTPUT_PROJECTION).is_some() {
        let shape = [dims.vocabulary, dims.text_width];
        let output = weights.tensor(OUTPUT_PROJECTION, &shape)?;
        let embedding = weights.tensor(TOKEN_EMBEDDING, &shape)?;
        if output.encoding != embedding.encoding || output.bytes != embedding.bytes {
            warnings.push(format!("{OUTPUT_PROJECTION} differs from {TOKEN_EMBEDDING}, which is used in its place"));
        }
        expected.insert(OUTPUT_PROJECTION.to_owned());
    }
    let mut others = weights.names().filter(|name| !expected.contains(*name));
    if let Some(first) = others.next() {
        let count = 1 + others.count();
        warnings.push(format!("{count} tensors are not Whisper's and are not used, the first of them {first}"));
    }
    Ok(warnings)
}
