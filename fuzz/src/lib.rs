//! A model of which one file is anything: it opens or is refused with a reason, and nothing else happens.

pub mod npu;

use std::cell::OnceCell;
use std::fs;
use std::path::{Path, PathBuf};

use amanuensis::model::{self, Source};
use tempfile::TempDir;

/// The file that is anything, of each target.
const FILES: [(&str, &str); 12] = [
    ("safetensors", "model.safetensors"),
    ("checkpoint", "model.pt"),
    ("ggml", "model.bin"),
    ("gguf", "model.gguf"),
    ("ctranslate2", "model.bin"),
    ("onnx", "decoder_model.onnx"),
    ("arrays", "weights.npz"),
    ("tokenizer_json", "tokenizer.json"),
    ("vocabulary_json", "vocab.json"),
    ("merges", "merges.txt"),
    ("ranks", "multilingual.tiktoken"),
    ("settings", "config.json"),
];

thread_local! {
    static PLACE: OnceCell<Place> = const { OnceCell::new() };
}

/// A folder with the other files of the model.
struct Place {
    folder: TempDir,
    file: PathBuf,
}

impl Place {
    fn new(target: &str) -> Self {
        let (_, file) = FILES.iter().find(|(name, _)| *name == target).expect("a target of the list");
        let folder = tempfile::tempdir().expect("a temporary folder");
        let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("models").join(target);
        for entry in fs::read_dir(&beside).expect("the model of the target") {
            let entry = entry.expect("a file of the model");
            fs::copy(entry.path(), folder.path().join(entry.file_name())).expect("a copy of it");
        }
        let file = folder.path().join(file);
        Self { folder, file }
    }
}

/// Opens the model of a target with these bytes in the place of its file, and reads all numbers of it.
pub fn read(target: &str, bytes: &[u8]) {
    PLACE.with(|place| {
        let place = place.get_or_init(|| Place::new(target));
        fs::write(&place.file, bytes).expect("a file in a temporary folder");
        match model::open(&Source::Path(place.folder.path().to_owned())) {
            Ok(model) => {
                for (name, shape) in model.dims.tensors() {
                    let tensor = model.weights.tensor(&name, &shape).expect("a model that opened has its tensors");
                    assert_eq!(tensor.to_f32().len(), shape.iter().product::<usize>());
                }
                let tokens = model.tokenizer.encode(" ab abba, 12:30 ß");
                let _ = model.tokenizer.decode(&tokens);
            }
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    });
}
