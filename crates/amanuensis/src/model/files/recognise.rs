//! Which format files are in, by what is in them and not by their names.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::folder::Folder;
use super::{ctranslate2, hugging_face, onnx};
use crate::model::ModelError;

/// The formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::model) enum Kind {
    HuggingFace,
    CTranslate2,
    Onnx,
    Ggml,
    Gguf,
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

/// What the model in a folder is.
///
/// Weights by the names of Hugging Face's libraries go first; else a single file that is a whole model by itself.
pub(in crate::model) fn folder(path: &Path) -> Result<Place, ModelError> {
    let place = |kind, file| Ok(Place { kind, folder: path.to_owned(), file });
    if hugging_face::has_weights(&Folder::Disk(path.to_owned())) {
        return place(Kind::HuggingFace, None);
    }
    if holds_ctranslate2(&path.join(ctranslate2::WEIGHTS)) {
        return place(Kind::CTranslate2, None);
    }
    if let Some(folder) = holds_onnx(path) {
        return Ok(Place { kind: Kind::Onnx, folder, file: None });
    }
    let mut models = whole_models(path);
    match (models.pop(), models.is_empty()) {
        (Some((file, kind)), true) => place(kind, Some(file)),
        (Some((last, _)), false) => Err(ModelError::NotAModel {
            path: path.display().to_string(),
            reason: format!("{} models in it, {last} and others; give the path of one file", models.len() + 1),
        }),
        (None, _) => place(Kind::HuggingFace, None),
    }
}

/// The files of a folder that hold a model with its sizes and tokenizer, by name.
fn whole_models(folder: &Path) -> Vec<(String, Kind)> {
    let Ok(entries) = folder.read_dir() else { return Vec::new() };
    let mut models: Vec<(String, Kind)> = entries
        .flatten()
        .filter(|entry| entry.path().is_file())
        .filter_map(|entry| {
            let kind = kind_of(&start_of(&entry.path()).ok()?).ok()?;
            matches!(kind, Kind::Ggml | Kind::Gguf).then_some((entry.file_name().into_string().ok()?, kind))
        })
        .collect();
    models.sort_by(|left, right| left.0.cmp(&right.0));
    models
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
        // On a big-endian machine the same number is written the other way round; the reader says so.
        [b'l', b'm', b'g', b'g', ..] | [b'g', b'g', b'm', b'l', ..] => Ok(Kind::Ggml),
        [b'f', b'm', b'g', b'g', ..] | [b't', b'j', b'g', b'g', ..] => {
            Err("it is a ggml file of llama.cpp's, which holds a language model")
        }
        [b'G', b'G', b'U', b'F', ..] => Ok(Kind::Gguf),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_of_one_whole_model_is_that_model() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, start: &[u8]| std::fs::write(folder.path().join(name), start).unwrap();
        write("README.md", b"ggml");
        write("notes.txt", b"lmg");
        std::fs::create_dir(folder.path().join("lmgg")).unwrap();
        write("ggml-base.bin", b"lmgg\0\0\0\0");
        std::fs::remove_file(folder.path().join("README.md")).unwrap();
        let place = super::folder(folder.path()).unwrap();
        assert_eq!((place.kind, place.file.as_deref()), (Kind::Ggml, Some("ggml-base.bin")));
        write("ggml-tiny.bin", b"lmgg\0\0\0\0");
        let message = super::folder(folder.path()).unwrap_err().to_string();
        assert!(message.contains("2 models in it, ggml-tiny.bin and others"), "{message}");
        write("model.safetensors", b"");
        assert_eq!(super::folder(folder.path()).unwrap().kind, Kind::HuggingFace);
    }

    #[test]
    fn files_are_known_by_how_they_begin() {
        let message = |start: &[u8]| kind_of(start).unwrap_err();
        assert_eq!(kind_of(b"lmgg\x99\xca\0\0"), Ok(Kind::Ggml));
        assert_eq!(kind_of(b"GGUF\x03\0\0\0"), Ok(Kind::Gguf));
        assert_eq!(kind_of(b"ggml\0\0\xca\x99"), Ok(Kind::Ggml));
        assert!(message(b"tjgg\x03\0\0\0").contains("language model"));
        assert!(message(b"").contains("empty"));
        assert!(message(b"lmg").contains("another kind"));
    }
}
