//! Small files made byte by byte, whole and broken.

use proptest::prelude::*;

use super::container::{self, Container, begins_like_one, id_of};
use super::tensors::{self, Found};
use crate::model::{Dims, Dtype, Encoding};

/// A file in the making.
#[derive(Clone)]
struct File {
    version: u32,
    spec: &'static str,
    variables: Vec<(String, Vec<u32>, Dtype, Vec<u8>)>,
    aliases: Vec<(String, String)>,
}

impl File {
    fn bytes(&self) -> Vec<u8> {
        let string = |text: &str| [&(text.len() as u16 + 1).to_le_bytes()[..], text.as_bytes(), &[0]].concat();
        let mut bytes = self.version.to_le_bytes().to_vec();
        bytes.extend(string(self.spec));
        bytes.extend(3_u32.to_le_bytes());
        bytes.extend((self.variables.len() as u32).to_le_bytes());
        for (name, shape, dtype, numbers) in &self.variables {
            bytes.extend(string(name));
            bytes.push(shape.len() as u8);
            shape.iter().for_each(|axis| bytes.extend(axis.to_le_bytes()));
            let (kind, size) = match self.version {
                4.. => (id_of(*dtype).unwrap(), numbers.len()),
                _ => (dtype.size() as u8, numbers.len() / dtype.size()),
            };
            bytes.push(kind);
            bytes.extend((size as u32).to_le_bytes());
            bytes.extend(numbers);
        }
        if self.version >= 3 {
            bytes.extend((self.aliases.len() as u32).to_le_bytes());
            for (alias, name) in &self.aliases {
                bytes.extend([string(alias), string(name)].concat());
            }
        }
        bytes
    }

    fn put(&mut self, name: &str, shape: &[usize], dtype: Dtype, numbers: Vec<u8>) {
        self.variables.retain(|(known, ..)| known != name);
        let shape = shape.iter().map(|axis| *axis as u32).collect();
        self.variables.push((name.to_owned(), shape, dtype, numbers));
    }

    fn read(&self) -> Result<Container, String> {
        container::read("model.bin", &self.bytes()).map_err(|error| error.to_string())
    }

    fn tensors(&self) -> Result<Found, String> {
        tensors::read("model.bin", &self.bytes()).map_err(|error| error.to_string())
    }
}

fn small() -> File {
    let mut file = File { version: 6, spec: container::SPEC, variables: Vec::new(), aliases: Vec::new() };
    file.put("a", &[2, 3], Dtype::F16, (0..12).collect());
    file.put("b/c", &[], Dtype::I16, vec![3, 0]);
    file.put("d", &[0, 7], Dtype::F32, Vec::new());
    file.aliases = vec![("e".into(), "a".into()), ("f".into(), "e".into())];
    file
}

const DIMS: Dims = Dims {
    mel_bins: 3,
    audio_context: 4,
    audio_width: 4,
    audio_heads: 2,
    audio_layers: 1,
    audio_feed_forward: 6,
    text_context: 5,
    text_width: 4,
    text_heads: 1,
    text_layers: 2,
    text_feed_forward: 8,
    vocabulary: 9,
};

/// The number at a place of a variable: another for every variable and place.
fn number(variable: usize, place: usize) -> f32 {
    variable as f32 + place as f32 / 1024.0
}

