use std::io;
use std::path::PathBuf;

use crate::tokens::TokenizerError;

/// Why a model cannot be opened: which file, which tensor or field of it, what is wrong, and what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// The operating system refused a file.
    #[error("{file}: cannot be read: {reason}")]
    Read {
        /// The file.
        file: String,
        /// The system's reason. It is part of the sentence and not the error's source, or it would be said twice.
        reason: io::Error,
    },
    /// What git-lfs leaves in the place of a large file until it is fetched.
    #[error("{file}: a git-lfs pointer, not the file itself; fetch it with `git lfs pull`")]
    Pointer {
        /// The file.
        file: String,
    },
    /// Nothing by this name is known or stored here.
    #[error("no model {name:?}: looked in {}; {advice}", list(.looked))]
    NotFound {
        /// What was asked for.
        name: String,
        /// The places that were searched.
        looked: Vec<PathBuf>,
        /// How to get it.
        advice: String,
    },
    /// What the path leads to is not a model that can be read.
    #[error("{path}: {reason}; a model is a file of weights, or a folder of weights, sizes and tokenizer")]
    NotAModel {
        /// The path.
        path: String,
        /// What was found instead.
        reason: String,
    },
    /// A file of settings is larger than any real one.
    #[error("{file}: {size} bytes, more than the limit of {limit} for a file of settings; it is not a model's")]
    TooLarge {
        /// The file.
        file: String,
        /// Its size in bytes.
        size: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// A file of settings is not the JSON that is expected.
    #[error("{file}: not readable: {reason}; the file is damaged or of another kind, fetch it again")]
    Settings {
        /// The file.
        file: String,
        /// What is wrong, with line and column where they are known.
        reason: String,
    },
    /// A setting has a value that no Whisper model has, or that contradicts another.
    #[error(
        "{file}: {field} is {found}, expected {expected}; the model is not a Whisper model or its files are from different ones"
    )]
    Setting {
        /// The file.
        file: String,
        /// Name of the setting.
        field: String,
        /// Its value.
        found: String,
        /// What it may be.
        expected: String,
    },
    /// A file of weights breaks the rules of its format.
    #[error("{file}: not a valid {format}: {reason}; fetch it again")]
    Container {
        /// The file.
        file: String,
        /// The format, as in "safetensors file".
        format: &'static str,
        /// The rule that is broken, with the tensor where one is to blame.
        reason: String,
    },
    /// A file that would have Python do something when it is loaded, beside holding weights.
    #[error(
        "{file}: refused: {what}. Weights need no such thing, and where Python loads such a file it can run any program; if you know where it comes from, let Python save its state_dict alone"
    )]
    Executable {
        /// The file.
        file: String,
        /// The class or function it names and how.
        what: String,
    },
    /// A file that is whole but of a kind that is not read.
    #[error("{file}: {what}; {advice}")]
    Unsupported {
        /// The file.
        file: String,
        /// What it is.
        what: String,
        /// What to do instead.
        advice: String,
    },
    /// A tensor that the model's sizes imply is not in its files.
    #[error(
        "{file}: tensor {tensor} of shape {shape:?} is missing; the file is incomplete or its sizes are those of another model"
    )]
    MissingTensor {
        /// The file.
        file: String,
        /// The tensor.
        tensor: String,
        /// The shape it must have.
        shape: Vec<usize>,
    },
    /// A tensor has another shape than the model's sizes imply.
    #[error(
        "{file}: tensor {tensor} has the shape {found:?}, expected {expected:?}; its sizes are those of another model, or the file is damaged"
    )]
    Shape {
        /// The file.
        file: String,
        /// The tensor.
        tensor: String,
        /// The shape that the model's sizes imply.
        expected: Vec<usize>,
        /// The shape in the file.
        found: Vec<usize>,
    },
    /// A tensor's numbers are of a kind that is not computed with.
    #[error("{file}: tensor {tensor} holds {found}, expected F32, F16 or BF16; save the model in one of these")]
    NumberKind {
        /// The file.
        file: String,
        /// The tensor.
        tensor: String,
        /// The kind in the file.
        found: String,
    },
    /// A weight is larger than the compute type has numbers for.
    #[error("{file}: tensor {tensor} holds a number that f16 cannot hold (it ends at 65504); compute in f32 or int8")]
    Overflow {
        /// The file.
        file: String,
        /// The tensor.
        tensor: String,
    },
    /// No tokenizer lies beside the weights, which themselves have none.
    #[error(
        "{folder}: neither tokenizer.json nor a .tiktoken file nor {absent} in it; put the model's tokenizer.json there: {advice}"
    )]
    NoTokenizer {
        /// The folder of the weights.
        folder: String,
        /// The file that is lacking of those that would do instead.
        absent: String,
        /// Whose tokenizer it is.
        advice: String,
    },
    /// The tokenizer cannot be read.
    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),
    /// The tokenizer and the weights are of different models.
    #[error(
        "{file}: the tokenizer has ids up to {largest}, but the model has {rows} rows; their files are from different models"
    )]
    Vocabulary {
        /// File of the tokenizer.
        file: String,
        /// Largest id of the tokenizer.
        largest: usize,
        /// Rows of the embedding.
        rows: usize,
    },
    /// This build carries no demo model.
    #[error("this build has no demo model in it; build with the feature `demo`, or give the path of a model's folder")]
    NoDemo,
}

fn list(paths: &[PathBuf]) -> String {
    if paths.is_empty() {
        return "no place (no home folder is set)".to_owned();
    }
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
}
