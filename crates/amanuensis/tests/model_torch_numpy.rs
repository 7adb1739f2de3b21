//! PyTorch's and NumPy's files of a small model, written byte by byte: the same model as in safetensors.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod model_files;

use std::ops::ControlFlow;
use std::path::Path;

use amanuensis::model::write::{self, Container, Order, Type};
use amanuensis::model::{self, Dims, Format, ModelFile, Source};
use model_files::{ModelFiles, SMALL, open, says, written};
use serde_json::json;
use tempfile::TempDir;

/// A model whose feed-forward parts are as wide as OpenAI's are.
fn files() -> ModelFiles {
    let mut files = ModelFiles::new(SMALL);
    files.set_dims(Dims { audio_feed_forward: 32, text_feed_forward: 32, ..files.dims });
    files
}

/// A tensor in f16: name, shape, bytes.
type Tensor = (String, Vec<usize>, Vec<u8>);

/// The model in safetensors, its tensors, and a folder with all of its files but those tensors.
fn model_and_rest() -> (ModelFile, Vec<Tensor>, TempDir) {
    let folder = written(&files());
    let model = open(folder.path()).unwrap();
    let tensors = model.weights.tensors();
    let tensors =
        tensors.map(|tensor| (tensor.name.to_owned(), tensor.shape.to_vec(), tensor.bytes.to_vec())).collect();
    std::fs::remove_file(folder.path().join("model.safetensors")).unwrap();
    (model, tensors, folder)
}

/// The same sizes, tensors and settings.
fn assert_same(found: &ModelFile, expected: &ModelFile, format: Format) {
    assert_eq!((found.format, found.dims), (format, expected.dims));
    assert_eq!(found.generation, expected.generation);
    assert!(found.warnings.is_empty(), "{:?}", found.warnings);
    assert!(found.weights.names().eq(expected.weights.names()));
    for tensor in expected.weights.tensors() {
        let same = found.weights.tensor(tensor.name, tensor.shape).unwrap();
        assert_eq!(same.bytes, tensor.bytes, "{}", tensor.name);
        assert_eq!(same.to_f32(), tensor.to_f32(), "{}", tensor.name);
    }
}