/// The variables of a model of these sizes as a converter writes them.
fn whole(dims: &Dims) -> File {
    let mut file = File { version: 6, spec: container::SPEC, variables: Vec::new(), aliases: Vec::new() };
    let mut put = |name: String, shape: &[usize]| {
        let variable = file.variables.len();
        let numbers = (0..shape.iter().product()).flat_map(|place| number(variable, place).to_le_bytes()).collect();
        file.put(&name, shape, Dtype::F32, numbers);
    };
    let width = dims.audio_width;
    let normal = |put: &mut dyn FnMut(String, &[usize]), name: &str| {
        put(format!("{name}/gamma"), &[width]);
        put(format!("{name}/beta"), &[width]);
    };
    let linear = |put: &mut dyn FnMut(String, &[usize]), name: &str, outputs: usize, inputs: usize| {
        put(format!("{name}/weight"), &[outputs, inputs]);
        put(format!("{name}/bias"), &[outputs]);
    };
    put("encoder/conv1/weight".into(), &[width, dims.mel_bins, 3]);
    put("encoder/conv1/bias".into(), &[width]);
    put("encoder/conv2/weight".into(), &[width, width, 3]);
    put("encoder/conv2/bias".into(), &[width]);
    put("encoder/position_encodings/encodings".into(), &[dims.audio_context, width]);
    put("decoder/position_encodings/encodings".into(), &[dims.text_context, width]);
    put("decoder/embeddings/weight".into(), &[dims.vocabulary, width]);
    for (stack, layers, inner, crossed) in [
        ("encoder", dims.audio_layers, dims.audio_feed_forward, false),
        ("decoder", dims.text_layers, dims.text_feed_forward, true),
    ] {
        normal(&mut put, &format!("{stack}/layer_norm"));
        for layer in 0..layers {
            let layer = format!("{stack}/layer_{layer}");
            normal(&mut put, &format!("{layer}/self_attention/layer_norm"));
            linear(&mut put, &format!("{layer}/self_attention/linear_0"), 3 * width, width);
            linear(&mut put, &format!("{layer}/self_attention/linear_1"), width, width);
            if crossed {
                normal(&mut put, &format!("{layer}/attention/layer_norm"));
                linear(&mut put, &format!("{layer}/attention/linear_0"), width, width);
                linear(&mut put, &format!("{layer}/attention/linear_1"), 2 * width, width);
                linear(&mut put, &format!("{layer}/attention/linear_2"), width, width);
            }
            normal(&mut put, &format!("{layer}/ffn/layer_norm"));
            linear(&mut put, &format!("{layer}/ffn/linear_0"), inner, width);
            linear(&mut put, &format!("{layer}/ffn/linear_1"), width, inner);
        }
    }
    for (stack, heads) in [("encoder", dims.audio_heads), ("decoder", dims.text_heads)] {
        file.put(&format!("{stack}/num_heads"), &[], Dtype::I16, (heads as u16).to_le_bytes().to_vec());
    }
    file.aliases.push(("decoder/projection/weight".into(), "decoder/embeddings/weight".into()));
    file
}

#[test]
fn names_places_and_aliases_are_read() {
    for version in [6, 5, 4, 3] {
        let mut file = small();
        file.version = version;
        if version < 4 {
            file.variables.remove(0);
            file.put("a", &[2, 3], Dtype::I16, (0..12).collect());
        }
        let (container, bytes) = (file.read().unwrap(), file.bytes());
        for name in ["a", "e", "f"] {
            let (own, variable) = container.find(name).unwrap();
            assert_eq!((own, &variable.shape[..]), ("a", &[2, 3][..]));
            assert_eq!(bytes[variable.range.clone()], (0..12).collect::<Vec<u8>>());
        }
        assert!(container.find("g").is_none() && container.variables["d"].range.is_empty());
    }
    let start = small().bytes();
    assert!(begins_like_one(&start[..20]) && !begins_like_one(&start[..16]) && !begins_like_one(b"hello world, hello"));
    assert!(!begins_like_one(&[6, 0, 0, 0, 0, 0, 0]));
}

#[test]
fn hostile_containers_are_refused() {
    let refused = |change: &dyn Fn(&mut File)| {
        let mut file = small();
        change(&mut file);
        let error = file.read().unwrap_err();
        assert!(error.starts_with("model.bin: not a valid CTranslate2 model: "), "{error}");
        error
    };
    let spoilt = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = small().bytes();
        change(&mut bytes);
        container::read("model.bin", &bytes).unwrap_err().to_string()
    };
    let count = 4 + 14 + 4;
    let cases = [
        (refused(&|file| file.version = 7), "its binary version is 7, and those from 2 to 6 are read"),
        (refused(&|file| file.spec = "TransformerSpec"), "it is a \"TransformerSpec\", not a WhisperSpec"),
        (refused(&|file| file.aliases[0].1 = "f".into()), "the alias e leads to no variable"),
        (refused(&|file| file.aliases[0].1 = "e".into()), "the alias e leads to no variable"),
        (refused(&|file| file.aliases[0].1 = "z".into()), "the alias e leads to no variable"),
        (refused(&|file| file.aliases[0].0 = "a".into()), "the alias a is the name of another variable"),
        (refused(&|file| file.aliases[0].0 = "f".into()), "the alias f is the name of another variable"),
        (refused(&|file| file.variables[1].0 = "a".into()), "the variable a stands twice"),
        (refused(&|file| file.variables[0].1 = vec![2, 4]), "its shape [2, 4] of F16 does not fill its 12 bytes"),
        (refused(&|file| file.variables[0].1 = vec![u32::MAX; 3]), "does not fill its 12 bytes"),
        (refused(&|file| file.variables[0].1 = vec![1; 9]), "9 axes, more than the limit of 8"),
        (spoilt(&|bytes| bytes[count..count + 4].fill(0xff)), "it claims 4294967295 variables, for which its last "),
        (spoilt(&|bytes| bytes[count + 4 + 2] = 0xff), "the name of variable 0 of 3 is not a text"),
        (spoilt(&|bytes| bytes[count + 4 + 3] = b'!'), "the name of variable 0 of 3 is not a text"),
        (spoilt(&|bytes| bytes[count + 4 + 13] = 9), "variable a: unknown kind of numbers 9"),
        (spoilt(&|bytes| bytes.push(0)), "1 bytes at its end belong to nothing"),
    ];
    for (message, expected) in cases {
        assert!(message.contains(expected), "{message:?} should say {expected:?}");
    }
    let bytes = small().bytes();
    for end in 0..bytes.len() {
        let error = container::read("model.bin", &bytes[..end]).unwrap_err().to_string();
        assert!(error.contains("it is truncated") || error.contains("are too few"), "{end}: {error}");
    }
}

