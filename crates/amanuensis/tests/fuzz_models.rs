//! The small models that fuzzing begins with: each is what it was made from. `cargo test --test fuzz_models -- --ignored`
//! makes them anew, those of PyTorch and ONNX excepted (fuzz/README.md).

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[allow(dead_code, reason = "other tests use the rest of it")]
mod model_files;

use std::fs;
use std::path::{Path, PathBuf};

use amanuensis::model::write::{self, Container, Order, Type};
use amanuensis::model::{self, Dims, ModelFile, Source};
use model_files::{Layout, ModelFiles, open};

/// A vocabulary of single bytes and two merges, whose timestamps follow from the others.
const UNLISTED: Layout = Layout { end_of_text: 258, languages: 2, timestamps_listed: false };

fn folder(target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/models").join(target)
}

fn targets() -> Vec<String> {
    let folders = fs::read_dir(folder("")).unwrap();
    folders.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn every_model_is_the_same_one() {
    let first = open(&folder("safetensors")).unwrap();
    let targets = targets();
    assert!(targets.len() >= 12, "{targets:?}");
    for target in targets {
        let model = open(&folder(&target)).unwrap_or_else(|error| panic!("{target}: {error}"));
        assert_eq!(model.dims, first.dims, "{target}");
        for (name, shape) in first.dims.tensors() {
            let numbers = |model: &ModelFile| model.weights.tensor(&name, &shape).unwrap().to_f32();
            let (expected, found) = (numbers(&first), numbers(&model));
            assert!(expected.iter().zip(&found).all(|(one, other)| one == other), "{target}: {name}");
        }
        assert_eq!(model.tokenizer.encode(" ab!"), first.tokenizer.encode(" ab!"), "{target}");
    }
}

#[test]
#[ignore = "writes into the repository"]
fn models_are_made_anew() {
    let mut files = ModelFiles::new(UNLISTED);
    // Not every format says how wide the feed-forward parts are.
    let wide = 4 * files.dims.audio_width;
    files.set_dims(Dims { audio_feed_forward: wide, text_feed_forward: wide, ..files.dims });
    for target in ["safetensors", "vocabulary_json", "merges", "settings"] {
        fs::create_dir_all(folder(target)).unwrap();
        files.write(&folder(target));
        fs::remove_file(folder(target).join("generation_config.json")).unwrap();
    }
    let model = open(&folder("safetensors")).unwrap();
    let written = |target: &str, container: &str, to: &Path| {
        let container = Container::named(container).unwrap();
        let order = Order::new(container, Type::F16);
        let mut on = |_: &str, _: u64, _: u64| std::ops::ControlFlow::Continue(());
        let draft = write::draft(&model, &order, to, true, &mut on).unwrap_or_else(|error| panic!("{target}: {error}"));
        draft.publish().unwrap();
    };
    for (target, container, file) in [("ggml", "ggml", "model.bin"), ("gguf", "gguf", "model.gguf")] {
        fs::create_dir_all(folder(target)).unwrap();
        written(target, container, &folder(target).join(file));
    }
    for (target, container) in [("arrays", "npz"), ("tokenizer_json", "safetensors"), ("ctranslate2", "ct2")] {
        let _ = fs::remove_dir_all(folder(target));
        written(target, container, &folder(target));
    }
    // One form of the tokenizer is enough.
    let spared = ["tokenizer_config.json", "special_tokens_map.json"];
    let spare = |target: &str, names: &[&str]| {
        for name in names.iter().chain(&spared) {
            let _ = fs::remove_file(folder(target).join(name));
        }
    };
    spare("arrays", &["tokenizer.json"]);
    spare("tokenizer_json", &["generation_config.json", "vocab.json", "merges.txt", "added_tokens.json"]);
    assert!(model::open(&Source::Path(folder("ggml"))).is_ok());
}
