//! Which format files are in, by what is in them and not by their names.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use amanuensis_kernels::MappedFile;

use super::folder::Folder;
use super::{ctranslate2, hugging_face, numpy, onnx, torch, zip};
use crate::model::ModelError;

/// The formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::model) enum Kind {
    HuggingFace,
    CTranslate2,
    Onnx,
    Ggml,
    Gguf,
    /// A checkpoint, of OpenAI's or another's.
    Torch,
    /// An archive of arrays, or, where no file is said, a folder of them.
    Numpy,
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
const START: usize = 512;
/// Files of a folder that are looked at.
const MOST_FILES: usize = 1 << 16;
/// Names that no file of weights ends in, so that folders are not read through.
const SETTINGS: [&str; 4] = ["json", "txt", "md", "tiktoken"];

/// What the model in a folder is: one under the usual names of its libraries, if there is such; else what the one file of
/// weights in it is.
pub(in crate::model) fn folder(path: &Path) -> Result<Place, ModelError> {
    let inside = Folder::Disk(path.to_owned());
    let place = |kind, file| Place { kind, folder: path.to_owned(), file };
    if hugging_face::has_weights(&inside) {
        return Ok(place(Kind::HuggingFace, None));
    }
    if [torch::WEIGHTS, torch::INDEX].iter().any(|name| inside.has(name)) {
        return Ok(place(Kind::Torch, None));
    }
    if holds_ctranslate2(&path.join(ctranslate2::WEIGHTS)) {
        return Ok(place(Kind::CTranslate2, None));
    }
    if let Some(folder) = holds_onnx(path) {
        return Ok(Place { kind: Kind::Onnx, folder, file: None });
    }
    let mut found = Vec::new();
    let mut arrays = false;
    for name in inside.names(MOST_FILES)? {
        let full = path.join(&name);
        let extension = full.extension().and_then(|extension| extension.to_str());
        if extension.is_some_and(|extension| SETTINGS.contains(&extension)) || !full.is_file() {
            continue;
        }
        let start = start_of(&full).unwrap_or_default();
        if numpy::is_array(&start) {
            arrays = true;
        } else if let Ok(kind) = kind_of(&full, &start) {
            found.push((kind, name));
        }
    }
    match &found[..] {
        [] if arrays => Ok(place(Kind::Numpy, None)),
        // What is wanted but not there is said by the reader of the commonest format.
        [] => Ok(place(Kind::HuggingFace, None)),
        [(kind, name)] if !arrays => Ok(place(*kind, Some(name.clone()))),
        [(_, first), ..] => {
            let second = found.get(1).map_or("arrays of NumPy", |(_, name)| name);
            let reason = format!(
                "there are several files of weights in it, {first} and {second} for two; name the one that is meant"
            );
            Err(ModelError::NotAModel { path: path.display().to_string(), reason })
        }
    }
}

/// What a file of weights is.
pub(in crate::model) fn file(path: &Path) -> Result<Place, ModelError> {
    let refused = |reason: String| ModelError::NotAModel { path: path.display().to_string(), reason };
    let name = path.file_name().and_then(|name| name.to_str());
    let name = name.ok_or_else(|| refused("its name is not UTF-8".to_owned()))?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned();
    let start = start_of(path).map_err(|error| refused(format!("it cannot be read: {error}")))?;
    let kind = kind_of(path, &start).map_err(refused)?;
    Ok(Place { kind, folder, file: Some(name.to_owned()) })
}

/// The format of a file that begins so, or why it is none.
fn kind_of(path: &Path, start: &[u8]) -> Result<Kind, String> {
    let refused = |what: &str| Err(what.to_owned());
    match start {
        [] => refused("the file is empty"),
        // On a big-endian machine the same number is written the other way round; the reader says so.
        [b'l', b'm', b'g', b'g', ..] | [b'g', b'g', b'm', b'l', ..] => Ok(Kind::Ggml),
        [b'f', b'm', b'g', b'g', ..] | [b't', b'j', b'g', b'g', ..] => {
            refused("it is a ggml file of llama.cpp's, which holds a language model")
        }
        [b'G', b'G', b'U', b'F', ..] => Ok(Kind::Gguf),
        [b'P', b'K', 3, 4, ..] => kind_of_archive(path),
        // safetensors: the length of a header of at most 100 MB, and the header.
        [_, _, _, _, 0, 0, 0, 0, b'{', ..] => Ok(Kind::HuggingFace),
        start if ctranslate2::container::begins_like_one(start) => Ok(Kind::CTranslate2),
        start if torch::is_legacy(start) => Ok(Kind::Torch),
        start if numpy::is_array(start) => {
            refused("it is one array of NumPy's; name the folder that all of them are in")
        }
        start if start.get(257..262) == Some(b"ustar") => refused(
            "it is a tar archive, as PyTorch wrote them before 2017, which are not read; load and save it with a newer PyTorch",
        ),
        [0x80, 2..=5, ..] => {
            refused("it is a pickle that PyTorch did not write, which is not read: Python would run what it says")
        }
        start if onnx::begins_like_one(start) => Ok(Kind::Onnx),
        _ => refused("it is a file of another kind"),
    }
}

/// Zip archives hold anything; what they hold says what they are.
fn kind_of_archive(path: &Path) -> Result<Kind, String> {
    let bytes = MappedFile::open(path).map_err(|error| format!("it cannot be read: {error}"))?;
    let members = zip::read(&bytes).map_err(|reason| format!("it is a zip archive, but not a valid one: {reason}"))?;
    if torch::is_checkpoint(&members) {
        Ok(Kind::Torch)
    } else if numpy::is_archive(&members) {
        Ok(Kind::Numpy)
    } else {
        Err("it is a zip archive, but neither PyTorch's (with a data.pkl) nor NumPy's (of .npy files)".to_owned())
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
        assert!(message.contains("several files of weights in it, ggml-base.bin and ggml-tiny.bin"), "{message}");
        write("model.safetensors", b"");
        assert_eq!(super::folder(folder.path()).unwrap().kind, Kind::HuggingFace);
    }

    #[test]
    fn files_are_known_by_how_they_begin() {
        let kind_of = |start: &[u8]| kind_of(Path::new("model"), start);
        let message = |start: &[u8]| kind_of(start).unwrap_err();
        assert_eq!(kind_of(b"lmgg\x99\xca\0\0"), Ok(Kind::Ggml));
        assert_eq!(kind_of(b"GGUF\x03\0\0\0"), Ok(Kind::Gguf));
        assert_eq!(kind_of(b"ggml\0\0\xca\x99"), Ok(Kind::Ggml));
        assert!(message(b"tjgg\x03\0\0\0").contains("language model"));
        assert!(message(b"").contains("empty"));
        assert!(message(b"lmg").contains("another kind"));
    }
}
