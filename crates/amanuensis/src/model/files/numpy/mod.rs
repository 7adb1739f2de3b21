//! NumPy's arrays: one in a file (`.npy`), many in a zip archive (`.npz`), or a folder of files.
//!
//! The arrays are named as tensors are: in our names, Hugging Face's or OpenAI's, with `_` or `/` where a file name wants no
//! `.`; without `encoder.` too, as the earlier system's extractor wrote the encoder. Whole numbers stand beside their scales:
//!
//! ```text
//! encoder.layers.0.fc1.weight          f32, f16; or i8, then with
//! encoder.layers.0.fc1.weight_scale    f32: one for all, or one for each row
//!
//! layers_0_fc1_weight.npy              the extractor's f32
//! layers_0_fc1_weight_fp16.npy         its f16
//! layers_0_fc1_weight_int8.npy         its i8, with
//! layers_0_fc1_weight_scale.npy        one scale
//! ```
//!
//! config.json (or dims.json) and the tokenizer lie beside them.

mod arrays;
mod inflate;
mod model;
mod names;
pub(in crate::model) mod npy;

pub(in crate::model) use model::{is_archive, open};
pub(in crate::model) use npy::is_array;

/// What errors call an archive.
const ARCHIVE: &str = "NumPy archive";
/// What errors call one array.
const ARRAY: &str = "NumPy array";

#[cfg(test)]
mod tests;
