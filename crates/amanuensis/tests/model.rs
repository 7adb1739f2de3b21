//! Opening models: every layout that exists.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod model_files;

mod common;

use std::path::Path;

use amanuensis::model::compare::{Comparison, TensorVerdict, Verdict, compare};
use amanuensis::model::quantize::Granularity;
use amanuensis::model::write::{self, Container, Order, Type, WriteError};
use amanuensis::model::{self, AlignmentSource, Dims, Dtype, ModelFile, Source};
use model_files::{Layout, ModelFiles, SMALL, open, says, written};
use serde_json::json;

fn opened(files: &ModelFiles) -> ModelFile {
    open(written(files).path()).unwrap()
}

#[test]
fn a_small_model_opens_with_all_that_its_files_say() {
    let files = ModelFiles::new(SMALL);
    let folder = written(&files);
    let model = open(folder.path()).unwrap();
    assert_eq!(model.name, folder.path().file_name().unwrap().to_str().unwrap());
    assert_eq!(model.dims, files.dims);
    assert_eq!(model.warnings, Vec::<String>::new());
    assert_eq!(model.generation.alignment_heads, [(1, 0)]);
    assert_eq!(model.generation.alignment_heads_from, AlignmentSource::Model);
    assert_eq!(model.generation.max_initial_timestamp_index, Some(50));
    assert_eq!(
        model.generation.begin_suppress_tokens,
        model.tokenizer.encode(" ").into_iter().chain([258]).collect::<Vec<_>>()
    );
    assert_eq!(model.tokenizer.special().languages, [("en".to_owned(), 260), ("zh".to_owned(), 261)]);
    for (name, shape) in files.dims.tensors() {
        let tensor = model.weights.tensor(&name, &shape).unwrap();
        assert_eq!(tensor.count(), shape.iter().product::<usize>());
        assert!(tensor.to_f32().iter().all(|number| number.abs() <= 0.5));
    }
    let from_file = model::open(&Source::Path(folder.path().join("model.safetensors"))).unwrap();
    assert_eq!((from_file.name, from_file.dims), (model.name, model.dims));
}

#[test]
fn kinds_of_numbers_prefixes_and_shards_make_no_difference() {
    let numbers = |model: &ModelFile| model.weights.get("decoder.layers.1.fc2.weight").unwrap().to_f32();
    let mut files = ModelFiles::new(SMALL);
    files.dtype = Dtype::F32;
    let exact = numbers(&opened(&files));
    for (dtype, tolerance) in [(Dtype::F32, 0.0), (Dtype::F16, 1e-3), (Dtype::BF16, 4e-3)] {
        for (prefix, shards) in [("", 1), ("model.", 3)] {
            (files.dtype, files.prefix, files.shards) = (dtype, prefix, shards);
            let found = numbers(&opened(&files));
            assert_eq!(found.len(), exact.len());
            assert!(found.iter().zip(&exact).all(|(found, exact)| (found - exact).abs() <= tolerance), "{dtype}");
        }
    }
}

#[test]
fn published_layouts_open() {
    // Rows, mel bins, place of <|endoftext|>, number of languages; first timestamp that follows from them.
    for (rows, mel_bins, end_of_text, languages, first_timestamp) in
        [(51864, 80, 50256, 99, 50363), (51865, 80, 50257, 99, 50364), (51866, 128, 50257, 100, 50365)]
    {
        for timestamps_listed in [true, false] {
            let mut files = ModelFiles::new(Layout { end_of_text, languages, timestamps_listed });
            assert_eq!(files.dims.vocabulary, rows);
            files.set_dims(Dims { mel_bins, ..files.dims });
            files.generation = None;
            let model = opened(&files);
            let special = model.tokenizer.special();
            assert_eq!((special.timestamp_begin, special.timestamp_count), (first_timestamp, 1501));
            assert_eq!(special.no_timestamps, first_timestamp - 1);
            assert_eq!(special.is_multilingual(), rows != 51864);
            assert_eq!(special.languages.len(), languages);
            assert_eq!(special.language_token("en"), Some(special.start_of_transcript + 1));
            assert_eq!(model.generation.alignment_heads_from, AlignmentSource::Sizes);
            assert_eq!(model.generation.alignment_heads, [(1, 0), (1, 1)]);
            assert!(model.generation.suppress_tokens.contains(&special.transcribe.unwrap()));
        }
    }
}

