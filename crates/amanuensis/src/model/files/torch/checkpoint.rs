//! The tensors of a checkpoint, by whatever it is wrapped in.
//!
//! ```text
//! OpenAI         {"dims": {"n_mels": 80, ...}, "model_state_dict": {"encoder.blocks.0.attn.query.weight": tensor, ...}}
//! transformers   {"model.encoder.layers.0.self_attn.q_proj.weight": tensor, ...}
//! trainers       {"state_dict": {"model.model.encoder...": tensor, ...}, "epoch": 3, ...}
//! ```

use std::collections::HashMap;
use std::ops::Range;

use super::pickle::{Pickle, Value};
use super::{Fault, archive, legacy};
use crate::model::files::config::Sizes;
use crate::model::files::laid::{Laid, Tensors};
use crate::model::files::openai;

/// A pickle, and where the storages lie that it names.
pub(super) struct Saved<'a> {
    pub(super) pickle: Pickle<'a>,
    pub(super) places: HashMap<&'a str, Range<usize>>,
}

/// What a file has of a model.
pub(super) struct Checkpoint {
    /// Only OpenAI's have them.
    pub(super) sizes: Option<Sizes>,
    pub(super) tensors: Tensors,
}

/// Where the tensors may be, if not at the top.
const WRAPPERS: [&str; 2] = ["model_state_dict", "state_dict"];
/// What wrappers of models put before the names of tensors.
const PREFIXES: [&str; 4] = ["model.", "module.", "whisper.", "_orig_mod."];

/// Reads a checkpoint in either of the two formats.
pub(super) fn read(bytes: &[u8]) -> Result<Checkpoint, Fault> {
    let saved = if legacy::is_legacy(bytes) { legacy::read(bytes)? } else { archive::read(bytes)? };
    let Saved { pickle, places } = &saved;
    let wrapped = WRAPPERS.iter().find_map(|name| pickle.item(pickle.root, name));
    let sizes = pickle.item(pickle.root, "dims").map(|dims| read_sizes(pickle, dims)).transpose()?;
    let named = pickle.dict(wrapped.unwrap_or(pickle.root)).ok_or("it is no map from names to tensors")?;
    let mut tensors = Tensors::default();
    let mut found = false;
    for (name, value) in named {
        let (Value::Text(name), Some((view, storage))) = (*name, pickle.tensor(*value)) else { continue };
        let place = places.get(storage.key).ok_or_else(|| format!("storage {} is not in it", storage.key))?;
        let laid = Laid {
            encoding: storage.dtype.into(),
            size: storage.dtype.size(),
            shape: view.shape.clone(),
            strides: view.strides.clone(),
            offset: view.offset,
            storage: place.start..place.start + storage.count * storage.dtype.size(),
        };
        tensors.add(canonical(name), bytes, laid)?;
        found = true;
    }
    if !found {
        return Err("no tensors are named in it".into());
    }
    Ok(Checkpoint { sizes, tensors })
}

fn canonical(name: &str) -> String {
    let mut bare = name;
    while let Some(rest) = PREFIXES.iter().find_map(|prefix| bare.strip_prefix(prefix)) {
        bare = rest;
    }
    openai::canonical(bare)
}

fn read_sizes(pickle: &Pickle<'_>, dims: Value<'_>) -> Result<Sizes, Fault> {
    let size = |name: &str| match pickle.item(dims, name) {
        Some(Value::Int(size)) => u64::try_from(size).map_err(|_| Fault::Broken(format!("its {name} is {size}"))),
        _ => Err(Fault::Broken(format!("its dims have no {name}"))),
    };
    openai::NAMES.map(size)
}
