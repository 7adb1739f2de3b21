//! Which tensor an array is, by its name.

use std::collections::HashMap;

use crate::model::Dims;
use crate::model::files::{complete, openai};

/// What an array holds of its tensor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Named {
    /// The tensor's canonical name; the array's own where it is no tensor of the model.
    pub(super) tensor: String,
    /// Whether it is one of the model's.
    pub(super) known: bool,
    /// Whether it is not the numbers but what they count.
    pub(super) scale: bool,
}

/// What is written behind a name to say what the numbers are. The kind stands in the array too.
const KINDS: [&str; 6] = ["_fp32", "_f32", "_fp16", "_f16", "_int8", "_i8"];
const SCALES: [&str; 2] = ["_scale", "_scales"];

/// The names of a model's tensors in all their spellings.
pub(super) struct Names {
    known: HashMap<String, String>,
}

impl Names {
    pub(super) fn of(dims: &Dims) -> Self {
        let mut known = HashMap::new();
        let tensors = dims.tensors().into_iter().map(|(name, _)| name);
        for name in tensors.chain([complete::OUTPUT_PROJECTION.to_owned()]) {
            for spelling in [&name, &openai::theirs(&name)] {
                known.insert(flat(spelling), name.clone());
                if let Some(of_encoder) = spelling.strip_prefix("encoder.") {
                    known.insert(flat(of_encoder), name.clone());
                }
            }
        }
        Self { known }
    }

    /// What the array of this name holds.
    pub(super) fn find(&self, array: &str) -> Named {
        let flattened = flat(array);
        let bare = flattened.strip_prefix("model_").unwrap_or(&flattened);
        let without_kind = |name: &'_ str| KINDS.iter().find_map(|kind| name.strip_suffix(kind)).unwrap_or(name).len();
        let mut scale = false;
        let mut name = &bare[..without_kind(bare)];
        if let Some(of) = SCALES.iter().find_map(|suffix| name.strip_suffix(suffix)) {
            scale = true;
            name = &of[..without_kind(of)];
        }
        match self.known.get(name) {
            Some(tensor) => Named { tensor: tensor.clone(), known: true, scale },
            None => Named { tensor: array.to_owned(), known: false, scale: false },
        }
    }
}

/// A name with one sign for all that separates its parts.
fn flat(name: &str) -> String {
    name.replace(['.', '/'], "_")
}
