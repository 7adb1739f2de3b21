//! What is written is read again: the model of this repository, there and back.

use std::ops::ControlFlow;
use std::path::Path;

use super::*;
use crate::model::files::folder::Folder;
use crate::model::files::{ggml as ggml_reader, gguf as gguf_reader, hugging_face};
use crate::model::{Block, Dtype, Encoding, Format, ModelFile};

const KINDS: [(Encoding, f32); 7] = [
    (Encoding::Plain(Dtype::F32), 0.0),
    (Encoding::Plain(Dtype::F16), 0.001),
    (Encoding::Blocks(Block::Q8_0), 0.01),
    (Encoding::Blocks(Block::Q5_1), 0.05),
    (Encoding::Blocks(Block::Q5_0), 0.07),
    (Encoding::Blocks(Block::Q4_1), 0.08),
    (Encoding::Blocks(Block::Q4_0), 0.14),
];

fn on(_: &str, _: u64, _: u64) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

fn demo() -> ModelFile {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/demo");
    hugging_face::open("demo".to_owned(), &Folder::Disk(folder), None).unwrap()
}

fn reopened(bytes: &[u8], open: fn(String, &Folder, &str) -> Result<ModelFile, crate::model::ModelError>) -> ModelFile {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("m"), bytes).unwrap();
    // A map outlives the name of its file.
    open("m".to_owned(), &Folder::Disk(folder.path().to_owned()), "m").unwrap()
}

fn agree(left: &ModelFile, right: &ModelFile, relative: f32) {
    assert_eq!((left.dims, left.tokenizer.special()), (right.dims, right.tokenizer.special()));
    assert_eq!(left.warnings, right.warnings);
    let size = left.tokenizer.vocabulary_size() as u32;
    for token in 0..size {
        assert_eq!(left.tokenizer.bytes_or_name(token), right.tokenizer.bytes_or_name(token), "{token}");
    }
    for text in [" Please check the server every eleven weeks.", "Straße, 12:30", "  x\n\nab'll"] {
        assert_eq!(left.tokenizer.encode(text), right.tokenizer.encode(text), "{text:?}");
    }
    for (name, shape) in left.dims.tensors() {
        let (one, other) = (left.weights.get(&name).unwrap(), right.weights.get(&name).unwrap());
        assert_eq!(other.shape, shape);
        let (one, other) = (one.to_f32(), other.to_f32());
        let largest = one.iter().fold(0.0_f32, |largest, number| largest.max(number.abs()));
        for (one, other) in one.iter().zip(other) {
            assert!((one - other).abs() <= relative * largest, "{name}: {one} {other}");
        }
    }
}

#[test]
fn whisper_cpps_files_are_read_as_they_were_written() {
    let model = demo();
    let filters = vec![0.5; 201 * model.dims.mel_bins];
    for (encoding, relative) in KINDS {
        let mut bytes = Vec::new();
        ggml::write(&model, &encoding, &filters, &mut bytes, &mut on).unwrap();
        let again = reopened(&bytes, ggml_reader::open);
        assert_eq!(again.format, Format::Ggml);
        assert_eq!(again.weights.get("decoder.layers.1.fc2.weight").unwrap().encoding, &encoding);
        agree(&model, &again, relative);
        // A second time nothing is lost.
        let mut twice = Vec::new();
        ggml::write(&again, &encoding, &filters, &mut twice, &mut on).unwrap();
        assert!(bytes == twice, "{encoding}");
    }
}

#[test]
fn gguf_files_are_read_as_they_were_written() {
    let model = demo();
    for (encoding, relative) in [&KINDS[1], &KINDS[2], &KINDS[3]] {
        let mut bytes = Vec::new();
        gguf::write(&model, encoding, &mut bytes, &mut on).unwrap();
        let again = reopened(&bytes, gguf_reader::open);
        assert_eq!((again.format, &again.generation), (Format::Gguf, &model.generation));
        assert_eq!(again.tokenizer.merges(), model.tokenizer.merges());
        agree(&model, &again, *relative);
        let mut twice = Vec::new();
        gguf::write(&again, encoding, &mut twice, &mut on).unwrap();
        let name = |bytes: &[u8]| String::from_utf8_lossy(&bytes[..400]).replace("demo", "m");
        assert_eq!(bytes.len().abs_diff(twice.len()) % 32, 0);
        assert_eq!(name(&bytes).matches("whisper").count(), name(&twice).matches("whisper").count());
    }
}

#[test]
fn what_a_format_cannot_hold_is_said() {
    let mut model = demo();
    let filters = vec![0.5; 201 * model.dims.mel_bins];
    let refusal = |model: &ModelFile, encoding: Encoding, filters: &[f32]| {
        ggml::write(model, &encoding, filters, &mut Vec::new(), &mut on).unwrap_err().to_string()
    };
    let message = refusal(&model, Encoding::Blocks(Block::Q4K), &filters);
    assert!(message.contains("matrices cannot be written as Q4_K; there are F32, F16, Q4_0"), "{message}");
    let message = refusal(&model, Dtype::F16.into(), &filters[1..]);
    assert!(message.contains("no mel filters of 80 bands"), "{message}");
    model.dims.text_feed_forward += 1;
    let message = refusal(&model, Dtype::F16.into(), &filters);
    assert!(message.contains("not four times as wide"), "{message}");
}