#[test]
fn long_chains_of_aliases_are_followed_once() {
    let mut file = small();
    file.aliases = (0..20_000).map(|number| (format!("{number}"), format!("{}", number + 1))).collect();
    assert!(file.read().unwrap_err().contains("leads to no variable"));
    file.aliases.push(("20000".into(), "a".into()));
    assert_eq!(file.read().unwrap().find("0").unwrap().0, "a");
}

#[test]
fn tensors_are_cut_out_of_joined_matrices() {
    let file = whole(&DIMS);
    let (bytes, Found { dims, tensors, warnings }) = (file.bytes(), file.tensors().unwrap());
    assert_eq!(dims, DIMS);
    assert!(warnings[0].contains("encoder.layers.0.self_attn.k_proj.bias is not zero"), "{warnings:?}");
    let numbers = |name: &str| {
        let (_, entry) = tensors.iter().find(|(known, _)| known == name).unwrap();
        assert_eq!(entry.encoding, Encoding::Plain(Dtype::F32));
        let numbers = bytes[entry.range.clone()].as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes));
        (entry.shape.clone(), numbers.collect::<Vec<f32>>())
    };
    for (name, shape) in dims.tensors() {
        assert_eq!(numbers(&name).0, shape, "{name}");
    }
    assert_eq!(tensors.len(), dims.tensors().len());
    let variable = |name: &str| file.variables.iter().position(|(known, ..)| known == name).unwrap();
    let expected = |name: &str, places: std::ops::Range<usize>| {
        let variable = variable(name);
        places.map(|place| number(variable, place)).collect::<Vec<f32>>()
    };
    let joined = "decoder/layer_1/attention/linear_1";
    assert_eq!(numbers("decoder.layers.1.encoder_attn.v_proj.weight").1, expected(&format!("{joined}/weight"), 16..32));
    assert_eq!(numbers("decoder.layers.1.encoder_attn.v_proj.bias").1, expected(&format!("{joined}/bias"), 4..8));
    let joined = "encoder/layer_0/self_attention/linear_0/weight";
    assert_eq!(numbers("encoder.layers.0.self_attn.k_proj.weight").1, expected(joined, 16..32));
}

#[test]
fn bytes_are_divided_by_the_scales_of_their_rows() {
    let mut file = whole(&DIMS);
    let name = "encoder/layer_0/self_attention/linear_0/weight";
    let scales: Vec<u8> = (1..=12).flat_map(|row| (row as f32).to_le_bytes()).collect();
    file.put(name, &[12, 4], Dtype::I8, (0..48).map(|byte| (byte as i8 - 24) as u8).collect());
    file.put(&format!("{name}_scale"), &[12], Dtype::F32, scales);
    file.put("encoder/layer_0/ffn/linear_0/weight", &[6, 4], Dtype::I8, vec![8; 24]);
    file.put("encoder/layer_0/ffn/linear_0/weight_scale", &[], Dtype::F32, 4_f32.to_le_bytes().to_vec());
    let (bytes, found) = (file.bytes(), file.tensors().unwrap());
    let numbers = |name: &str| {
        let (_, entry) = found.tensors.iter().find(|(known, _)| known == name).unwrap();
        let count = entry.shape.iter().product();
        assert_eq!(entry.encoding.bytes(count), Some(entry.range.len()));
        amanuensis_kernels::Stored::coded(&entry.encoding, count, &bytes[entry.range.clone()]).to_vec()
    };
    let values = numbers("encoder.layers.0.self_attn.v_proj.weight");
    let expected: Vec<f32> = (32..48).map(|byte| (byte - 24) as f32 * (1.0 / (byte / 4 + 1) as f32)).collect();
    assert_eq!(values, expected);
    assert_eq!(numbers("encoder.layers.0.fc1.weight"), [2.0; 24]);
    // Scales are no tensors of their own.
    assert_eq!(found.tensors.len(), found.dims.tensors().len());
}

