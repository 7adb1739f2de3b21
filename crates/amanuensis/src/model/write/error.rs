use std::io;
use std::path::{Path, PathBuf};

use super::Type;
use crate::model::{ModelError, Stopped};

/// Why a model cannot be written: which file or tensor, what is wrong, and what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// The operating system refused a file.
    #[error("{}: cannot be written: {reason}", .path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// The system's reason. It is part of the sentence and not the error's source, or it would be said twice.
        reason: io::Error,
    },
    /// The place is taken.
    #[error("{}: is there already; give another place, or --force to replace it", .path.display())]
    Exists {
        /// The place.
        path: PathBuf,
    },
    /// The place is taken by something that is not replaced.
    #[error("{}: is not replaced: {reason}; give another place", .path.display())]
    NotReplaced {
        /// The place.
        path: PathBuf,
        /// What it is.
        reason: String,
    },
    /// The place has no name.
    #[error("{}: is no name for a file or a folder; give one", .path.display())]
    Nameless {
        /// The place.
        path: PathBuf,
    },
    /// The format has no such numbers.
    #[error("{container} has no {kind}; it has {types}")]
    Type {
        /// The format.
        container: &'static str,
        /// The type asked for.
        kind: Type,
        /// Those it has.
        types: String,
    },
    /// The format does not take what was chosen.
    #[error(
        "{container} has its own rule for which tensors are written how: tensors to keep, or one scale for a tensor, are for safetensors"
    )]
    Choice {
        /// The format.
        container: &'static str,
    },
    /// One scale for a tensor was asked for where that makes no sense.
    #[error("one scale for a whole tensor goes with int8, not with {kind}")]
    Granularity {
        /// The type asked for.
        kind: Type,
    },
    /// A number that the type cannot hold.
    #[error("tensor {tensor} holds {number}, which {kind} cannot hold; {advice}")]
    Number {
        /// The tensor.
        tensor: String,
        /// The number.
        number: f32,
        /// The type.
        kind: Type,
        /// What to do.
        advice: &'static str,
    },
    /// What the model is made of has no place in the format.
    #[error("{what} cannot be written as {container}: {reason}")]
    Unwritable {
        /// The part of the model.
        what: String,
        /// The format.
        container: &'static str,
        /// Why.
        reason: String,
    },
    /// It was told not to go on.
    #[error(transparent)]
    Stopped(#[from] Stopped),
    /// The model itself is at fault.
    #[error(transparent)]
    Model(#[from] ModelError),
}

impl WriteError {
    /// Makes an error of what the system said of a file.
    pub(in crate::model) fn of(path: &Path) -> impl Fn(io::Error) -> WriteError + '_ {
        move |reason| WriteError::Write { path: path.to_owned(), reason }
    }
}
