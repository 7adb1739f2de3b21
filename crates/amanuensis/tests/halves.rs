//! Weights kept in f16: what f32 makes of them, in half the memory.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::path::Path;

use amanuensis::backend::cpu::Cpu;
use amanuensis::backend::{Backend, ComputeType};
use amanuensis::model::{self, Source};
use amanuensis::{Control, Engine, Options, Outcome, Setup};
use common::{in_repository, model_folder, open};
use serde_json::Value;

fn transcribed(model: &Path, compute: ComputeType) -> Outcome {
    let engine = Engine::load(&Source::Path(model.to_owned()), &Setup { compute, ..Setup::default() }).unwrap();
    let recording = open(&in_repository("samples/ten-sentences.opus"));
    let options = Options { words: Some(Default::default()), ..Options::default() };
    engine.transcribe(&recording, &options, &mut Control::new()).unwrap()
}

fn device(outcome: &Outcome) -> String {
    outcome.receipt.devices().join(", ")
}

#[test]
fn halves_give_what_f32_gives_to_the_last_bit_and_are_chosen_by_themselves() {
    let demo = model_folder("demo", None);
    let [exact, halves, chosen] =
        [ComputeType::F32, ComputeType::F16, ComputeType::Auto].map(|compute| transcribed(&demo, compute));
    assert_eq!(exact.transcript.segments, halves.transcript.segments);
    assert_eq!(exact.transcript.segments, chosen.transcript.segments);
    assert!(device(&exact).contains(" f32, ") && device(&halves).contains(" f16, "), "{}", device(&halves));
    assert_eq!(device(&halves), device(&chosen));

    let file = model::open(&Source::Path(demo)).unwrap();
    let [whole, half] =
        [ComputeType::F32, ComputeType::F16].map(|compute| Cpu::new(None, compute).load(&file).unwrap());
    assert!(half.bytes() < whole.bytes() * 6 / 10, "{} of {} bytes", half.bytes(), whole.bytes());
}

#[test]
fn f16_is_chosen_only_where_it_holds_every_weight() {
    let folder = tempfile::tempdir().unwrap();
    let model = in_f32(folder.path());
    assert!(device(&transcribed(&model, ComputeType::Auto)).contains(" f16, "), "f32 in the file, f16 in truth");
    overwrite_last(&model, "model.decoder.layers.1.fc2.weight", 0.1);
    assert!(device(&transcribed(&model, ComputeType::Auto)).contains(" f32, "));
    assert!(device(&transcribed(&model, ComputeType::F16)).contains(" f16, "), "rounded, as it was asked for");
}

#[test]
fn a_number_beyond_f16_is_an_error_that_names_its_file_and_tensor() {
    let folder = tempfile::tempdir().unwrap();
    let model = in_f32(folder.path());
    // One of three that are packed as one matrix.
    overwrite_last(&model, "model.decoder.layers.1.self_attn.v_proj.weight", 70_000.0);
    let file = model::open(&Source::Path(model)).unwrap();
    let load = |compute| Cpu::new(None, compute).load(&file).map(drop);
    let error = load(ComputeType::F16).unwrap_err().to_string();
    assert!(error.contains("model.safetensors: tensor decoder.layers.1.self_attn.v_proj.weight holds"), "{error}");
    assert!(error.contains("65504") && error.contains("f32"), "{error}");
    load(ComputeType::F32).unwrap();
}

/// Puts a number in the place of a tensor's last.
fn overwrite_last(model: &Path, tensor: &str, number: f32) {
    let path = model.join("model.safetensors");
    let mut bytes = std::fs::read(&path).unwrap();
    let header = 8 + u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let facts: Value = serde_json::from_slice(&bytes[8..header]).unwrap();
    let last = header + facts[tensor]["data_offsets"][1].as_u64().unwrap() as usize - 4;
    bytes[last..last + 4].copy_from_slice(&number.to_le_bytes());
    std::fs::write(&path, bytes).unwrap();
}

/// The demo model written in f32.
fn in_f32(folder: &Path) -> std::path::PathBuf {
    use model::write::{self, Container, Order, Type};
    let file = model::open(&Source::Path(model_folder("demo", None))).unwrap();
    let order = Order::new(Container::safetensors(), Type::F32);
    let mut on = |_: &str, _: u64, _: u64| std::ops::ControlFlow::Continue(());
    write::draft(&file, &order, &folder.join("m"), false, &mut on).unwrap().publish().unwrap()
}