#[test]
fn lists_of_config_json_stand_in_for_those_of_generation_config() {
    let mut files = ModelFiles::new(SMALL);
    files.config["suppress_tokens"] = json!([3, 260]);
    files.config["begin_suppress_tokens"] = json!([]);
    let generation = opened(&files).generation;
    assert_eq!((generation.suppress_tokens, generation.begin_suppress_tokens), (vec![3, 260], vec![]));
    files.generation = Some(json!({"suppress_tokens": [-1, 7], "is_multilingual": false}));
    let model = opened(&files);
    let expected = [model.tokenizer.non_speech_tokens(), vec![7]].concat();
    assert_eq!(model.generation.suppress_tokens, expected);
    assert!(!model.tokenizer.special().is_multilingual());
}

#[test]
fn rows_beyond_the_tokenizer_are_padding() {
    let mut files = ModelFiles::new(SMALL);
    files.set_dims(Dims { vocabulary: files.dims.vocabulary + 30, ..files.dims });
    let model = opened(&files);
    assert_eq!(model.tokenizer.vocabulary_size() + 30, model.dims.vocabulary);
    assert_eq!(model.tokenizer.special().timestamp_count, 1501);
}

#[test]
fn oddities_are_told_but_do_not_keep_a_model_from_working() {
    let mut files = ModelFiles::new(SMALL);
    files.prefix = "";
    files.tensors.insert("proj_out.weight".to_owned(), vec![files.dims.vocabulary, files.dims.text_width]);
    files.tensors.insert("lora.weight".to_owned(), vec![2]);
    files.generation = Some(json!({"lang_to_id": {"<|en|>": 260, "<|zh|>": 99}, "no_timestamps_token_id": 1}));
    let warnings = opened(&files).warnings;
    assert_eq!(warnings.len(), 4, "{warnings:?}");
    says(&warnings[0], &["proj_out.weight differs from decoder.embed_tokens.weight"]);
    says(&warnings[1], &["1 tensors are not Whisper's", "lora.weight"]);
    says(&warnings[2], &["generation_config.json: <|zh|> is 99, but the tokenizer says 261"]);
    says(&warnings[3], &["no_timestamps_token_id is 1"]);
}

#[test]
fn a_summary_adds_up() {
    let mut files = ModelFiles::new(SMALL);
    files.prefix = "";
    files.tensors.insert("other".to_owned(), vec![2]);
    let model = opened(&files);
    let summary = model::inspect::summary(&model);
    let parameters: usize = files.dims.tensors().iter().map(|(_, shape)| shape.iter().product::<usize>()).sum();
    assert_eq!(summary.parameters, parameters as u64);
    assert_eq!(summary.layers.iter().map(|layer| layer.parameters).sum::<u64>(), summary.parameters);
    assert_eq!(summary.layers.iter().map(|layer| layer.bytes).sum::<u64>(), summary.f16_bytes);
    let names: Vec<&str> = summary.layers.iter().map(|layer| layer.name.as_str()).collect();
    let expected = [
        "encoder.conv",
        "encoder.embed_positions",
        "encoder.layers.0",
        "encoder.layer_norm",
        "decoder.embed_tokens",
        "decoder.embed_positions",
        "decoder.layers.0",
        "decoder.layers.1",
        "decoder.layer_norm",
    ];
    assert_eq!(names, expected);
    assert!(summary.int8_bytes > summary.parameters && summary.int8_bytes < summary.f32_bytes);
    assert_eq!(
        summary.tensors.iter().filter(|tensor| !tensor.used).map(|tensor| tensor.name.as_str()).collect::<Vec<_>>(),
        ["other"]
    );
    assert_eq!(summary.description, "width 8, 1 + 2 layers, multilingual (2 languages), 0.0 M parameters");
    assert!(serde_json::to_value(&summary).unwrap()["tensors"][0]["dtype"] == "F16");
}

