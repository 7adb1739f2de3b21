//! CTranslate2's folders, written and read, and how folders of several formats are told apart.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[allow(dead_code, reason = "other tests use the rest of it")]
mod model_files;

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;

use amanuensis::model::write::{self, Container, Order, Type};
use amanuensis::model::{Encoding, Format, ModelFile};
use model_files::{ModelFiles, SMALL, open, says, written};
use serde_json::{Value, json};
use tempfile::TempDir;

/// The model in a folder of CTranslate2's, written by ourselves.
fn exported(model: &ModelFile, kind: Type) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let order = Order::new(Container::named("faster-whisper").unwrap(), kind);
    let mut on = |_: &str, _: u64, _: u64| ControlFlow::Continue(());
    write::draft(model, &order, &folder.path().join("model"), false, &mut on).unwrap().publish().unwrap();
    folder
}

fn small() -> (TempDir, ModelFile) {
    let mut files = ModelFiles::new(SMALL);
    files.generation = Some(json!({
        "max_initial_timestamp_index": 50,
        "alignment_heads": [[1, 0]],
        "suppress_tokens": [1, 2],
        "begin_suppress_tokens": [3],
    }));
    let folder = written(&files);
    let model = open(folder.path()).unwrap();
    (folder, model)
}

fn same_tokens(one: &ModelFile, other: &ModelFile) {
    let (one, other) = (&one.tokenizer, &other.tokenizer);
    assert_eq!(one.special(), other.special());
    assert_eq!(one.encode(" ab!ab é"), other.encode(" ab!ab é"));
    for token in 0..u32::try_from(one.vocabulary_size()).unwrap() {
        assert_eq!(one.token_bytes(token), other.token_bytes(token), "{token}");
    }
}

#[test]
fn what_is_written_for_ctranslate2_is_read_as_it_was() {
    let (_folder, model) = small();
    for kind in [Type::F32, Type::F16, Type::Bf16, Type::Int8] {
        let folder = exported(&model, kind);
        let path = folder.path().join("model");
        let read = open(&path).unwrap();
        assert_eq!((read.format, read.dims), (Format::CTranslate2, model.dims));
        assert_eq!(read.generation, model.generation);
        assert!(read.warnings.is_empty(), "{:?}", read.warnings);
        same_tokens(&model, &read);
        for (name, shape) in model.dims.tensors() {
            let before = model.weights.tensor(&name, &shape).unwrap();
            let after = read.weights.tensor(&name, &shape).unwrap();
            let (numbers, found) = (before.to_f32(), after.to_f32());
            let largest = numbers.iter().fold(0.0_f32, |largest, number| largest.max(number.abs()));
            // Half a step of what they are written in.
            let step = match (kind, after.encoding) {
                (Type::Int8, Encoding::Scaled(_)) => largest / 250.0,
                (Type::Bf16, _) => largest / 256.0,
                _ => 0.0,
            };
            assert!(numbers.iter().zip(&found).all(|(one, other)| (one - other).abs() <= step), "{kind} {name}");
        }
        // A single file is a model too, with what lies beside it.
        assert_eq!(open(&path.join("model.bin")).unwrap().format, Format::CTranslate2);
    }
}

#[test]
fn bytes_come_out_of_bytes_as_they_went_in() {
    let (_folder, model) = small();
    let once = exported(&model, Type::Int8);
    let again = exported(&open(&once.path().join("model")).unwrap(), Type::Int8);
    let [once, again] = [once, again].map(|folder| open(&folder.path().join("model")).unwrap());
    let name = "decoder.layers.1.encoder_attn.k_proj.weight";
    let bytes = |model: &ModelFile| model.weights.get(name).unwrap().bytes.to_vec();
    assert_eq!(bytes(&once), bytes(&again));
    assert!(bytes(&once).iter().any(|byte| byte.cast_signed().unsigned_abs() == 127));
}

#[test]
fn lists_of_tokens_are_tokenizers() {
    let (_folder, model) = small();
    let folder = exported(&model, Type::F16);
    let path = folder.path().join("model");
    fs::remove_file(path.join("tokenizer.json")).unwrap();
    same_tokens(&model, &open(&path).unwrap());
    let list: Vec<String> = serde_json::from_slice(&fs::read(path.join("vocabulary.json")).unwrap()).unwrap();
    assert_eq!(list.len(), model.dims.vocabulary);
    fs::remove_file(path.join("vocabulary.json")).unwrap();
    fs::write(path.join("vocabulary.txt"), list.join("\n") + "\n").unwrap();
    same_tokens(&model, &open(&path).unwrap());

    fs::write(path.join("vocabulary.txt"), list.join("\n") + "\nmore\n").unwrap();
    let rows = model.dims.vocabulary;
    says(
        &open(&path).unwrap_err().to_string(),
        &["vocabulary.txt", &format!("ids up to {rows}, but the model has {rows} rows")],
    );
    fs::write(path.join("vocabulary.json"), "[1]").unwrap();
    says(&open(&path).unwrap_err().to_string(), &["vocabulary.json: not readable as a tokenizer"]);
    fs::remove_file(path.join("vocabulary.json")).unwrap();
    fs::write(path.join("vocabulary.txt"), [0xff]).unwrap();
    says(&open(&path).unwrap_err().to_string(), &["vocabulary.txt: not readable as a tokenizer"]);
    fs::remove_file(path.join("vocabulary.txt")).unwrap();
    says(
        &open(&path).unwrap_err().to_string(),
        &["neither tokenizer.json nor", "put the model's tokenizer.json there"],
    );
}

