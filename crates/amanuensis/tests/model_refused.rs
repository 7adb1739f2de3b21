//! Every way in which a model's files can be broken: each is refused with the file, the place and the reason.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod model_files;

use std::path::Path;

use amanuensis::model::write::{self, Container, Order, Type};
use amanuensis::model::{Dims, Dtype};
use model_files::{ModelFiles, SMALL, open, safetensors, says, written};
use proptest::prelude::*;
use serde_json::json;

/// The error's text, which must name the file.
fn refused(folder: &Path, file: &str) -> String {
    let message = open(folder).unwrap_err().to_string();
    assert!(message.contains(folder.join(file).to_str().unwrap()), "{message:?} should name {file}");
    message
}

#[test]
fn pointers_to_files_are_told_from_files() {
    for file in ["model.safetensors", "config.json"] {
        let folder = written(&ModelFiles::new(SMALL));
        let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 290403936\n";
        std::fs::write(folder.path().join(file), pointer).unwrap();
        says(&refused(folder.path(), file), &["a git-lfs pointer", "`git lfs pull`"]);
    }
}

#[test]
fn reasons_are_said_once() {
    use std::error::Error;
    let folder = written(&ModelFiles::new(SMALL));
    let file = folder.path().join("config.json");
    std::fs::remove_file(&file).unwrap();
    std::fs::create_dir(&file).unwrap();
    let error = open(folder.path()).unwrap_err();
    assert!(error.to_string().contains("it is not a regular file") && error.source().is_none(), "{error}");
}

