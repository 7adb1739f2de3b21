//! Writers of model files, one per format, and what they share: which format has which numbers, and files that appear
//! whole or not at all.

mod beside;
mod ctranslate2;
mod draft;
mod error;
mod ggml;
mod gguf;
mod hugging_face;
mod kind;
mod npz;
mod numbers;
mod one_file;
mod safetensors;
mod settings;
#[cfg(test)]
mod tests;
mod vocabulary;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::quantize::Granularity;
use super::{Encoding, ModelError, ModelFile, Progress, Source};
pub(super) use beside::SCALE;
use draft::Passing;
pub use error::WriteError;
pub use kind::{Type, UnknownType};

/// A kind of files that models are written as.
#[derive(Debug)]
pub struct Container {
    /// The name it is asked for by.
    pub name: &'static str,
    /// Other names for it.
    pub aliases: &'static [&'static str],
    /// What it is, in a few words.
    pub about: &'static str,
    /// The numbers that its weights may be written as.
    pub types: &'static [Type],
    /// Whether it is a folder of files, and not one file.
    pub is_folder: bool,
    /// Whether it does what [`Order::keep`] and [`Order::granularity`] say.
    pub takes_choices: bool,
    write: fn(&ModelFile, &Order, &Path, &mut Progress<'_>) -> Result<(), WriteError>,
}

/// The types of ggml's formats.
const GGML_TYPES: &[Type] = &[Type::F32, Type::F16, Type::Q8_0, Type::Q5_1, Type::Q5_0, Type::Q4_1, Type::Q4_0];

/// Every format there is a writer of.
pub static CONTAINERS: [Container; 5] = [
    Container {
        name: "safetensors",
        aliases: &["hf", "huggingface", "transformers"],
        about: "a folder of Hugging Face's libraries: safetensors, settings and tokenizer",
        types: &[Type::F32, Type::F16, Type::Bf16, Type::Int8, Type::Int4],
        is_folder: true,
        takes_choices: true,
        write: hugging_face::write,
    },
    Container {
        name: "ggml",
        aliases: &["whisper.cpp"],
        about: "whisper.cpp's file",
        types: GGML_TYPES,
        is_folder: false,
        takes_choices: false,
        write: one_file::write_ggml,
    },
    Container {
        name: "gguf",
        aliases: &[],
        about: "ggml's newer file, with settings by name",
        types: GGML_TYPES,
        is_folder: false,
        takes_choices: false,
        write: one_file::write_gguf,
    },
    Container {
        name: "npz",
        aliases: &["numpy"],
        about: "a folder with an archive of NumPy's arrays, settings and tokenizer",
        types: &[Type::F32, Type::F16, Type::Int8],
        is_folder: true,
        takes_choices: true,
        write: npz::write,
    },
    Container {
        name: "ctranslate2",
        aliases: &["ct2", "faster-whisper"],
        about: "a folder of CTranslate2's, which faster-whisper reads",
        types: &[Type::F32, Type::F16, Type::Bf16, Type::Int8],
        is_folder: true,
        takes_choices: false,
        write: ctranslate2::write,
    },
];

impl Container {
    /// safetensors.
    pub fn safetensors() -> &'static Container {
        &CONTAINERS[0]
    }

    /// The format of a name.
    pub fn named(name: &str) -> Option<&'static Container> {
        let name = name.to_ascii_lowercase();
        CONTAINERS.iter().find(|container| container.name == name || container.aliases.contains(&name.as_str()))
    }

    /// The names of its types, as a list to be read.
    pub fn type_names(&self) -> String {
        self.types.iter().map(|kind| kind.name()).collect::<Vec<_>>().join(", ")
    }

    /// The type that a model is written as where none is asked for: its own, if this format has it, or else f32, which
    /// loses nothing.
    pub fn type_of(&self, model: &ModelFile) -> Type {
        let own = Type::of(model);
        own.filter(|own| self.types.contains(own)).unwrap_or(Type::F32)
    }
}

/// What is to be written.
#[derive(Debug, Clone)]
pub struct Order {
    /// The format.
    pub container: &'static Container,
    /// The numbers of matrices and convolutions.
    pub kind: Type,
    /// What shares a scale where the numbers are bytes.
    pub granularity: Granularity,
    /// Names of tensors that are written in f16 whatever the type.
    pub keep: BTreeSet<String>,
}

impl Order {
    /// A model of this format and type, in the usual way.
    pub fn new(container: &'static Container, kind: Type) -> Self {
        Self { container, kind, granularity: Granularity::default(), keep: BTreeSet::new() }
    }

    /// Whether the format does what is ordered.
    pub fn check(&self) -> Result<(), WriteError> {
        let Container { name, types, takes_choices, .. } = self.container;
        if !types.contains(&self.kind) {
            let types = self.container.type_names();
            return Err(WriteError::Type { container: name, kind: self.kind, types });
        }
        let is_usual = self.keep.is_empty() && self.granularity == Granularity::default();
        if !takes_choices && !is_usual {
            return Err(WriteError::Choice { container: name });
        }
        if self.granularity == Granularity::Tensor && self.kind != Type::Int8 {
            return Err(WriteError::Granularity { kind: self.kind });
        }
        Ok(())
    }
}

/// A model that is written and has not yet appeared in its place. Dropped, it leaves nothing behind.
#[derive(Debug)]
pub struct Draft {
    passing: Passing,
}

/// Writes a model beside the place where it is to appear. With `replace` it may stand in for a model that is there.
pub fn draft(
    model: &ModelFile,
    order: &Order,
    to: &Path,
    replace: bool,
    progress: &mut Progress<'_>,
) -> Result<Draft, WriteError> {
    order.check()?;
    let passing = Passing::beside(to, order.container.is_folder, replace)?;
    (order.container.write)(model, order, passing.path(), progress)?;
    Ok(Draft { passing })
}

impl Draft {
    /// Reads the model back.
    pub fn open(&self) -> Result<ModelFile, ModelError> {
        super::open(&Source::Path(self.passing.path().to_owned()))
    }

    /// Lets the model appear in its place. The result is the place.
    pub fn publish(self) -> Result<PathBuf, WriteError> {
        self.passing.publish()
    }
}

/// Refuses a place that a draft for it would refuse, before any work.
pub fn check_place(container: &Container, to: &Path, replace: bool) -> Result<(), WriteError> {
    Passing::check(to, container.is_folder, replace)
}

/// Whether a tensor's numbers are as large as they are because of its inputs: matrices and convolutions. Tables of
/// positions are looked up, never multiplied.
pub(super) fn is_matrix(name: &str, shape: &[usize]) -> bool {
    shape.len() > 1 && !name.ends_with("embed_positions.weight")
}

/// What most numbers of the matrices are written as.
fn main_encoding(model: &ModelFile) -> Option<String> {
    let mut counts: Vec<(String, usize)> = Vec::new();
    for (name, shape) in model.dims.tensors() {
        let Some(tensor) = model.weights.get(&name).filter(|_| is_matrix(&name, &shape)) else { continue };
        let encoding: &Encoding = tensor.encoding;
        let encoding = encoding.to_string();
        match counts.iter_mut().find(|(known, _)| *known == encoding) {
            Some((_, count)) => *count += tensor.count(),
            None => counts.push((encoding, tensor.count())),
        }
    }
    counts.into_iter().max_by_key(|(_, count)| *count).map(|(encoding, _)| encoding)
}