#[test]
fn settings_of_ctranslate2_are_checked() {
    let (_folder, model) = small();
    let folder = exported(&model, Type::F16);
    let path = folder.path().join("model");
    let with = |field: &str, value: Value| {
        fs::write(path.join("config.json"), json!({ field: value }).to_string()).unwrap();
        open(&path)
    };
    let refused = |field: &str, value: Value, found: &str| {
        let message = with(field, value).unwrap_err().to_string();
        says(&message, &["config.json: one of ", field, found]);
    };
    refused("suppress_ids", json!([1_000_000]), "is 1000000, expected a token below 1769");
    refused("suppress_ids_begin", json!([-2]), "is -2, expected a token below");
    refused("lang_ids", json!([-1]), "is -1, expected a token below");
    refused("alignment_heads", json!([[2, 0]]), "is layer 2, head 0, expected a layer below 2 and a head below 2");
    let non_speech = with("suppress_ids", json!([-1])).unwrap();
    assert_eq!(non_speech.generation.suppress_tokens, non_speech.tokenizer.non_speech_tokens());
    fs::write(path.join("config.json"), "{").unwrap();
    says(&open(&path).unwrap_err().to_string(), &["config.json: not readable"]);
    fs::remove_file(path.join("config.json")).unwrap();
    says(&open(&path).unwrap().warnings.join("\n"), &["no config.json beside the weights"]);
    fs::write(path.join("preprocessor_config.json"), json!({"feature_size": 128}).to_string()).unwrap();
    says(&open(&path).unwrap_err().to_string(), &["feature_size is 128, expected 80"]);
}

#[test]
fn folders_are_known_by_what_is_in_them() {
    let (hugging_face, model) = small();
    let folder = exported(&model, Type::F16);
    let weights = folder.path().join("model/model.bin");
    // Beside safetensors, whatever else lies in the folder.
    fs::copy(&weights, hugging_face.path().join("model.bin")).unwrap();
    assert_eq!(open(hugging_face.path()).unwrap().format, Format::HuggingFace);
    // A name says nothing.
    let renamed = folder.path().join("model/weights.onnx");
    fs::rename(&weights, &renamed).unwrap();
    assert_eq!(open(&renamed).unwrap().format, Format::CTranslate2);
    fs::write(&weights, "hello").unwrap();
    says(&open(&weights).unwrap_err().to_string(), &["it is a file of another kind"]);
}

/// The small model that fuzzing begins with.
fn onnx() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/models/onnx");
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), folder.path().join(entry.file_name())).unwrap();
    }
    folder
}

#[test]
fn halves_of_onnx_are_found_in_a_folder_of_their_own() {
    let folder = onnx();
    let before = open(folder.path()).unwrap();
    assert_eq!(before.format, Format::Onnx);
    let inner = folder.path().join("onnx");
    fs::create_dir(&inner).unwrap();
    for name in ["encoder_model.onnx", "decoder_model.onnx"] {
        fs::rename(folder.path().join(name), inner.join(name)).unwrap();
    }
    for path in [folder.path(), &inner, &inner.join("encoder_model.onnx"), &inner.join("decoder_model.onnx")] {
        let model = open(path).unwrap();
        assert_eq!((model.format, model.dims), (Format::Onnx, before.dims), "{}", path.display());
        assert_eq!(model.name, folder.path().file_name().unwrap().to_str().unwrap());
    }
    fs::remove_file(inner.join("decoder_model.onnx")).unwrap();
    let message = open(&inner.join("encoder_model.onnx")).unwrap_err().to_string();
    says(&message, &["encoder_model.onnx: it is half a model: there is no decoder_model.onnx beside it"]);
    says(&open(folder.path()).unwrap_err().to_string(), &["neither model.safetensors nor"]);
}

#[test]
fn sizes_of_onnx_follow_from_the_tensors_where_nothing_says_them() {
    let folder = onnx();
    let before = open(folder.path()).unwrap();
    fs::remove_file(folder.path().join("config.json")).unwrap();
    let after = open(folder.path()).unwrap();
    // Heads are not seen in tensors; those of every published model are 64 wide.
    assert_eq!(after.dims.audio_heads, 1);
    let heads = (before.dims.audio_heads, before.dims.text_heads);
    assert_eq!(amanuensis::model::Dims { audio_heads: heads.0, text_heads: heads.1, ..after.dims }, before.dims);
    // The wrong half is no half.
    let [encoder, decoder] = ["encoder_model.onnx", "decoder_model.onnx"].map(|name| folder.path().join(name));
    fs::copy(&decoder, &encoder).unwrap();
    let message = open(folder.path()).unwrap_err().to_string();
    says(&message, &["encoder_model.onnx", "its graph is not that of Whisper's encoder: 0 convolutions"]);
}
