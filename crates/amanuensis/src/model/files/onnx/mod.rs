//! Models that were exported to ONNX: a graph for the encoder and one for the decoder, with the weights somewhere in them.
//!
//! Nothing is computed with the graphs. They are read to find out which of their tensors is which of Whisper's; from
//! there on these are tensors as in any other file.

mod attention;
mod constant;
mod data;
mod linear;
mod message;
pub(in crate::model) mod pair;
mod protobuf;
mod settings;
#[cfg(test)]
mod tests;
mod view;
mod whisper;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use constant::Constant;
use data::{Files, broken};
use pair::Pair;
use settings::Settings;

use super::folder::Folder;
use super::{complete, config, vocabulary};
use crate::model::bytes::Bytes;
use crate::model::generation::Generation;
use crate::model::weights::{Entry, Weights};
use crate::model::{Dtype, Format, ModelError, ModelFile, source};
use crate::tokens::TokenizerFiles;

/// What errors call it.
const FORMAT: &str = "ONNX file of a Whisper model";

/// The folder within a model's own that files of ONNX are often in.
pub(in crate::model) const INNER_FOLDER: &str = "onnx";

/// Whether a file that begins so is one of these: the version of the format, and a field that may follow it.
pub(in crate::model) fn begins_like_one(start: &[u8]) -> bool {
    matches!(start, [0x08, 1..=0x3f, 0x12 | 0x1a | 0x22 | 0x28 | 0x32 | 0x3a | 0x42 | 0x72, ..])
}

