//! Opening models whose weights are NumPy's arrays.

use std::path::Path;

use super::arrays::{Placed, Scales};
use super::inflate::inflate;
use super::names::Names;
use super::{ARCHIVE, ARRAY};
use crate::model::bytes::Bytes;
use crate::model::files::beside;
use crate::model::files::folder::Folder;
use crate::model::files::laid::Tensors;
use crate::model::files::zip::{self, Member, Packing};
use crate::model::weights::Weights;
use crate::model::{Dims, Format, ModelError, ModelFile};

const SUFFIX: &str = ".npy";
/// Files of a folder that are looked at. A model has at most 2,600 tensors and scales.
const MOST_FILES: usize = 1 << 16;

/// Whether an archive with these members is NumPy's.
pub(in crate::model) fn is_archive(members: &[Member]) -> bool {
    !members.is_empty() && members.iter().all(|member| member.name.ends_with(SUFFIX))
}

/// Opens the archive of this name, or, without one, the arrays of a folder.
pub(in crate::model) fn open(name: String, folder: &Folder, file: Option<&str>) -> Result<ModelFile, ModelError> {
    beside::open(name, folder, Format::Numpy, file.unwrap_or_default(), |dims| {
        let weights = match file {
            Some(file) => read_archive(folder, file, dims)?,
            None => read_folder(folder, dims)?,
        };
        refuse_half(&weights, folder, file)?;
        Ok((weights, None))
    })
}

fn read_archive(folder: &Folder, name: &str, dims: &Dims) -> Result<Weights, ModelError> {
    let (file, names) = (folder.path_of(name), Names::of(dims));
    let broken = |reason| ModelError::Container { file: file.clone(), format: ARCHIVE, reason };
    let bytes = folder.weights(name)?;
    let members = zip::read(&bytes).map_err(broken)?;
    let (inflated, places) = inflate(&bytes, &members).map_err(broken)?;
    let mut places = places.into_iter();
    let mut placed = Vec::new();
    for member in &members {
        let Some(array) = member.name.strip_suffix(SUFFIX) else {
            return Err(broken(format!("{} in it is no array", member.name)));
        };
        placed.push(match member.packing {
            Packing::Stored => Placed::new(&names, array, &bytes, member.range.clone()),
            _ => Placed::new(&names, array, &inflated, places.next().unwrap_or_default()),
        });
    }
    let mut scales = Scales::default();
    placed.iter().try_for_each(|placed| scales.add(placed)).map_err(broken)?;
    let (mut mapped, mut unpacked) = (Tensors::default(), Tensors::default());
    for (member, placed) in members.iter().zip(&placed) {
        let tensors = if member.packing == Packing::Stored { &mut mapped } else { &mut unpacked };
        scales.give(placed, tensors).map_err(broken)?;
    }
    refuse_unused(&scales).map_err(broken)?;
    let mut weights = Weights::new(file.clone(), ARCHIVE);
    mapped.add_to(&mut weights, &file, folder.place_of(name)?, bytes)?;
    unpacked.add_to_unpacked(&mut weights, &file, inflated)?;
    Ok(weights)
}

fn read_folder(folder: &Folder, dims: &Dims) -> Result<Weights, ModelError> {
    let names = Names::of(dims);
    let broken = |file: &str| {
        let file = folder.path_of(file);
        move |reason| ModelError::Container { file, format: ARRAY, reason }
    };
    let mut files: Vec<(String, Bytes)> = Vec::new();
    for name in array_files(folder)? {
        let bytes = folder.weights(&name)?;
        files.push((name, bytes));
    }
    fn place<'a>(names: &Names, name: &str, bytes: &'a [u8]) -> Placed<'a> {
        Placed::new(names, name.strip_suffix(SUFFIX).unwrap_or(name), bytes, 0..bytes.len())
    }
    let mut scales = Scales::default();
    for (name, bytes) in &files {
        scales.add(&place(&names, name, bytes)).map_err(broken(name))?;
    }
    let mut weights = Weights::new(folder.path(), ARRAY);
    for (name, bytes) in files {
        let mut tensors = Tensors::default();
        scales.give(&place(&names, &name, &bytes), &mut tensors).map_err(broken(&name))?;
        tensors.add_to(&mut weights, &folder.path_of(&name), folder.place_of(&name)?, bytes)?;
    }
    refuse_unused(&scales).map_err(broken(""))?;
    Ok(weights)
}

/// The names of the arrays in a folder, in order.
fn array_files(folder: &Folder) -> Result<Vec<String>, ModelError> {
    let mut names = folder.names(MOST_FILES)?;
    names.retain(|name| Path::new(name).extension().is_some_and(|extension| extension == "npy"));
    Ok(names)
}

fn refuse_unused(scales: &Scales) -> Result<(), String> {
    scales.unused().map_or(Ok(()), |tensor| Err(format!("there are scales of {tensor} but not its numbers")))
}

/// The earlier system's extractor left the decoder out, so its folders alone are half a model.
fn refuse_half(weights: &Weights, folder: &Folder, file: Option<&str>) -> Result<(), ModelError> {
    let has = |part: &str| weights.names().any(|name| name.starts_with(part));
    if has("encoder.") && !has("decoder.") {
        return Err(ModelError::Unsupported {
            file: file.map_or_else(|| folder.path(), |file| folder.path_of(file)),
            what: "only an encoder's arrays are in it".to_owned(),
            advice: "save the decoder's beside them, under names that begin with decoder_".to_owned(),
        });
    }
    Ok(())
}
