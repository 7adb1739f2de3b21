//! Opening models that PyTorch saved.

use super::FORMAT;
use super::checkpoint::{self, Checkpoint};
use crate::model::files::folder::Folder;
use crate::model::files::{beside, hugging_face, openai};
use crate::model::weights::Weights;
use crate::model::{Format, ModelError, ModelFile};

/// What transformers calls its file, and the list of files where there are several.
pub(in crate::model) const WEIGHTS: &str = "pytorch_model.bin";
pub(in crate::model) const INDEX: &str = "pytorch_model.bin.index.json";

/// Opens a checkpoint; `file` is its name where it is not the one in a folder of transformers'.
pub(in crate::model) fn open(name: String, folder: &Folder, file: Option<&str>) -> Result<ModelFile, ModelError> {
    if file.is_none() && !folder.has(WEIGHTS) {
        return hugging_face::open_with(name, folder, Format::Torch, |_| {
            let shards = hugging_face::shards(folder, INDEX)?;
            let mut weights = Weights::new(folder.path_of(INDEX), FORMAT);
            for shard in shards.files() {
                read(folder, shard, &mut weights)?;
            }
            shards.check(folder, &weights, FORMAT)?;
            Ok((weights, None))
        });
    }
    let file = file.unwrap_or(WEIGHTS);
    let mut weights = Weights::new(folder.path_of(file), FORMAT);
    match read(folder, file, &mut weights)? {
        Some(sizes) => {
            let dims = openai::dims(&sizes, &folder.path_of(file))?;
            beside::complete(name, folder, Format::OpenAi, dims, weights)
        }
        None => beside::open(name, folder, Format::Torch, file, |_| Ok((weights, None))),
    }
}

fn read(
    folder: &Folder,
    name: &str,
    weights: &mut Weights,
) -> Result<Option<crate::model::files::config::Sizes>, ModelError> {
    let file = folder.path_of(name);
    let bytes = folder.weights(name)?;
    let Checkpoint { sizes, tensors } = checkpoint::read(&bytes).map_err(|fault| fault.of(&file))?;
    tensors.add_to(weights, &file, folder.place_of(name)?, bytes)?;
    Ok(sizes)
}