fn is_the_demo_model(model: &ModelFile) {
    let dims = Dims {
        mel_bins: 80,
        audio_context: 1500,
        audio_width: 192,
        audio_heads: 3,
        audio_layers: 4,
        audio_feed_forward: 768,
        text_context: 448,
        text_width: 192,
        text_heads: 3,
        text_layers: 3,
        text_feed_forward: 768,
        vocabulary: 3559,
    };
    assert_eq!(model.dims, dims);
    assert_eq!(model.warnings, Vec::<String>::new());
    assert_eq!(model.generation.alignment_heads, [(1, 0), (2, 0)]);
    assert_eq!(model.generation.begin_suppress_tokens, [220, 2048]);
    assert_eq!(model.generation.suppress_tokens.len(), 30);
    assert_eq!(model.generation.max_initial_timestamp_index, Some(50));
    assert!(model.weights.tensors().all(|tensor| tensor.to_f32().iter().all(|number| number.is_finite())));
    let summary = model::inspect::summary(model);
    assert_eq!(summary.description, "width 192, 4 + 3 layers, multilingual (2 languages), 4.8 M parameters");
    assert_eq!(summary.languages, ["en", "de"]);
}

#[test]
fn the_demo_models_folder_opens() {
    let model = open(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/demo")).unwrap();
    assert_eq!(model.name, "demo");
    is_the_demo_model(&model);
}

#[cfg(feature = "demo")]
#[test]
fn the_demo_model_is_in_the_program() {
    let model = model::open(&Source::resolve("demo").unwrap()).unwrap();
    assert_eq!(model.name, "demo");
    is_the_demo_model(&model);
}

#[cfg(not(feature = "demo"))]
#[test]
fn without_the_demo_model_the_error_says_how_to_get_it() {
    says(&model::open(&Source::Demo).unwrap_err().to_string(), &["build with the feature `demo`"]);
}

#[test]
fn the_shared_models_open() {
    let Some(shared) = common::shared() else { return };
    let models = shared.join("models");
    is_the_demo_model(&open(&models.join("espeak-whisper-demo")).unwrap());
    let model = open(&models.join("espeak-whisper-std")).unwrap();
    assert_eq!(model.dims.vocabulary, 51865);
    assert_eq!(model.tokenizer.special().languages.len(), 99);
    assert_eq!(model.tokenizer.special().transcribe, Some(50359));
    assert_eq!(model.warnings, Vec::<String>::new());
}

fn on(_: &str, _: u64, _: u64) -> std::ops::ControlFlow<()> {
    std::ops::ControlFlow::Continue(())
}

/// Writes a model and reads it back.
fn again(model: &ModelFile, order: &Order) -> ModelFile {
    let folder = tempfile::tempdir().unwrap();
    let draft = write::draft(model, order, &folder.path().join("m"), false, &mut on).unwrap();
    let read = open(&draft.publish().unwrap()).unwrap();
    assert_eq!(read.warnings, Vec::<String>::new());
    read
}

fn compared(one: &ModelFile, other: &ModelFile) -> Comparison {
    compare(one, other, 0.0, &mut on).unwrap()
}

#[test]
fn what_is_written_reads_as_what_it_was_made_from() {
    for (layout, listed) in [(SMALL, true), (Layout { timestamps_listed: false, languages: 99, ..SMALL }, false)] {
        let model = opened(&ModelFiles::new(layout));
        for kind in [Type::F32, Type::F16, Type::Bf16, Type::Int8, Type::Int4] {
            let read = again(&model, &Order::new(Container::safetensors(), kind));
            let found = compared(&model, &read);
            assert_eq!(found.differences, [], "{kind}, timestamps listed: {listed}");
            let expected = match kind {
                Type::F32 | Type::F16 => Verdict::Equal,
                Type::Bf16 => Verdict::Rounded { to: vec!["BF16".to_owned(), "F16".to_owned()] },
                // Rows of 8 are no groups of 32.
                _ => Verdict::Rounded { to: vec!["F16".to_owned(), "I8".to_owned()] },
            };
            assert_eq!(found.verdict, expected, "{kind}");
            assert_eq!(read.tokenizer.merges(), model.tokenizer.merges());
            assert!(read.tokenizer.tokens().eq(model.tokenizer.tokens()));
            for text in ["ab ab", " <|en|> ab", "größe"] {
                assert_eq!(read.tokenizer.encode(text), model.tokenizer.encode(text));
            }
        }
        // What was bytes is the same bytes when it is written again.
        let mut order = Order::new(Container::safetensors(), Type::Int8);
        let bytes = again(&model, &order);
        assert_eq!(compared(&bytes, &again(&bytes, &order)).verdict, Verdict::Equal);
        assert_eq!(Container::safetensors().type_of(&bytes), Type::Int8);
        order.granularity = Granularity::Tensor;
        order.keep.insert("decoder.layers.0.fc2.weight".to_owned());
        let found = compared(&model, &again(&model, &order));
        let tensor = |name: &str| found.tensors.iter().find(|tensor| tensor.name == name).unwrap();
        assert_eq!(tensor("decoder.layers.0.fc2.weight").verdict, TensorVerdict::Equal);
        let fc1 = tensor("decoder.layers.0.fc1.weight");
        assert_eq!((fc1.verdict, fc1.other.as_ref().unwrap().bytes), (TensorVerdict::Rounded, 24 * 8 + 4));
    }
}

#[test]
fn models_that_differ_are_told_apart() {
    let model = opened(&ModelFiles::new(SMALL));
    let mut files = ModelFiles::new(SMALL);
    files.dtype = Dtype::BF16;
    // The same numbers before they were rounded, so that nothing is farther off than rounding explains.
    let rounded = compared(&model, &opened(&files));
    assert_eq!(rounded.verdict, Verdict::Rounded { to: vec!["BF16".to_owned(), "F16".to_owned()] });
    assert!(rounded.total.largest > 0.0 && rounded.total.cosine.unwrap() > 0.9999, "{:?}", rounded.total);

    let mut files = ModelFiles::new(SMALL);
    files.tensors.insert("lora.weight".to_owned(), vec![2]);
    files.generation = Some(json!({"alignment_heads": [[0, 1]], "suppress_tokens": [1, 2]}));
    files.added["<|de|>"] = files.added["<|zh|>"].clone();
    files.added.as_object_mut().unwrap().remove("<|zh|>");
    let other = opened(&files);
    let found = compared(&model, &other);
    let settings: Vec<(&str, bool)> =
        found.differences.iter().map(|difference| (difference.setting.as_str(), difference.counts)).collect();
    let expected = [
        ("suppress_tokens", true),
        ("alignment_heads", true),
        // Only one of them says it.
        ("max_initial_timestamp_index", false),
        ("languages", true),
    ];
    assert_eq!(settings, expected);
    let said = |place: usize| [&found.differences[place].one, &found.differences[place].other].map(String::as_str);
    assert_eq!(said(1), ["1 of them, alone head 0 of layer 1", "1 of them, alone head 1 of layer 0"]);
    assert_eq!(said(2), ["50", "not said"]);
    assert_eq!(said(3), ["2 of them, alone zh 261", "2 of them, alone de 261"]);
    let Verdict::Different { tensors, settings: 3 } = found.verdict else { panic!("{:?}", found.verdict) };
    // Numbers are made by the order of names, in which the new one is the last.
    assert_eq!(tensors, 0);
    let lora = found.tensors.last().unwrap();
    assert_eq!((lora.name.as_str(), lora.verdict, lora.used), ("lora.weight", TensorVerdict::OnlyInOther, false));

    let mut files = ModelFiles::new(SMALL);
    files.vocabulary["ac"] = files.vocabulary["ab"].clone();
    files.vocabulary.as_object_mut().unwrap().remove("ab");
    files.merges = "a c\nĠ ac\n".to_owned();
    files.vocabulary["Ġac"] = files.vocabulary["Ġab"].clone();
    files.vocabulary.as_object_mut().unwrap().remove("Ġab");
    files.set_dims(Dims { text_layers: 1, ..files.dims });
    files.generation = None;
    let found = compared(&model, &opened(&files));
    let texts = found.differences.last().unwrap();
    assert_eq!((texts.setting.as_str(), texts.one.as_str()), ("text of 2 tokens", "256 \"ab\", 257 \" ab\""));
    let missing = found.tensors.iter().filter(|tensor| tensor.verdict == TensorVerdict::OnlyInOne).count();
    assert_eq!(missing, 24);
    assert!(!found.verdict.is_same());
}

#[test]
fn languages_that_a_file_does_not_name_make_no_other_model() {
    // whisper.cpp's files name none, so the second of two is taken for Chinese.
    let mut files = ModelFiles::new(SMALL);
    files.set_dims(Dims { audio_feed_forward: 32, text_feed_forward: 32, ..files.dims });
    files.generation = None;
    let unnamed = again(&opened(&files), &Order::new(Container::named("ggml").unwrap(), Type::F16));
    assert!(unnamed.tokenizer.assumes_languages());
    files.added["<|de|>"] = files.added["<|zh|>"].clone();
    files.added.as_object_mut().unwrap().remove("<|zh|>");
    let named = opened(&files);
    assert!(!named.tokenizer.assumes_languages());
    let found = compared(&named, &unnamed);
    let told: Vec<(&str, &str, &str, bool)> =
        found.differences.iter().map(|told| (&*told.setting, &*told.one, &*told.other, told.counts)).collect();
    assert_eq!(told, [("languages", "2 of them, alone de 261", "2 of them, alone zh 261", false)]);
    assert!(found.verdict.is_same(), "{:?}", found.verdict);
    // A language more is another model.
    let mut files = ModelFiles::new(Layout { languages: 3, ..SMALL });
    files.set_dims(Dims { audio_feed_forward: 32, text_feed_forward: 32, ..files.dims });
    let found = compared(&opened(&files), &unnamed);
    assert!(found.differences.iter().any(|told| told.setting == "languages" && told.counts));
}

#[test]
fn differences_within_the_tolerance_are_told_as_such() {
    let mut files = ModelFiles::new(SMALL);
    files.dtype = Dtype::F32;
    let model = opened(&files);
    // f32 numbers explain no rounding, so another seed's numbers are different by up to one.
    files.tensors.insert("aaa".to_owned(), vec![1]);
    let other = opened(&files);
    let strict = compared(&model, &other);
    let Verdict::Different { tensors, settings: 0 } = strict.verdict else { panic!("{:?}", strict.verdict) };
    assert!(tensors > 50);
    assert_eq!(compare(&model, &other, 1.0, &mut on).unwrap().verdict, Verdict::Tolerated);
    let stop = compare(&model, &other, 1.0, &mut |_, _, _| std::ops::ControlFlow::Break(()));
    assert_eq!(stop.unwrap_err(), model::Stopped);
}

#[test]
fn writing_stops_where_it_is_told_to_and_leaves_nothing() {
    let mut files = ModelFiles::new(SMALL);
    // ggml's files want parts of these sizes.
    files.set_dims(Dims { audio_feed_forward: 32, text_feed_forward: 32, ..files.dims });
    let model = opened(&files);
    let folder = tempfile::tempdir().unwrap();
    for container in &write::CONTAINERS {
        let order = Order::new(container, Type::F16);
        let mut left = 7;
        let mut some = |_: &str, _, _| {
            left -= 1;
            if left == 0 { std::ops::ControlFlow::Break(()) } else { std::ops::ControlFlow::Continue(()) }
        };
        let stopped = write::draft(&model, &order, &folder.path().join("m"), false, &mut some).unwrap_err();
        assert!(matches!(stopped, WriteError::Stopped(_)), "{}: {stopped}", container.name);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        let mut heard = (0, 0);
        let mut all = |_: &str, done, all| {
            heard = (done, all);
            std::ops::ControlFlow::Continue(())
        };
        write::draft(&model, &order, &folder.path().join("m"), false, &mut all).unwrap();
        assert!(heard.0 == heard.1 && heard.1 > 0, "{}: {heard:?}", container.name);
    }
}

#[test]
fn statistics_are_added_to_a_summary() {
    let mut files = ModelFiles::new(SMALL);
    files.dtype = Dtype::BF16;
    let model = opened(&files);
    let mut summary = model::inspect::summary(&model);
    assert!(serde_json::to_value(&summary).unwrap()["tensors"][0].get("statistics").is_none());
    model::inspect::add_statistics(&mut summary, &model, &mut on).unwrap();
    for tensor in &summary.tensors {
        let found = tensor.statistics.unwrap();
        assert!(-0.5 <= found.min && found.min <= found.max && found.max <= 0.5, "{found:?}");
        assert!(found.input_ratio.is_some() == (tensor.shape.len() > 1));
    }
    assert_eq!(summary.layers[0].dtypes, ["BF16"]);
    assert!(summary.int4_bytes <= summary.int8_bytes && summary.bf16_bytes == summary.f16_bytes);
}

#[test]
fn smoothing_leaves_the_product_as_it_was() {
    use amanuensis::model::quantize::{Activations, smooth};
    let mut files = ModelFiles::new(SMALL);
    files.dtype = Dtype::F32;
    files.set_dims(Dims { audio_width: 64, text_width: 64, ..files.dims });
    let (model, plain) = (opened(&files), opened(&files));
    let mut activations = Activations::new(&model).unwrap();
    // One channel of 64 stands far out.
    let row = |row: usize| (0..64).map(move |channel| if channel == 5 { 200.0 } else { ((row + channel) % 7) as f32 });
    activations.see_attention(0, &(0..40).flat_map(row).collect::<Vec<f32>>());
    activations.see_attention(7, &[1.0; 64]);
    let (model, smoothed) = smooth(model, &activations, 0.8).unwrap();
    let first = &smoothed.parts[0];
    assert!(first.activations_after < first.activations_before && first.error < 0.8, "{first:?}");
    assert_eq!((smoothed.parts.len(), smoothed.parts[1].changed), (2, 0));
    let numbers = |model: &ModelFile, name: &str| model.weights.get(name).unwrap().to_f32();
    let (norm, query) = ("encoder.layers.0.self_attn_layer_norm.weight", "encoder.layers.0.self_attn.q_proj.weight");
    assert_ne!(numbers(&model, norm), numbers(&plain, norm));
    let product = |model: &ModelFile| -> Vec<f32> {
        let (norm, query) = (numbers(model, norm), numbers(model, query));
        query.iter().zip(norm.iter().cycle()).map(|(weight, gain)| weight * gain).collect()
    };
    assert_eq!(product(&model), product(&plain));
    // What is written of it is what it is.
    let written = again(&model, &Order::new(Container::safetensors(), Type::Int8));
    assert!(compared(&model, &written).verdict.is_same());
}

#[test]
fn trained_models_are_written_as_they_are() {
    let shared = common::shared();
    for name in ["demo", "std"] {
        if name == "std" && shared.is_none() {
            continue;
        }
        let model = open(&common::model_folder(name, shared.as_deref())).unwrap();
        let whole = again(&model, &Order::new(Container::safetensors(), Type::F16));
        let found = compared(&model, &whole);
        assert_eq!((found.verdict, found.differences), (Verdict::Equal, vec![]), "{name}");
        assert_eq!(model.generation, whole.generation);
        assert!(whole.tokenizer.tokens().eq(model.tokenizer.tokens()));
        assert_eq!(whole.tokenizer.merges(), model.tokenizer.merges());
        let four = compared(&model, &again(&model, &Order::new(Container::safetensors(), Type::Int4)));
        assert!(four.verdict.is_same() && four.total.cosine.unwrap() > 0.99, "{name}: {:?}", four.total);
    }
}
