//! A folder as Hugging Face's libraries save it: safetensors, and settings in JSON.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path};

use serde::Deserialize;

use super::config::{self, Config, GenerationConfig};
use super::folder::{Folder, Settings};
use super::safetensors::{self, Table};
use super::{complete, scales, vocabulary};
use crate::model::generation::{self, Generation, Sources};
use crate::model::weights::Weights;
use crate::model::{Dims, Format, ModelError, ModelFile};

pub(in crate::model) const CONFIG: &str = "config.json";
pub(in crate::model) const WEIGHTS: &str = "model.safetensors";
pub(in crate::model) const INDEX: &str = "model.safetensors.index.json";

/// Whether a folder holds weights by the names that these libraries give them.
pub(in crate::model) fn has_weights(folder: &Folder) -> bool {
    folder.has(WEIGHTS) || folder.has(INDEX)
}

/// Opens the model in a folder. `weights_file` names its file of weights where that is not the usual one.
pub(in crate::model) fn open(
    name: String,
    folder: &Folder,
    weights_file: Option<&str>,
) -> Result<ModelFile, ModelError> {
    open_with(name, folder, Format::HuggingFace, |dims| {
        let (mut weights, gap) = read_weights(folder, weights_file)?;
        scales::join(&mut weights, dims)?;
        Ok((weights, gap))
    })
}

/// Opens a model whose settings are in such a folder, and whose weights `read` reads once the sizes are known.
pub(in crate::model) fn open_with(
    name: String,
    folder: &Folder,
    format: Format,
    read: impl FnOnce(&Dims) -> Result<Covered, ModelError>,
) -> Result<ModelFile, ModelError> {
    let absent = |file: &str| ModelError::NotAModel { path: folder.path(), reason: format!("no {file} in it") };
    let config_file = folder.settings(CONFIG)?.ok_or_else(|| absent(CONFIG))?;
    let config: Config = config_file.parse()?;
    let dims = config::dims(&config, &config_file.file)?;
    config::check_preprocessor(folder, &dims)?;
    let generation_file = folder.settings("generation_config.json")?;
    let generation_config: GenerationConfig =
        generation_file.as_ref().map(Settings::parse).transpose()?.unwrap_or_default();
    let generation_file = folder.path_of("generation_config.json");

    let (mut weights, gap) = read(&dims)?;
    scales::join(&mut weights, &dims)?;
    // A needed tensor that is not there says more than the gap its numbers leave.
    let mut warnings = complete::check_weights(&weights, &dims)?;
    if let Some(gap) = gap {
        return Err(gap);
    }
    let tokenizer = vocabulary::beside(folder, &dims, &generation_config)?;
    let sources =
        Sources { config: Some((&config_file.file, &config)), generation: (&generation_file, &generation_config) };
    let generation = Generation::read(&sources, &dims, &tokenizer)?;
    warnings.extend(generation::contradictions(&generation_file, &generation_config, tokenizer.special()));
    Ok(ModelFile { name, dims, weights, tokenizer, generation, format, warnings })
}

/// Weights, and what is wrong with how they cover their files.
pub(in crate::model) type Covered = (Weights, Option<ModelError>);

fn read_weights(folder: &Folder, weights_file: Option<&str>) -> Result<Covered, ModelError> {
    if let Some(file) = weights_file {
        return read_files(folder, file, [file]);
    }
    if folder.has(WEIGHTS) {
        return read_files(folder, WEIGHTS, [WEIGHTS]);
    }
    if folder.has(INDEX) {
        let shards = shards(folder, INDEX)?;
        let (weights, gap) = read_files(folder, INDEX, shards.files())?;
        shards.check(folder, &weights, safetensors::FORMAT)?;
        return Ok((weights, gap));
    }
    let other = ["model.bin", "tf_model.h5", "flax_model.msgpack"];
    let reason = match other.into_iter().find(|file| folder.has(file)) {
        Some(file) => {
            format!(
                "no {WEIGHTS} in it, only {file}, which is not read; save_pretrained of transformers writes {WEIGHTS}"
            )
        }
        None => format!("neither {WEIGHTS} nor {INDEX} in it"),
    };
    Err(ModelError::NotAModel { path: folder.path(), reason })
}

/// The index of a model in several files: tensor to file.
#[derive(Deserialize)]
pub(in crate::model) struct Shards {
    weight_map: BTreeMap<String, String>,
    /// Name of the index.
    #[serde(skip)]
    index: String,
}

/// Reads an index, whatever the files that it lists are.
pub(in crate::model) fn shards(folder: &Folder, index: &str) -> Result<Shards, ModelError> {
    let absent = || ModelError::NotAModel { path: folder.path(), reason: format!("no {index} in it") };
    let settings = folder.settings(index)?.ok_or_else(absent)?;
    let shards = Shards { index: index.to_owned(), ..settings.parse()? };
    // A name with folders in it would lead out of the model's own.
    if let Some(shard) = shards.files().into_iter().find(|shard| !is_plain_name(shard)) {
        return Err(ModelError::Setting {
            file: settings.file.clone(),
            field: "a file of weight_map".to_owned(),
            found: format!("{shard:?}"),
            expected: "the name of a file beside it".to_owned(),
        });
    }
    Ok(shards)
}

impl Shards {
    /// The files.
    pub(in crate::model) fn files(&self) -> BTreeSet<&str> {
        self.weight_map.values().map(String::as_str).collect()
    }

    /// Checks that every tensor that it lists is there.
    pub(in crate::model) fn check(
        &self,
        folder: &Folder,
        weights: &Weights,
        format: &'static str,
    ) -> Result<(), ModelError> {
        for (tensor, shard) in &self.weight_map {
            if weights.get(canonical(tensor)).is_none() {
                let reason = format!("tensor {tensor} is not in it, though {} says so", self.index);
                return Err(ModelError::Container { file: folder.path_of(shard), format, reason });
            }
        }
        Ok(())
    }
}

fn is_plain_name(name: &str) -> bool {
    let mut parts = Path::new(name).components();
    matches!((parts.next(), parts.next()), (Some(Component::Normal(_)), None)) && !name.contains(['/', '\\'])
}

fn read_files<'a>(
    folder: &Folder,
    origin: &str,
    files: impl IntoIterator<Item = &'a str>,
) -> Result<Covered, ModelError> {
    let mut weights = Weights::new(folder.path_of(origin), safetensors::FORMAT);
    let mut first_gap = None;
    for shard in files {
        let bytes = folder.weights(shard)?;
        let file = folder.path_of(shard);
        let Table { tensors, gap } = safetensors::read(&file, &bytes)?;
        first_gap = first_gap.or(gap);
        let tensors = tensors.into_iter().map(|(name, entry)| (canonical(&name).to_owned(), entry));
        weights.add_file(&file, folder.place_of(shard)?, bytes, tensors)?;
    }
    Ok((weights, first_gap))
}

/// Some files name the whole model before each tensor, some do not.
fn canonical(name: &str) -> &str {
    name.strip_prefix("model.").unwrap_or(name)
}
