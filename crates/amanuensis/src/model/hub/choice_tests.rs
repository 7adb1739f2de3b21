use super::*;

const TOKENIZER: [&str; 3] = ["config.json", "tokenizer.json", "preprocessor_config.json"];

fn with<'a>(files: &[&'a str]) -> Vec<&'a str> {
    [&TOKENIZER[..], files].concat()
}

fn chosen(files: &[&str]) -> (Form, Vec<String>) {
    let choice = choose(files).unwrap_or_else(|error| panic!("{error}"));
    (choice.form, choice.weights)
}

#[test]
fn one_form_of_the_weights_is_chosen() {
    let many = [
        "model.safetensors",
        "model.fp32-00001-of-00002.safetensors",
        "pytorch_model.bin",
        "flax_model.msgpack",
        "tf_model.h5",
        "README.md",
    ];
    let choice = choose(&with(&many)).unwrap();
    assert_eq!(choice.form, Form::Safetensors);
    assert_eq!(
        choice.files().collect::<Vec<_>>(),
        ["config.json", "preprocessor_config.json", "tokenizer.json", "model.safetensors"]
    );
    assert_eq!(chosen(&with(&["model.bin", "vocabulary.json"])), (Form::CTranslate2, vec!["model.bin".to_owned()]));
    assert_eq!(chosen(&["config.json", "model.bin", "vocabulary.txt"]).0, Form::CTranslate2);
    assert_eq!(chosen(&["README.md", "ggml-base.bin"]), (Form::Ggml, vec!["ggml-base.bin".to_owned()]));
    assert_eq!(chosen(&["whisper-q8.gguf"]).0, Form::Gguf);
}

#[test]
fn an_index_says_which_files_hold_the_weights() {
    let files =
        ["model.safetensors.index.json", "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"];
    let choice = choose(&with(&files)).unwrap();
    assert_eq!((choice.index.as_deref(), choice.weights.len()), (Some(files[0]), 2));
    let index = |names: &str| shards(files[0], format!(r#"{{"weight_map": {names}}}"#).as_bytes(), &files);
    let both = index(r#"{"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}"#);
    assert_eq!(both.unwrap().len(), 2);
    for (names, word) in [(r#"{"a": "../x"}"#, "which is not there"), ("{}", "names no file"), ("7", "invalid type")] {
        let error = index(names).unwrap_err().to_string();
        assert!(error.contains(word) && error.contains(files[0]), "{error}");
    }
}

#[test]
fn onnx_graphs_come_in_pairs() {
    let community = [
        "onnx/encoder_model.onnx",
        "onnx/encoder_model_int8.onnx",
        "onnx/decoder_model.onnx",
        "onnx/decoder_model_merged.onnx",
        "onnx/decoder_model_int8.onnx",
        "onnx/decoder_with_past_model.onnx",
        "onnx/encoder_model.onnx_data",
    ];
    let whole = ["onnx/encoder_model.onnx", "onnx/decoder_model.onnx", "onnx/encoder_model.onnx_data"];
    assert_eq!(chosen(&with(&community)), (Form::Onnx, whole.map(str::to_owned).to_vec()));
    let bytes = ["onnx/encoder_model_int8.onnx", "onnx/decoder_model_merged_int8.onnx"];
    assert_eq!(chosen(&with(&bytes)).1, bytes);
    let sherpa = [
        "tiny-encoder.onnx",
        "tiny-encoder.int8.onnx",
        "tiny-decoder.onnx",
        "tiny-decoder.int8.onnx",
        "tiny-tokens.txt",
    ];
    let choice = choose(&sherpa).unwrap();
    assert_eq!(choice.files().collect::<Vec<_>>(), ["tiny-tokens.txt", "tiny-encoder.onnx", "tiny-decoder.onnx"]);
    assert_eq!(choose(&["tiny-encoder.onnx"]).unwrap_err().to_string(), "ONNX weights, but no tiny-decoder.onnx");
}

#[test]
fn what_is_missing_or_unclear_is_said() {
    let error = |files: &[&str]| choose(files).unwrap_err().to_string();
    assert_eq!(
        error(&["config.json", "model.safetensors"]),
        "safetensors weights, but no tokenizer.json, or vocab.json and merges.txt"
    );
    assert_eq!(error(&["model.bin"]), "CTranslate2 weights, but no config.json");
    assert!(error(&["pytorch_model.bin", "a.txt"]).ends_with("there is only pytorch_model.bin"));
    assert!(error(&["ggml-tiny.bin", "ggml-base.bin"]).contains("name one: ggml-tiny.bin, ggml-base.bin"));
    assert!(matches!(choose(&[]), Err(NoChoice::NoWeights { .. })));
}

#[test]
fn files_can_be_asked_for() {
    let files = ["ggml-tiny.bin", "ggml-base.bin", "README.md", "config.json"];
    let choice = choose_file(&files, "ggml-base.bin").unwrap();
    assert_eq!((choice.form, choice.files().collect::<Vec<_>>()), (Form::Ggml, vec!["ggml-base.bin"]));
    assert_eq!(choose_file(&files, "x.bin").unwrap_err().to_string(), "no file x.bin");
    let choice = choose_matching(&files, &["*tiny*".to_owned()]).unwrap();
    assert_eq!(choice.files().collect::<Vec<_>>(), ["config.json", "ggml-tiny.bin"]);
    assert!(choose_matching(&files, &["*.onnx".to_owned()]).unwrap_err().to_string().contains("that fits *.onnx"));
}

#[test]
fn patterns_fit_like_those_of_a_shell() {
    for (pattern, name, expected) in [
        ("*", "", true),
        ("", "", true),
        ("", "a", false),
        ("a*c", "abbc", true),
        ("a*c", "abcb", false),
        ("?", "ü", true),
        ("*a*a*b", "aaaaab", true),
        ("onnx/*_int8.onnx", "onnx/encoder_model_int8.onnx", true),
        ("**", "x/y", true),
        ("a?", "a", false),
    ] {
        assert_eq!(fits(pattern, name), expected, "{pattern} {name}");
    }
}
