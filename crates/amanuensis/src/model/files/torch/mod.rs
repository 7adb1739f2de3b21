//! PyTorch's files, read without Python: a pickle that names tensors, and the storages that their numbers lie in.
//!
//! A pickle is a program. Python runs it and with it whatever functions it names; here only the few steps that build lists,
//! maps and tensors are known, so that there is nothing to run.

mod archive;
mod checkpoint;
mod classes;
mod legacy;
mod model;
mod opcodes;
mod pickle;

pub(in crate::model) use archive::is_checkpoint;
pub(in crate::model) use legacy::is_legacy;
pub(in crate::model) use model::{INDEX, WEIGHTS, open};

/// What errors call it.
const FORMAT: &str = "PyTorch checkpoint";

/// Why a file is not read.
#[derive(Debug, PartialEq)]
enum Fault {
    /// It breaks the rules of its format.
    Broken(String),
    /// It asks for something to be done.
    Executable(String),
    /// It is of a kind that is not read; what to do instead.
    Unsupported(String, &'static str),
}

impl From<String> for Fault {
    fn from(reason: String) -> Self {
        Self::Broken(reason)
    }
}

impl From<&str> for Fault {
    fn from(reason: &str) -> Self {
        Self::Broken(reason.to_owned())
    }
}

impl Fault {
    fn of(self, file: &str) -> crate::model::ModelError {
        use crate::model::ModelError::{Container, Executable, Unsupported};
        let file = file.to_owned();
        match self {
            Self::Broken(reason) => Container { file, format: FORMAT, reason },
            Self::Executable(what) => Executable { file, what },
            Self::Unsupported(what, advice) => Unsupported { file, what, advice: advice.to_owned() },
        }
    }
}

#[cfg(test)]
mod tests;
