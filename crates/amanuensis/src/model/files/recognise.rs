//! Which format files are in, by what is in them and not by their names.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::{ctranslate2, onnx};
use crate::model::ModelError;

/// The formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::model) enum Kind {
    HuggingFace,
    CTranslate2,
    Onnx,
}

/// Where a model's files are, and what they are.
#[derive(Debug)]
pub(in crate::model) struct Place {
    pub(in crate::model) kind: Kind,
    pub(in crate::model) folder: PathBuf,
    /// The file of weights, where it is known which.
    pub(in crate::model) file: Option<String>,
}

/// As many bytes of a file as tell its format.
const START: usize = 64;

/// What tells a folder of Hugging Face's, whatever else lies in it.
const SAFETENSORS: [&str; 2] = ["model.safetensors", "model.safetensors.index.json"];

/// What the model in a folder is.
pub(in crate::model) fn folder(path: &Path) -> Result<Place, ModelError> {
    let kind = if SAFETENSORS.iter().any(|name| path.join(name).is_file()) {
        Kind::HuggingFace
    } else if holds_ctranslate2(&path.join(ctranslate2::WEIGHTS)) {
        Kind::CTranslate2
    } else if let Some(folder) = holds_onnx(path) {
        return Ok(Place { kind: Kind::Onnx, folder, file: None });
    } else {
        // Its reader says what is missing.
        Kind::HuggingFace
    };
    Ok(Place { kind, folder: path.to_owned(), file: None })
}

/// What a file of weights is.
pub(in crate::model) fn file(path: &Path) -> Result<Place, ModelError> {
    let refused = |reason: String| ModelError::NotAModel { path: path.display().to_string(), reason };
    let name = path.file_name().and_then(|name| name.to_str());
    let name = name.ok_or_else(|| refused("its name is not UTF-8".to_owned()))?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned();
    let start = start_of(path).map_err(|error| refused(format!("it cannot be read: {error}")))?;
    let kind = kind_of(&start).map_err(|what| refused(what.to_owned()))?;
    Ok(Place { kind, folder, file: Some(name.to_owned()) })
}

/// The format of a file that begins so, or why it is none.
fn kind_of(start: &[u8]) -> Result<Kind, &'static str> {
    match start {
        [] => Err("the file is empty"),
        [b'l', b'm', b'g', b'g', ..] => Err("it is a ggml file, which is not read"),
        [b'G', b'G', b'U', b'F', ..] => Err("it is a GGUF file, which is not read"),
        [b'P', b'K', 3, 4, ..] => Err("it is a zip archive, as PyTorch's checkpoints are, which are not read"),
        // safetensors: the length of a header of at most 100 MB, and the header.
        [_, _, _, _, 0, 0, 0, 0, b'{', ..] => Ok(Kind::HuggingFace),
        start if ctranslate2::container::begins_like_one(start) => Ok(Kind::CTranslate2),
        start if onnx::begins_like_one(start) => Ok(Kind::Onnx),
        _ => Err("it is a file of another kind"),
    }
}

fn holds_ctranslate2(file: &Path) -> bool {
    file.is_file() && start_of(file).is_ok_and(|start| ctranslate2::container::begins_like_one(&start))
}

/// The folder in which both halves of a model in ONNX are: this one, or the one in it that is named for them.
fn holds_onnx(path: &Path) -> Option<PathBuf> {
    let inner = path.join(onnx::INNER_FOLDER);
    [path, &inner].into_iter().find_map(|folder| {
        let pair = onnx::pair::of_folder(folder)?;
        let is_one = |name| start_of(&folder.join(name)).is_ok_and(|start| onnx::begins_like_one(&start));
        (is_one(pair.encoder) && is_one(pair.decoder)).then(|| folder.to_owned())
    })
}

fn start_of(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut start = Vec::with_capacity(START);
    File::open(path)?.take(START as u64).read_to_end(&mut start)?;
    Ok(start)
}