/// A zip archive of files that are stored as they are.
fn zip(files: &[(String, Vec<u8>)]) -> Vec<u8> {
    let (mut bytes, mut directory) = (Vec::new(), Vec::new());
    for (name, contents) in files {
        let start = bytes.len() as u32;
        let size = contents.len() as u32;
        let mut common = vec![20, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        // No sum, which PyTorch may leave out.
        common.extend([0_u32, size, size].iter().flat_map(|number| number.to_le_bytes()));
        common.extend([name.len() as u16, 0].iter().flat_map(|number| number.to_le_bytes()));
        bytes.extend([b"PK\x03\x04", &common[..], name.as_bytes(), contents].concat());
        directory
            .extend([b"PK\x01\x02\x14\x00", &common[..], &[0; 10], &start.to_le_bytes(), name.as_bytes()].concat());
    }
    let (start, count) = (bytes.len() as u32, (files.len() as u16).to_le_bytes());
    let ends = [(directory.len() as u32).to_le_bytes(), start.to_le_bytes()].concat();
    [&bytes[..], &directory, b"PK\x05\x06\0\0\0\0", &count, &count, &ends, &[0, 0]].concat()
}

fn text(text: &str) -> Vec<u8> {
    [b"X", &(text.len() as u32).to_le_bytes()[..], text.as_bytes()].concat()
}

fn int(number: usize) -> Vec<u8> {
    [b"J", &(number as i32).to_le_bytes()[..]].concat()
}

fn ints(numbers: &[usize]) -> Vec<u8> {
    [b"(", &numbers.iter().flat_map(|number| int(*number)).collect::<Vec<_>>()[..], b"t"].concat()
}

/// The pickle of a map of tensors in f16, each with a storage of its own.
fn pickled(tensors: &[Tensor]) -> Vec<u8> {
    let mut bytes = b"}(".to_vec();
    for (key, (name, shape, numbers)) in tensors.iter().enumerate() {
        let strides: Vec<usize> = (0..shape.len()).map(|axis| shape[axis + 1..].iter().product()).collect();
        bytes.extend(text(name));
        bytes.extend(b"ctorch._utils\n_rebuild_tensor_v2\n((");
        bytes
            .extend([text("storage"), b"ctorch\nHalfStorage\n".to_vec(), text(&key.to_string()), text("cpu")].concat());
        bytes.extend([int(numbers.len() / 2), b"tQ".to_vec(), int(0), ints(shape), ints(&strides)].concat());
        bytes.extend(b"\x89ccollections\nOrderedDict\n)RtR");
    }
    bytes.push(b'u');
    bytes
}

/// OpenAI's dict of a model.
fn openai(model: &ModelFile, tensors: &[Tensor]) -> Vec<u8> {
    let dims = &model.dims;
    let sizes = [
        ("n_mels", dims.mel_bins),
        ("n_vocab", dims.vocabulary),
        ("n_audio_ctx", dims.audio_context),
        ("n_audio_state", dims.audio_width),
        ("n_audio_head", dims.audio_heads),
        ("n_audio_layer", dims.audio_layers),
        ("n_text_ctx", dims.text_context),
        ("n_text_state", dims.text_width),
        ("n_text_head", dims.text_heads),
        ("n_text_layer", dims.text_layers),
    ];
    let sizes: Vec<u8> = sizes.iter().flat_map(|(name, size)| [text(name), int(*size)].concat()).collect();
    let names: [(&str, &str); 18] = [
        ("coder.layers.", "coder.blocks."),
        ("encoder.embed_positions.weight", "encoder.positional_embedding"),
        ("decoder.embed_positions.weight", "decoder.positional_embedding"),
        ("embed_tokens", "token_embedding"),
        ("self_attn_layer_norm", "attn_ln"),
        ("encoder_attn_layer_norm", "cross_attn_ln"),
        ("final_layer_norm", "mlp_ln"),
        ("encoder.layer_norm", "encoder.ln_post"),
        ("decoder.layer_norm", "decoder.ln"),
        ("encoder_attn.", "cross_attn."),
        ("self_attn.", "attn."),
        ("q_proj", "query"),
        ("k_proj", "key"),
        ("v_proj", "value"),
        ("out_proj", "out"),
        ("fc1", "mlp.0"),
        ("fc2", "mlp.2"),
        ("", ""),
    ];
    let theirs = |name: &str| names.iter().fold(name.to_owned(), |name, (from, to)| name.replace(from, to));
    let tensors: Vec<Tensor> =
        tensors.iter().map(|(name, shape, bytes)| (theirs(name), shape.clone(), bytes.clone())).collect();
    let head = [b"\x80\x02}(", &text("dims")[..], b"}(", &sizes, b"u", &text("model_state_dict")].concat();
    [&head[..], &pickled(&tensors), b"u."].concat()
}

/// A checkpoint since PyTorch 1.6.
fn torch(pickle: Vec<u8>, tensors: &[Tensor]) -> Vec<u8> {
    let mut files = vec![("model/data.pkl".to_owned(), pickle), ("model/byteorder".to_owned(), b"little".to_vec())];
    let storages = tensors.iter().enumerate();
    files.extend(storages.map(|(key, (_, _, bytes))| (format!("model/data/{key}"), bytes.clone())));
    zip(&files)
}

/// A checkpoint before PyTorch 1.6.
fn old_torch(pickle: &[u8], tensors: &[Tensor]) -> Vec<u8> {
    let mut bytes = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.".to_vec();
    bytes.extend([b"\x80\x02}", &text("little_endian")[..], b"\x88s.", pickle, b"\x80\x02]("].concat());
    (0..tensors.len()).for_each(|key| bytes.extend(text(&key.to_string())));
    bytes.extend(b"e.");
    for (_, _, numbers) in tensors {
        bytes.extend((numbers.len() as u64 / 2).to_le_bytes());
        bytes.extend(numbers);
    }
    bytes
}

fn array(kind: &str, shape: &[usize], numbers: &[u8]) -> Vec<u8> {
    let shape: String = shape.iter().map(|axis| format!("{axis},")).collect();
    let header = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': ({shape}), }}\n");
    [b"\x93NUMPY\x01\x00", &(header.len() as u16).to_le_bytes()[..], header.as_bytes(), numbers].concat()
}

fn refused(path: &Path) -> String {
    model::open(&Source::Path(path.to_owned())).unwrap_err().to_string()
}

#[test]
fn checkpoints_of_openai_open_with_a_tokenizer_beside_them() {
    let (model, tensors, folder) = model_and_rest();
    let pickle = openai(&model, &tensors);
    std::fs::remove_file(folder.path().join("config.json")).unwrap();
    for bytes in [torch(pickle.clone(), &tensors), old_torch(&pickle, &tensors)] {
        // The name does not matter.
        let path = folder.path().join("whatever.xyz");
        std::fs::write(&path, bytes).unwrap();
        assert_same(&open(folder.path()).unwrap(), &model, Format::OpenAi);
        assert_same(&model::open(&Source::Path(path)).unwrap(), &model, Format::OpenAi);
    }
    std::fs::remove_file(folder.path().join("vocab.json")).unwrap();
    says(
        &refused(folder.path()),
        &["nor vocab.json in it", "put the model's tokenizer.json there", "with 1769 tokens"],
    );
}

#[test]
fn checkpoints_in_a_folder_of_hugging_face_open() {
    let (model, tensors, folder) = model_and_rest();
    let prefixed = |tensors: &[Tensor]| -> Vec<Tensor> {
        let named = |(name, shape, bytes): &Tensor| (format!("model.{name}"), shape.clone(), bytes.clone());
        tensors.iter().map(named).collect()
    };
    let whole = |tensors: &[Tensor]| {
        let tensors = prefixed(tensors);
        torch([b"\x80\x02", &pickled(&tensors)[..], b"."].concat(), &tensors)
    };
    let path = folder.path().join("pytorch_model.bin");
    std::fs::write(&path, whole(&tensors)).unwrap();
    assert_same(&open(folder.path()).unwrap(), &model, Format::Torch);
    std::fs::write(&path, whole(&tensors[1..])).unwrap();
    says(&refused(folder.path()), &["pytorch_model.bin: tensor ", &tensors[0].0, "is missing"]);

    std::fs::remove_file(&path).unwrap();
    let (first, second) = tensors.split_at(tensors.len() / 2);
    let index = folder.path().join("pytorch_model.bin.index.json");
    let write = |name: &str, second_file: &str| {
        let map = |tensors: &[Tensor], file: &str| {
            tensors.iter().map(|(name, ..)| (format!("model.{name}"), json!(file))).collect::<Vec<_>>()
        };
        let map: serde_json::Map<_, _> = map(first, "1.bin").into_iter().chain(map(second, second_file)).collect();
        std::fs::write(&index, json!({ "weight_map": map }).to_string()).unwrap();
        std::fs::write(folder.path().join("1.bin"), whole(first)).unwrap();
        std::fs::write(folder.path().join(name), whole(second)).unwrap();
    };
    write("2.bin", "2.bin");
    assert_same(&open(folder.path()).unwrap(), &model, Format::Torch);
    write("2.bin", "../2.bin");
    says(&refused(folder.path()), &["pytorch_model.bin.index.json", "\"../2.bin\"", "a file beside it"]);
    write("2.bin", "1.bin");
    says(&refused(folder.path()), &["1.bin", "is not in it, though pytorch_model.bin.index.json says so"]);
}

#[test]
fn checkpoints_that_would_run_are_refused_with_the_file() {
    let (_, _, folder) = model_and_rest();
    let path = folder.path().join("pytorch_model.bin");
    let pickle = [b"\x80\x02cposix\nsystem\n(", &text("id")[..], b"tR."].concat();
    std::fs::write(&path, torch(pickle, &[])).unwrap();
    says(
        &refused(folder.path()),
        &[path.to_str().unwrap(), "refused: its pickle names posix.system (GLOBAL)", "state_dict"],
    );
}

#[test]
fn arrays_open_from_archives_and_folders() {
    let (model, tensors, folder) = model_and_rest();
    let file = |name: String, (_, shape, bytes): &Tensor| (name, array("<f2", shape, bytes));
    let dotted: Vec<_> = tensors.iter().map(|tensor| file(format!("{}.npy", tensor.0), tensor)).collect();
    let path = folder.path().join("w.npz");
    std::fs::write(&path, zip(&dotted)).unwrap();
    assert_same(&open(folder.path()).unwrap(), &model, Format::Numpy);
    assert_same(&model::open(&Source::Path(path.clone())).unwrap(), &model, Format::Numpy);
    std::fs::remove_file(&path).unwrap();

    // As the earlier system's extractor named them.
    for tensor in &tensors {
        let name = tensor.0.strip_prefix("encoder.").unwrap_or(&tensor.0).replace('.', "_");
        let (name, bytes) = file(format!("{name}_fp16.npy"), tensor);
        std::fs::write(folder.path().join(name), bytes).unwrap();
    }
    assert_same(&open(folder.path()).unwrap(), &model, Format::Numpy);
    let one = folder.path().join("conv1_bias_fp16.npy");
    says(&refused(&one), &["conv1_bias_fp16.npy", "one array of NumPy's; name the folder"]);
    std::fs::write(&one, "\u{93}NUMPY").unwrap();
    says(
        &refused(folder.path()),
        &["conv1_bias_fp16.npy: not a valid NumPy array: array encoder.conv1.bias: it does not begin"],
    );
    std::fs::remove_file(&one).unwrap();
    says(&refused(folder.path()), &["tensor encoder.conv1.bias of shape [8] is missing"]);
}

#[test]
fn whole_numbers_open_with_their_scales() {
    let (model, tensors, folder) = model_and_rest();
    let mut arrays = Vec::new();
    for (name, shape, bytes) in &tensors {
        let quantized: Vec<u8> = (0..bytes.len() / 2).map(|place| (place * 37 % 255) as u8).collect();
        let rows = if shape.len() == 2 { shape[0] } else { 1 };
        let scales: Vec<u8> = (1..=rows).flat_map(|row| (row as f32 / 8.0).to_le_bytes()).collect();
        arrays.push((format!("{name}.npy"), array("|i1", shape, &quantized)));
        arrays.push((format!("{name}_scale.npy"), array("<f4", &[rows], &scales)));
    }
    std::fs::write(folder.path().join("w.npz"), zip(&arrays)).unwrap();
    let found = open(folder.path()).unwrap();
    assert_eq!((found.format, found.dims), (Format::Numpy, model.dims));
    for (name, shape, bytes) in &tensors {
        let rows = if shape.len() == 2 { shape[0] } else { 1 };
        let width = bytes.len() / 2 / rows;
        let number = |place: usize| f32::from((place * 37 % 255) as u8 as i8) * (1 + place / width) as f32 / 8.0;
        let expected: Vec<f32> = (0..bytes.len() / 2).map(number).collect();
        assert_eq!(found.weights.tensor(name, shape).unwrap().to_f32(), expected, "{name}");
    }
    arrays.remove(1);
    std::fs::write(folder.path().join("w.npz"), zip(&arrays)).unwrap();
    says(&refused(folder.path()), &["it holds I8, but no scale of it is there"]);
    arrays.drain(..2);
    std::fs::write(folder.path().join("w.npz"), zip(&arrays)).unwrap();
    says(&refused(folder.path()), &["NumPy archive: there are scales of", "but not its numbers"]);
}

#[test]
fn archives_that_are_written_are_read() {
    let folder = written(&files());
    let model = open(folder.path()).unwrap();
    let container = Container::named("numpy").unwrap();
    let place = tempfile::tempdir().unwrap();
    let again = |kind| {
        let to = place.path().join(format!("{kind}"));
        let draft =
            write::draft(&model, &Order::new(container, kind), &to, false, &mut |_, _, _| ControlFlow::Continue(()));
        let to = draft.unwrap().publish().unwrap();
        let archive = std::fs::read(to.join("weights.npz")).unwrap();
        (open(&to).unwrap(), archive)
    };
    for kind in [Type::F32, Type::F16] {
        let (found, archive) = again(kind);
        assert_eq!((found.format, found.dims), (Format::Numpy, model.dims));
        assert_eq!(found.generation, model.generation);
        for tensor in model.weights.tensors() {
            assert_eq!(found.weights.tensor(tensor.name, tensor.shape).unwrap().to_f32(), tensor.to_f32());
        }
        // The numbers lie where vectors can be read.
        let headers = archive.windows(7).enumerate().filter(|(_, window)| window == b"\x93NUMPY\x01");
        assert!(headers.map(|(place, _)| place % 64).all(|place| place == 0));
    }
    let (found, _) = again(Type::Int8);
    for tensor in model.weights.tensors() {
        let same = found.weights.tensor(tensor.name, tensor.shape).unwrap();
        let largest = |numbers: &[f32]| numbers.iter().fold(0.0_f32, |largest, number| largest.max(number.abs()));
        for (found, wanted) in same.to_f32().chunks(8).zip(tensor.to_f32().chunks(8)) {
            let apart: Vec<f32> = found.iter().zip(wanted).map(|(found, wanted)| found - wanted).collect();
            assert!(largest(&apart) <= 0.51 / 127.0, "{}", tensor.name);
        }
    }
    assert!(found.weights.get("decoder.layers.0.fc1.weight").unwrap().encoding.to_string() == "I8");
}

#[test]
fn sizes_come_from_config_or_from_dims() {
    let (model, tensors, folder) = model_and_rest();
    let arrays: Vec<_> =
        tensors.iter().map(|(name, shape, bytes)| (format!("{name}.npy"), array("<f2", shape, bytes))).collect();
    std::fs::write(folder.path().join("w.npz"), zip(&arrays)).unwrap();
    std::fs::remove_file(folder.path().join("config.json")).unwrap();
    says(
        &refused(folder.path()),
        &[
            "w.npz: the model's sizes are not in it, and neither config.json nor dims.json lies beside it",
            "put config.json",
        ],
    );
    let dims = json!({
        "n_mels": 80, "n_audio_ctx": 6, "n_audio_state": 8, "n_audio_head": 2, "n_audio_layer": 1,
        "n_vocab": model.dims.vocabulary, "n_text_ctx": 8, "n_text_state": 8, "n_text_head": 2, "n_text_layer": 2,
    });
    std::fs::write(folder.path().join("dims.json"), dims.to_string()).unwrap();
    assert_same(&open(folder.path()).unwrap(), &model, Format::Numpy);

    let encoder: Vec<_> = arrays.into_iter().filter(|(name, _)| name.starts_with("encoder")).collect();
    std::fs::write(folder.path().join("w.npz"), zip(&encoder)).unwrap();
    says(&refused(folder.path()), &["only an encoder's arrays are in it", "names that begin with decoder_"]);
}

#[test]
fn what_is_in_a_file_says_what_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.pt");
    let mut tar = vec![0; 512];
    tar[257..262].copy_from_slice(b"ustar");
    for (bytes, expected) in [
        (tar, "it is a tar archive, as PyTorch wrote them before 2017"),
        (b"\x80\x04N.".to_vec(), "it is a pickle that PyTorch did not write"),
        (zip(&[("x.txt".to_owned(), vec![])]), "neither PyTorch's (with a data.pkl) nor NumPy's (of .npy files)"),
        (zip(&[("../data.pkl".to_owned(), vec![])]), "\"../data.pkl\" leads out of the archive"),
        (b"PK\x03\x04 and no more than this".to_vec(), "it is a zip archive, but not a valid one"),
    ] {
        std::fs::write(&path, bytes).unwrap();
        says(&refused(&path), &["model.pt: ", expected]);
    }
    std::fs::write(&path, zip(&[("m/data.pkl".to_owned(), vec![])])).unwrap();
    std::fs::write(folder.path().join("other.npz"), zip(&[("a.npy".to_owned(), vec![])])).unwrap();
    says(&refused(folder.path()), &["several files of weights in it, model.pt and other.npz for two", "name the one"]);
    std::fs::remove_file(&path).unwrap();
    std::fs::write(folder.path().join("a.npy"), array("<f4", &[], &[0; 4])).unwrap();
    says(&refused(folder.path()), &["several files of weights in it, other.npz and arrays of NumPy for two"]);
}