#[test]
fn what_does_not_fit_a_model_is_named() {
    let refused = |change: &dyn Fn(&mut File)| {
        let mut file = whole(&DIMS);
        change(&mut file);
        file.tensors().err().unwrap()
    };
    let joined = "encoder/layer_0/self_attention/linear_0/weight";
    let coded = |file: &mut File, scales: &[f32]| {
        file.put(joined, &[12, 4], Dtype::I8, vec![1; 48]);
        let bytes = scales.iter().flat_map(|scale| scale.to_le_bytes()).collect();
        file.put(&format!("{joined}_scale"), &[scales.len()], Dtype::F32, bytes);
    };
    let cases = [
        (
            refused(&|file| file.variables.retain(|(name, ..)| name != "encoder/conv1/weight")),
            "variable encoder/conv1/weight: it is not there",
        ),
        (
            refused(&|file| file.put("decoder/embeddings/weight", &[9], Dtype::F32, vec![0; 36])),
            "variable decoder/embeddings/weight: its shape is [9], too few axes",
        ),
        (
            refused(&|file| file.put("decoder/embeddings/weight", &[9, 5], Dtype::F32, vec![0; 180])),
            "the second axis of decoder/embeddings/weight is 5, expected 4",
        ),
        (
            refused(&|file| file.put("encoder/num_heads", &[], Dtype::I16, vec![3, 0])),
            "encoder/num_heads is 3, expected a divisor of the first axis of encoder/conv1/weight, 4",
        ),
        (
            refused(&|file| file.put("encoder/num_heads", &[], Dtype::I16, vec![255, 255])),
            "variable encoder/num_heads: it is -1",
        ),
        (
            refused(&|file| file.put("encoder/num_heads", &[2], Dtype::I16, vec![0; 4])),
            "variable encoder/num_heads: it is not one whole number",
        ),
        (
            refused(&|file| file.variables.retain(|(name, ..)| !name.starts_with("decoder/layer_0/self"))),
            "the number of decoder/layer_N is 0, expected 1 to 256",
        ),
        (
            refused(&|file| file.put(joined, &[11, 4], Dtype::F32, vec![0; 176])),
            "variable encoder/layer_0/self_attention/linear_0/weight: its shape [11, 4] cannot be cut into 3 parts",
        ),
        (
            refused(&|file| file.put(joined, &[12, 4], Dtype::I8, vec![0; 48])),
            "its numbers are bytes, but there is no encoder/layer_0/self_attention/linear_0/weight_scale",
        ),
        (refused(&|file| coded(file, &[1.0; 11])), "has the shape [11], too few for its rows"),
        (refused(&|file| coded(file, &[0.0; 12])), "weight_scale of row 0 is nothing to divide by"),
        (refused(&|file| coded(file, &[f32::NAN; 12])), "weight_scale of row 0 is nothing to divide by"),
        (refused(&|file| coded(file, &[f32::INFINITY; 12])), "weight_scale of row 0 is nothing to divide by"),
    ];
    for (message, expected) in cases {
        assert!(message.contains(expected), "{message:?} should say {expected:?}");
    }
}

proptest! {
    #[test]
    fn damage_is_refused_or_harmless(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        numbers in any::<bool>(),
    ) {
        let mut file = if numbers { whole(&DIMS) } else { small() };
        file.aliases.push(("more".into(), file.variables[0].0.clone()));
        let mut bytes = file.bytes();
        // Half of the changes where they hurt.
        let end = if numbers { bytes.len() } else { bytes.len() / 2 };
        for (place, byte) in changes {
            bytes[place.index(end)] = byte;
        }
        if let Ok(found) = tensors::read("m", &bytes) {
            for (_, entry) in found.tensors {
                prop_assert!(bytes.get(entry.range.clone()).is_some());
                if let Some(size) = entry.encoding.bytes(entry.shape.iter().product()) {
                    prop_assert_eq!(entry.range.len(), size);
                }
            }
        }
    }
}
