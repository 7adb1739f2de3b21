//! Opening models: every layout that exists, and every way in which a folder can be broken.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod model_files;

use std::path::Path;

use amanuensis::model::{self, AlignmentSource, Dims, Dtype, ModelError, ModelFile, Source};
use model_files::{Layout, ModelFiles, SMALL, safetensors};
use serde_json::json;
use tempfile::TempDir;

fn written(files: &ModelFiles) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    files.write(folder.path());
    folder
}

fn open(folder: &Path) -> Result<ModelFile, ModelError> {
    model::open(&Source::Path(folder.to_owned()))
}

fn opened(files: &ModelFiles) -> ModelFile {
    open(written(files).path()).unwrap()
}

/// The error's text, which must name the file.
fn refused(folder: &Path, file: &str) -> String {
    let message = open(folder).unwrap_err().to_string();
    assert!(message.contains(folder.join(file).to_str().unwrap()), "{message:?} should name {file}");
    message
}

fn says(message: &str, parts: &[&str]) {
    for part in parts {
        assert!(message.contains(part), "{message:?} should say {part:?}");
    }
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

#[test]
fn broken_weights_are_refused_by_name() {
    let files = ModelFiles::new(SMALL);
    let tensor = "encoder.layers.0.self_attn.q_proj.bias";

    let mut lacking = ModelFiles::new(SMALL);
    lacking.tensors.remove(tensor);
    let message = refused(written(&lacking).path(), "model.safetensors");
    says(&message, &[tensor, "of shape [8] is missing", "config.json belongs to another model"]);

    let mut misshapen = ModelFiles::new(SMALL);
    misshapen.tensors.insert(tensor.to_owned(), vec![9]);
    let message = refused(written(&misshapen).path(), "model.safetensors");
    says(&message, &[tensor, "has the shape [9], expected [8]"]);

    let mut integers = ModelFiles::new(SMALL);
    integers.dtype = Dtype::I32;
    let message = refused(written(&integers).path(), "model.safetensors");
    says(&message, &["tensor encoder.conv1.weight holds I32, expected F32, F16 or BF16"]);

    let folder = written(&files);
    let path = folder.path().join("model.safetensors");
    let whole = std::fs::read(&path).unwrap();
    let header = 8 + usize::try_from(u64::from_le_bytes(whole[..8].try_into().unwrap())).unwrap();
    let spoilt = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = whole.clone();
        change(&mut bytes);
        std::fs::write(&path, bytes).unwrap();
        refused(folder.path(), "model.safetensors")
    };
    says(&spoilt(&|bytes| bytes.truncate(whole.len() - 5)), &["tensor ", "it is truncated", "fetch it again"]);
    says(&spoilt(&|bytes| bytes.truncate(header - 5)), &["it is truncated"]);
    says(&spoilt(&|bytes| bytes.clear()), &["it has 0 bytes, too few for a header"]);
    says(&spoilt(&|bytes| bytes[..8].fill(0xFF)), &["more than the format's limit of 100000000"]);
    says(&spoilt(&|bytes| bytes[20] = b'\n'), &["its header: "]);
    says(&spoilt(&|bytes| bytes[8] = b'['), &["its header does not begin with {"]);
    std::fs::remove_file(&path).unwrap();
    let message = open(folder.path()).unwrap_err().to_string();
    says(&message, &["neither model.safetensors nor model.safetensors.index.json", folder.path().to_str().unwrap()]);
    std::fs::write(folder.path().join("pytorch_model.bin"), "x").unwrap();
    says(&open(folder.path()).unwrap_err().to_string(), &["only pytorch_model.bin, which is not read"]);
}

