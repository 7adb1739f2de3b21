//! Models: sizes, weights, tokenizer and settings, from whatever file holds them.
//!
//! [`Source::resolve`] turns a name or a path into a place, [`open`] reads what is there and checks that every tensor
//! of the model exists in its right shape. Weights stay in their mapped files until a backend packs them.

mod alignment;
mod bytes;
pub mod compare;
#[cfg(feature = "demo")]
mod demo;
mod dims;
mod error;
mod files;
mod fingerprint;
mod generation;
mod hub;
pub mod inspect;
mod numbers;
mod progress;
pub mod quantize;
mod source;
mod weights;
pub mod write;

use std::fmt;
use std::path::Path;

use serde::Serialize;

use crate::tokens::Tokenizer;
pub use dims::{CONVOLUTION_WINDOW, Dims};
pub use error::ModelError;
use files::folder::Folder;
use files::recognise::{self, Kind, Place};
use files::{hugging_face, numpy, torch};
pub use fingerprint::Fingerprint;
pub use generation::{AlignmentSource, Generation};
pub use numbers::{Dtype, Encoding, Multiplied, Scaled, Tensor, Transposed, Whole};
pub use progress::{Progress, Stopped};
pub use source::{KNOWN_MODELS, Source};

pub use weights::Weights;

/// A model in its files: everything that is known of it before a backend loads it.
#[derive(Debug)]
pub struct ModelFile {
    /// What the model is called: `demo`, `openai/whisper-base`, or the name of its folder.
    pub name: String,
    /// The sizes.
    pub dims: Dims,
    /// The weights. Every tensor of [`Dims::tensors`] is there in its shape.
    pub weights: Weights,
    /// The vocabulary and the special tokens.
    pub tokenizer: Tokenizer,
    /// Settings of decoding.
    pub generation: Generation,
    /// What kind of files it came from.
    pub format: Format,
    /// What is odd about the files but does not keep the model from working.
    pub warnings: Vec<String>,
}

/// A kind of model files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Format {
    /// A folder of Hugging Face's libraries.
    HuggingFace,
    /// A checkpoint of OpenAI's, as PyTorch saves it.
    OpenAi,
    /// Another checkpoint that PyTorch saved.
    Torch,
    /// NumPy's arrays.
    Numpy,
}

impl fmt::Display for Format {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::HuggingFace => "Hugging Face folder with safetensors",
            Self::OpenAi => "OpenAI checkpoint of PyTorch",
            Self::Torch => "PyTorch checkpoint",
            Self::Numpy => "NumPy arrays",
        })
    }
}

/// Opens a model and checks it.
pub fn open(source: &Source) -> Result<ModelFile, ModelError> {
    match source {
        #[cfg(feature = "demo")]
        Source::Demo => demo::open(),
        #[cfg(not(feature = "demo"))]
        Source::Demo => Err(ModelError::NoDemo),
        Source::Path(path) => open_path(path),
    }
}

fn open_path(path: &Path) -> Result<ModelFile, ModelError> {
    let shown = path.display().to_string();
    let metadata = path.metadata().map_err(|error| ModelError::Read { file: shown.clone(), reason: error })?;
    let place = if metadata.is_dir() { recognise::folder(path)? } else { recognise::file(path)? };
    let Place { kind, folder, file } = place;
    let name = source::name_of(&folder);
    match kind {
        Kind::HuggingFace => hugging_face::open(name, &Folder::Disk(folder), file.as_deref()),
        Kind::Torch => torch::open(name, &Folder::Disk(folder), file.as_deref()),
        Kind::Numpy => numpy::open(name, &Folder::Disk(folder), file.as_deref()),
    }
}