#[test]
fn broken_weights_are_refused_by_name() {
    let files = ModelFiles::new(SMALL);
    let tensor = "encoder.layers.0.self_attn.q_proj.bias";

    let mut lacking = ModelFiles::new(SMALL);
    lacking.tensors.remove(tensor);
    let message = refused(written(&lacking).path(), "model.safetensors");
    says(&message, &[tensor, "of shape [8] is missing", "its sizes are those of another model"]);

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
    // A tensor that the header lacks though its numbers are there, and a gap that no tensor fills.
    let mut lacking: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(&whole[8..header]).unwrap();
    lacking.retain(|name, _| !name.ends_with(tensor));
    let mut lacking = serde_json::to_vec(&lacking).unwrap();
    lacking.resize(header - 8, b' ');
    says(&spoilt(&|bytes| bytes[8..header].copy_from_slice(&lacking)), &[tensor, "is missing"]);
    says(&spoilt(&|bytes| bytes.extend([0; 4])), &["4 bytes at its end belong to no tensor"]);
    std::fs::remove_file(&path).unwrap();
    let message = open(folder.path()).unwrap_err().to_string();
    says(&message, &["neither model.safetensors nor model.safetensors.index.json", folder.path().to_str().unwrap()]);
    std::fs::write(folder.path().join("pytorch_model.bin"), "x").unwrap();
    says(&open(folder.path()).unwrap_err().to_string(), &["pytorch_model.bin: not a valid PyTorch checkpoint"]);
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
    let odd = format!(r#"{{"a":{}}}"#, tensor(0, 4).replace("F32", "Q8"));
    says(&header(&odd), &["tensor a: unknown kind of numbers \"Q8\""]);
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
    wrong("median_filter_width", json!(4), "is 4, expected an odd number up to 101");
    wrong("median_filter_width", json!(100_001), "expected an odd number up to 101");

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
    says(&open(folder.path()).unwrap_err().to_string(), &["nor merges.txt in it"]);
}

#[test]
fn what_is_no_model_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    says(&open(folder.path()).unwrap_err().to_string(), &["no config.json in it", folder.path().to_str().unwrap()]);
    let absent = folder.path().join("absent");
    says(&open(&absent).unwrap_err().to_string(), &["absent: cannot be read"]);
    for (start, reason) in [
        (&b""[..], "the file is empty"),
        (b"tjgg....", "it is a ggml file of llama.cpp's"),
        (b"PK\x03\x04....", "zip archive"),
        (b"hello", "it is a file of another kind"),
    ] {
        let file = folder.path().join("model.bin");
        std::fs::write(&file, start).unwrap();
        says(&open(&file).unwrap_err().to_string(), &["model.bin: ", reason, "a model is a file of weights"]);
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

/// A tensor as [`safetensors`] takes it, with the kind's name in memory of its own.
type Stored = (String, String, Vec<usize>, Vec<u8>);

/// Writes a model in fewer bits and gives its tensors to be changed before they are written again.
fn changed(kind: Type, change: impl FnOnce(&mut Vec<Stored>)) -> tempfile::TempDir {
    let model = open(written(&ModelFiles::new(SMALL)).path());
    let folder = tempfile::tempdir().unwrap();
    let order = Order::new(Container::safetensors(), kind);
    let mut on = |_: &str, _, _| std::ops::ControlFlow::Continue(());
    write::draft(&model.unwrap(), &order, &folder.path().join("m"), false, &mut on).unwrap().publish().unwrap();
    let path = folder.path().join("m/model.safetensors");
    let bytes = std::fs::read(&path).unwrap();
    let (length, rest) = bytes.split_first_chunk::<8>().unwrap();
    let (header, numbers) = rest.split_at(u64::from_le_bytes(*length) as usize);
    let header: serde_json::Value = serde_json::from_slice(header).unwrap();
    let mut tensors: Vec<Stored> = Vec::new();
    for (name, tensor) in header.as_object().unwrap().iter().filter(|(name, _)| *name != "__metadata__") {
        let shape = serde_json::from_value(tensor["shape"].clone()).unwrap();
        let [start, end]: [usize; 2] = serde_json::from_value(tensor["data_offsets"].clone()).unwrap();
        let dtype = tensor["dtype"].as_str().unwrap().to_owned();
        tensors.push((name.clone(), dtype, shape, numbers[start..end].to_vec()));
    }
    change(&mut tensors);
    let tensors: Vec<_> = tensors
        .iter()
        .map(|(name, dtype, shape, bytes)| (name.clone(), &**dtype, shape.clone(), bytes.clone()))
        .collect();
    std::fs::write(&path, safetensors(&tensors)).unwrap();
    folder
}

#[test]
fn wrong_and_missing_scales_are_named() {
    let fc1 = "decoder.layers.1.fc1.weight";
    let find = |tensors: &[Stored], name: &str| -> usize {
        tensors.iter().position(|tensor| tensor.0 == format!("model.{name}")).unwrap()
    };
    let scale = format!("{fc1}_scale");
    let message = |folder: tempfile::TempDir| refused(&folder.path().join("m"), "model.safetensors");
    assert!(open(&changed(Type::Int8, |_| ()).path().join("m")).is_ok());

    let gone = changed(Type::Int8, |tensors| {
        let place = find(tensors, &scale);
        tensors.remove(place);
    });
    says(&message(gone), &[fc1, "it holds whole numbers, but there is no", &scale]);
    let short = changed(Type::Int8, |tensors| {
        let place = find(tensors, &scale);
        tensors[place].2 = vec![23];
        tensors[place].3.truncate(4 * 23);
    });
    says(&message(short), &[fc1, "has the shape [23], expected [24] or [1]"]);
    let none = changed(Type::Int8, |tensors| {
        let place = find(tensors, &scale);
        tensors[place].2 = vec![0];
        tensors[place].3.clear();
    });
    says(&message(none), &["has the shape [0], expected [24] or [1]"]);
    let infinite = changed(Type::Int8, |tensors| {
        let place = find(tensors, &scale);
        tensors[place].3[4..8].copy_from_slice(&f32::INFINITY.to_le_bytes());
    });
    says(&message(infinite), &[&scale, "holds inf, which is no scale"]);
    let kind = changed(Type::Int8, |tensors| {
        let place = find(tensors, &scale);
        tensors[place].1 = "I32".to_owned();
    });
    says(&message(kind), &[&scale, "holds I32, expected F32, F16 or BF16"]);
    let shape = changed(Type::Int8, |tensors| {
        let place = find(tensors, fc1);
        tensors[place].2 = vec![8, 24];
    });
    says(&message(shape), &[fc1, "has the shape [8, 24], expected [24, 8]"]);
    // One scale for the whole tensor is as good as one for every output.
    let one = changed(Type::Int8, |tensors| {
        let place = find(tensors, &scale);
        tensors[place].2 = vec![1];
        tensors[place].3.truncate(4);
    });
    assert!(open(&one.path().join("m")).is_ok());
    // Halves: 8 inputs are no group of 32, so they are made here. 24 x 8 numbers are 96 bytes.
    let halves = |bytes: usize, scales: Vec<usize>| {
        changed(Type::Int8, move |tensors| {
            let place = find(tensors, fc1);
            tensors[place].1 = "U8".to_owned();
            tensors[place].2 = vec![bytes];
            tensors[place].3 = vec![0; bytes];
            let place = find(tensors, &format!("{fc1}_scale"));
            tensors[place].3 = vec![0; 4 * scales.iter().product::<usize>()];
            tensors[place].2 = scales;
        })
    };
    let model = open(&halves(96, vec![24, 2]).path().join("m")).unwrap();
    assert_eq!(model.weights.get(fc1).unwrap().encoding.to_string(), "I4");
    says(&message(halves(95, vec![24, 2])), &[fc1, "95 bytes are not the 192 halves of [24, 8]"]);
    says(&message(halves(96, vec![24, 3])), &["has the shape [24, 3], expected [24, groups of an output]"]);
    says(&message(halves(96, vec![8, 24])), &["expected [24, groups of an output]"]);
}

#[test]
fn weights_in_fewer_bits_of_other_programs_are_named() {
    let mut files = ModelFiles::new(SMALL);
    files.config["quantization_config"] = json!({"quant_method": "bitsandbytes", "load_in_8bit": true});
    let message = refused(written(&files).path(), "config.json");
    says(&message, &["quant_method of quantization_config is \"bitsandbytes\"", "expected \"amanuensis\""]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Bytes of the header, and of the numbers, which the scales are among.
    #[test]
    fn damage_to_weights_in_fewer_bits_is_refused_or_harmless(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in any::<prop::sample::Index>(),
    ) {
        let folder = changed(Type::Int8, |_| ());
        let folder = folder.path().join("m");
        let path = folder.join("model.safetensors");
        let mut bytes = std::fs::read(&path).unwrap();
        let header = 8 + u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
        for (kind, place, byte) in changes {
            let place = if kind.index(4) > 0 { place.index(header) } else { place.index(bytes.len()) };
            bytes[place] = byte;
        }
        bytes.truncate(bytes.len() - cut.index(12) / 4);
        std::fs::write(&path, bytes).unwrap();
        match open(&folder) {
            Ok(model) => {
                for (name, shape) in model.dims.tensors() {
                    let tensor = model.weights.tensor(&name, &shape).unwrap();
                    prop_assert_eq!(tensor.to_f32().len(), tensor.count());
                }
            }
            Err(error) => prop_assert!(error.to_string().contains("model.safetensors"), "{}", error),
        }
    }
}