#[test]
fn broken_headers_are_refused_by_name() {
    let folder = written(&ModelFiles::new(SMALL));
    let header = |json: &str| {
        let bytes = [&(json.len() as u64).to_le_bytes()[..], json.as_bytes(), &[0; 8]].concat();
        std::fs::write(folder.path().join("model.safetensors"), bytes).unwrap();
        refused(folder.path(), "model.safetensors")
    };
    let tensor = |begin, end| format!(r#"{{"dtype":"F32","shape":[1],"data_offsets":[{begin},{end}]}}"#);
    says(&header(&format!(r#"{{"a":{},"b":{}}}"#, tensor(0, 4), tensor(2, 6))), &["tensor b", "overlaps"]);
    says(&header(&format!(r#"{{"a":{},"a":{}}}"#, tensor(0, 4), tensor(4, 8))), &["the name a stands twice"]);
    let both = format!(r#"{{"encoder.a":{},"model.encoder.a":{}}}"#, tensor(0, 4), tensor(4, 8));
    says(&header(&both), &["tensor encoder.a stands in it twice"]);
    says(
        &header(&tensor(0, 4).replace("F32", "Q8").replacen('{', r#"{"a":{"#, 1).add("}")),
        &["unknown kind of numbers"],
    );
}

trait Add {
    fn add(self, end: &str) -> String;
}

impl Add for String {
    fn add(mut self, end: &str) -> String {
        self.push_str(end);
        self
    }
}

#[test]
fn broken_shards_are_refused_by_name() {
    let mut files = ModelFiles::new(SMALL);
    files.shards = 2;
    let folder = written(&files);
    let index_path = folder.path().join("model.safetensors.index.json");
    let index = std::fs::read_to_string(&index_path).unwrap();
    let second = "model-00002-of-00002.safetensors";

    std::fs::write(&index_path, index.replace(second, "../other.safetensors")).unwrap();
    says(&refused(folder.path(), "model.safetensors.index.json"), &["\"../other.safetensors\"", "a file beside it"]);
    std::fs::write(&index_path, index.replacen("model.encoder.conv1.bias", "model.encoder.conv9.bias", 1)).unwrap();
    let message = open(folder.path()).unwrap_err().to_string();
    says(&message, &["tensor model.encoder.conv9.bias is not in it"]);
    std::fs::write(&index_path, "{}").unwrap();
    says(&refused(folder.path(), "model.safetensors.index.json"), &["missing field `weight_map`"]);

    std::fs::write(&index_path, &index).unwrap();
    let one = [("model.encoder.conv1.bias".to_owned(), "F16", vec![8], vec![0; 16])];
    let first_is_everything = [safetensors(&one), safetensors(&one)];
    for (shard, bytes) in first_is_everything.iter().enumerate() {
        std::fs::write(folder.path().join(format!("model-0000{}-of-00002.safetensors", shard + 1)), bytes).unwrap();
    }
    says(&refused(folder.path(), second), &["tensor encoder.conv1.bias is in ", "model-00001-of-00002"]);
    std::fs::remove_file(folder.path().join(second)).unwrap();
    says(&refused(folder.path(), second), &["cannot be read"]);
}

#[test]
fn wrong_settings_are_refused_by_name() {
    let wrong = |field: &str, value: serde_json::Value, expected: &str| {
        let mut files = ModelFiles::new(SMALL);
        files.config[field] = value;
        says(&refused(written(&files).path(), "config.json"), &[field, expected]);
    };
    wrong("model_type", json!("bert"), "is \"bert\", expected \"whisper\"");
    wrong("activation_function", json!("relu"), "expected \"gelu\"");
    wrong("scale_embedding", json!(true), "expected false");
    wrong("encoder_attention_heads", json!(3), "is 3, expected a divisor of d_model, 8");
    wrong("decoder_layers", json!(0), "is 0, expected 1 to 256");
    wrong("vocab_size", json!(u64::MAX), "expected 8 to 1048576");
    wrong("suppress_tokens", json!([1, 1_000_000]), "1000000, expected a token below vocab_size");
    wrong("suppress_tokens", json!([-2]), "is -2");

    let mut files = ModelFiles::new(SMALL);
    files.config["d_model"] = json!("wide");
    says(&refused(written(&files).path(), "config.json"), &["not readable", "invalid type"]);
    files.config = json!({"model_type": "whisper"});
    says(&refused(written(&files).path(), "config.json"), &["missing field `num_mel_bins`"]);

    let mut files = ModelFiles::new(SMALL);
    files.preprocessor = Some(json!({"feature_size": 128}));
    let message = refused(written(&files).path(), "preprocessor_config.json");
    says(&message, &["feature_size is 128, expected 80, the num_mel_bins of config.json"]);

    files.preprocessor = None;
    let folder = written(&files);
    let processor = json!({"feature_extractor": {"hop_length": 320}, "processor_class": "WhisperProcessor"});
    std::fs::write(folder.path().join("processor_config.json"), processor.to_string()).unwrap();
    says(&refused(folder.path(), "processor_config.json"), &["hop_length is 320, expected 160"]);
    std::fs::write(folder.path().join("processor_config.json"), "{}").unwrap();
    open(folder.path()).unwrap();

    let mut files = ModelFiles::new(SMALL);
    files.generation = Some(json!({"alignment_heads": [[0, 1], [2, 0]]}));
    let message = refused(written(&files).path(), "generation_config.json");
    says(&message, &["layer 2, head 0, expected a layer below 2 and a head below 2"]);
}

#[test]
fn broken_tokenizers_are_refused_by_name() {
    let mut files = ModelFiles::new(SMALL);
    files.merges = "a b\nzz zz".to_owned();
    says(&refused(written(&files).path(), "vocab.json"), &["merge 1", "\"zz\" is no token"]);

    let mut files = ModelFiles::new(SMALL);
    files.added = json!({});
    says(&refused(written(&files).path(), "vocab.json"), &["no token <|startoftranscript|>"]);

    let mut files = ModelFiles::new(SMALL);
    files.set_dims(Dims { vocabulary: 300, ..files.dims });
    says(&refused(written(&files).path(), "vocab.json"), &["ids up to 1768, but the model has 300 rows"]);

    let folder = written(&ModelFiles::new(SMALL));
    std::fs::write(folder.path().join("tokenizer.json"), "{").unwrap();
    says(&refused(folder.path(), "tokenizer.json"), &["not readable as a tokenizer", "fetch it again"]);
    std::fs::remove_file(folder.path().join("tokenizer.json")).unwrap();
    std::fs::remove_file(folder.path().join("merges.txt")).unwrap();
    says(&open(folder.path()).unwrap_err().to_string(), &["neither tokenizer.json nor merges.txt in it"]);
}

#[test]
fn what_is_no_model_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    says(&open(folder.path()).unwrap_err().to_string(), &["no config.json in it", folder.path().to_str().unwrap()]);
    let absent = folder.path().join("absent");
    says(&open(&absent).unwrap_err().to_string(), &["absent: cannot be read"]);
    for (start, reason) in [
        (&b""[..], "the file is empty"),
        (b"lmgg....", "it is a ggml file"),
        (b"PK\x03\x04....", "zip archive"),
        (b"hello", "it is a file of another kind"),
    ] {
        let file = folder.path().join("model.bin");
        std::fs::write(&file, start).unwrap();
        says(&open(&file).unwrap_err().to_string(), &["model.bin: ", reason, "a model is a folder with config.json"]);
    }
    let files = written(&ModelFiles::new(SMALL));
    for name in ["config.json", "vocab.json", "model.safetensors", "generation_config.json"] {
        let path = files.path().join(name);
        let contents = std::fs::read(&path).unwrap();
        std::fs::write(&path, "").unwrap();
        refused(files.path(), name);
        std::fs::remove_file(&path).unwrap();
        std::fs::create_dir(&path).unwrap();
        assert!(open(files.path()).is_err(), "{name}");
        std::fs::remove_dir(&path).unwrap();
        std::fs::write(&path, contents).unwrap();
    }
    let huge = std::fs::File::create(files.path().join("config.json")).unwrap();
    huge.set_len(65 << 20).unwrap();
    says(&refused(files.path(), "config.json"), &["68157440 bytes, more than the limit of 67108864"]);
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
    let Some(shared) = std::env::var_os("AMANUENSIS_SHARED") else {
        eprintln!("AMANUENSIS_SHARED is not set; nothing was tested");
        return;
    };
    let models = Path::new(&shared).join("models");
    is_the_demo_model(&open(&models.join("espeak-whisper-demo")).unwrap());
    let model = open(&models.join("espeak-whisper-std")).unwrap();
    assert_eq!(model.dims.vocabulary, 51865);
    assert_eq!(model.tokenizer.special().languages.len(), 99);
    assert_eq!(model.tokenizer.special().transcribe, Some(50359));
    assert_eq!(model.warnings, Vec::<String>::new());
}
