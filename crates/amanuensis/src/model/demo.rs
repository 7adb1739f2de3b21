//! The small model that is part of the program.

use super::files::folder::Folder;
use super::files::hugging_face;
use super::{ModelError, ModelFile};

macro_rules! file {
    ($name:literal) => {
        ($name, include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../models/demo/", $name)))
    };
}

static FILES: [(&str, &[u8]); 7] = [
    file!("config.json"),
    file!("generation_config.json"),
    file!("preprocessor_config.json"),
    file!("vocab.json"),
    file!("merges.txt"),
    file!("added_tokens.json"),
    file!("model.safetensors"),
];

pub(super) fn open() -> Result<ModelFile, ModelError> {
    hugging_face::open("demo".to_owned(), &Folder::Embedded(&FILES), None)
}