/// Opens the model in the files of a folder, or the one that a file is half of.
pub(in crate::model) fn open(folder: &Path, file: Option<&str>) -> Result<ModelFile, ModelError> {
    let refused = |path: PathBuf, reason: String| ModelError::NotAModel { path: path.display().to_string(), reason };
    let Pair { encoder, decoder } = match file {
        Some(file) => pair::of_file(folder, file).map_err(|reason| refused(folder.join(file), reason))?,
        None => pair::of_folder(folder).ok_or_else(|| {
            refused(folder.to_owned(), "no encoder and decoder of ONNX in it that belong together".to_owned())
        })?,
    };
    let own = Folder::Disk(folder.to_owned());
    let (encoder_bytes, decoder_bytes) = (own.weights(&encoder)?, own.weights(&decoder)?);
    let (encoder_path, decoder_path) = (own.path_of(&encoder), own.path_of(&decoder));
    let of_encoder = message::read(&encoder_bytes).map_err(|reason| broken(&encoder_path, reason))?;
    let of_decoder = message::read(&decoder_bytes).map_err(|reason| broken(&decoder_path, reason))?;
    let encoder_views = view::views(&of_encoder.graph);
    let decoder_views = view::views(&of_decoder.graph);
    let heard = best(&encoder_views, whisper::encoder).map_err(|reason| broken(&encoder_path, reason))?;
    let said = best(&decoder_views, whisper::decoder).map_err(|reason| broken(&decoder_path, reason))?;

    let beside = settings_folder(folder);
    let settings = Settings::read(&beside, &of_encoder.metadata)?;
    let shape_of = |name: &str| {
        let found = heard.iter().chain(&said).find(|(known, _)| known == name);
        found.map(|(_, constant)| constant.shape()).unwrap_or_default()
    };
    let dims = settings.dims(&encoder_path, shape_of)?;
    config::check_preprocessor(&beside, &dims)?;

    let expected: HashMap<String, Vec<usize>> = dims.tensors().into_iter().collect();
    let mut weights = Weights::new(encoder_path.clone(), FORMAT);
    let mut known = Vec::new();
    let mut place = |name: &str, path: &str, bytes: &Bytes, tensors: &[(String, Constant<'_>)]| {
        let mut files = Files::new(folder, name, bytes);
        let mut entries: Vec<Vec<(String, Entry)>> = Vec::new();
        for (tensor, constant) in tensors {
            if known.contains(tensor) {
                continue;
            }
            known.push(tensor.clone());
            let (file, entry) = entry_of(constant, expected.get(tensor), &mut files)
                .map_err(|reason| broken(path, format!("{tensor}: {reason}")))?;
            if entries.len() <= file {
                entries.resize_with(file + 1, Vec::new);
            }
            entries[file].push((tensor.clone(), entry));
        }
        Ok::<_, ModelError>((entries, files.into_others()))
    };
    let of_encoder = place(&encoder, &encoder_path, &encoder_bytes, &heard)?;
    let of_decoder = place(&decoder, &decoder_path, &decoder_bytes, &said)?;
    drop((heard, said, encoder_views, decoder_views));
    for (name, bytes, (entries, others)) in
        [(encoder.clone(), encoder_bytes, of_encoder), (decoder, decoder_bytes, of_decoder)]
    {
        let mut entries = entries.into_iter();
        for (name, bytes) in std::iter::once((name, bytes)).chain(others) {
            weights.add_file(&own.path_of(&name), own.place_of(&name)?, bytes, entries.next().unwrap_or_default())?;
        }
    }

    let mut warnings = complete::check_weights(&weights, &dims)?;
    let tokenizer = match settings.tokens_file(&own, &encoder)? {
        Some(file) => vocabulary::in_file(TokenizerFiles::Ranked, &file, &dims, &settings.generation)?,
        None => vocabulary::beside(&beside, &dims, &settings.generation)?,
    };
    let generation = Generation::read(&settings.sources(), &dims, &tokenizer)?;
    warnings.extend(settings.contradictions(tokenizer.special()));
    let name = source::name_of(match folder.file_name() {
        Some(last) if last == INNER_FOLDER => folder.parent().unwrap_or(folder),
        _ => folder,
    });
    Ok(ModelFile { name, dims, weights, tokenizer, generation, format: Format::Onnx, warnings })
}

/// Settings lie beside the weights, or around the folder of them.
fn settings_folder(folder: &Path) -> Folder {
    let has_settings = |folder: &Path| ["config.json", "tokenizer.json"].iter().any(|name| folder.join(name).is_file());
    let inner = folder.file_name().is_some_and(|name| name == INNER_FOLDER);
    let around = folder.parent().filter(|around| inner && !has_settings(folder) && has_settings(around));
    Folder::Disk(around.unwrap_or(folder).to_owned())
}

/// Finds tensors in the graph that has the most of them. The parts of a merged decoder have the same but for what one of
/// them gets from the step before.
fn best<'a>(
    views: &[view::View<'a>],
    find: fn(&view::View<'a>) -> Result<whisper::Tensors<'a>, String>,
) -> Result<whisper::Tensors<'a>, String> {
    let mut best = Err("there is no graph in it".to_owned());
    // The reason of the graph with the most operations says the most.
    let mut largest = None;
    for view in views {
        match (find(view), &best) {
            (Ok(found), Ok(other)) if found.len() <= Vec::len(other) => {}
            (Ok(found), _) => best = Ok(found),
            (Err(reason), Err(_)) if largest.is_none_or(|nodes| view.nodes.len() > nodes) => {
                largest = Some(view.nodes.len());
                best = Err(reason);
            }
            (Err(_), _) => {}
        }
    }
    best
}

/// Where a tensor lies. One that has not the shape expected will be refused for it, and is not looked at closer.
fn entry_of(
    constant: &Constant<'_>,
    expected: Option<&Vec<usize>>,
    files: &mut Files<'_>,
) -> Result<(usize, Entry), String> {
    let shape = constant.shape();
    if expected != Some(&shape) {
        return Ok((0, Entry { file: 0, encoding: Dtype::F32.into(), shape, range: 0..0 }));
    }
    let (file, range, encoding) = constant.entry(files)?;
    Ok((file, Entry { file: 0, encoding, shape, range }))
}
