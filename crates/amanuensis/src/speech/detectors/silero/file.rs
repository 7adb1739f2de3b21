//! The weights of Silero's network, in whisper.cpp's file or its own.
//!
//! ```text
//! ggml         "lmgg" | type | version x 3 | the network's sizes | for each tensor: axes, bytes of the name, kind,
//!              the axes from the innermost, name, numbers
//! safetensors  u64 length | {"name": {"dtype", "shape", "data_offsets"}} | numbers
//! ```
//!
//! All tensors and all sizes are known, so whatever is not as it must be is refused.

use std::collections::{BTreeMap, HashMap};

use serde::Deserialize;

/// What a tensor is called in either file, and its shape, the outermost axis first.
type Known = (&'static str, &'static str, &'static [usize]);

/// All tensors of the network.
const TENSORS: [Known; 15] = [
    ("_model.stft.forward_basis_buffer", "stft_conv.weight", &[258, 1, 256]),
    ("_model.encoder.0.reparam_conv.weight", "conv1.weight", &[128, 129, 3]),
    ("_model.encoder.0.reparam_conv.bias", "conv1.bias", &[128]),
    ("_model.encoder.1.reparam_conv.weight", "conv2.weight", &[64, 128, 3]),
    ("_model.encoder.1.reparam_conv.bias", "conv2.bias", &[64]),
    ("_model.encoder.2.reparam_conv.weight", "conv3.weight", &[64, 64, 3]),
    ("_model.encoder.2.reparam_conv.bias", "conv3.bias", &[64]),
    ("_model.encoder.3.reparam_conv.weight", "conv4.weight", &[128, 64, 3]),
    ("_model.encoder.3.reparam_conv.bias", "conv4.bias", &[128]),
    ("_model.decoder.rnn.weight_ih", "lstm_cell.weight_ih", &[512, 128]),
    ("_model.decoder.rnn.weight_hh", "lstm_cell.weight_hh", &[512, 128]),
    ("_model.decoder.rnn.bias_ih", "lstm_cell.bias_ih", &[512]),
    ("_model.decoder.rnn.bias_hh", "lstm_cell.bias_hh", &[512]),
    ("_model.decoder.decoder.2.weight", "final_conv.weight", &[1, 128, 1]),
    ("_model.decoder.decoder.2.bias", "final_conv.bias", &[1]),
];

/// The numbers of every tensor, by the names of Silero's own file.
pub(super) type Weights = HashMap<&'static str, Vec<f32>>;

/// The first four bytes of a ggml file, as a number.
const GGML: u32 = 0x6767_6d6c;
/// What whisper.cpp's converter writes of the network: samples of a frame and before it, convolutions with channels in,
/// channels out and taps of each, numbers into the LSTM and out of it, and the same of the last layer.
const SIZES: [u32; 19] = [512, 64, 4, 129, 128, 3, 128, 64, 3, 64, 64, 3, 64, 128, 3, 128, 128, 128, 1];
/// The longest name of a tensor is 36 bytes.
const LONGEST_NAME: usize = 64;

/// Reads either file.
pub(super) fn read(bytes: &[u8]) -> Result<Weights, String> {
    let is_ggml = bytes.starts_with(&GGML.to_le_bytes());
    let mut tensors = if is_ggml { read_ggml(bytes)? } else { read_safetensors(bytes)? };
    let mut weights = Weights::new();
    for (ggml, own, shape) in TENSORS {
        let name = if is_ggml { ggml } else { own };
        let Some(tensor) = tensors.remove(name) else {
            return Err(format!("tensor {name} is not in it; it is of another model, or of a version before 5"));
        };
        // The converter drops axes of one.
        let significant = |shape: &[usize]| shape.iter().copied().filter(|&axis| axis != 1).collect::<Vec<_>>();
        if significant(&tensor.shape) != significant(shape) {
            return Err(format!("tensor {name} has the shape {:?} and must have {shape:?}", tensor.shape));
        }
        let numbers = tensor.kind.numbers(tensor.bytes);
        if let Some(place) = numbers.iter().position(|number| !number.is_finite()) {
            return Err(format!("tensor {name} has {} at place {place}: the file is damaged", numbers[place]));
        }
        weights.insert(own, numbers);
    }
    match tensors.keys().next() {
        Some(name) => Err(format!("tensor {name:?} has no place in Silero's network for 16 kHz")),
        None => Ok(weights),
    }
}

/// How numbers are stored.
#[derive(Clone, Copy, Deserialize)]
enum Kind {
    F32,
    F16,
}

impl Kind {
    fn size(self) -> usize {
        match self {
            Kind::F32 => 4,
            Kind::F16 => 2,
        }
    }

    fn numbers(self, bytes: &[u8]) -> Vec<f32> {
        match self {
            Kind::F32 => bytes.as_chunks().0.iter().map(|four| f32::from_le_bytes(*four)).collect(),
            Kind::F16 => bytes.as_chunks().0.iter().map(|two| half::f16::from_le_bytes(*two).to_f32()).collect(),
        }
    }
}

/// A tensor as a file has it.
struct Stored<'a> {
    kind: Kind,
    shape: Vec<usize>,
    /// As many as the shape needs.
    bytes: &'a [u8],
}

/// Bytes of a tensor, if a file of this size could hold it.
fn size(shape: &[usize], kind: Kind, most: usize) -> Option<usize> {
    let size = shape.iter().try_fold(kind.size(), |size, &axis| size.checked_mul(axis))?;
    (size <= most).then_some(size)
}

/// What is left of a file.
struct Rest<'a> {
    bytes: &'a [u8],
    length: usize,
}

impl<'a> Rest<'a> {
    fn take(&mut self, count: usize, what: &str) -> Result<&'a [u8], String> {
        let place = self.length - self.bytes.len();
        let (taken, rest) = self
            .bytes
            .split_at_checked(count)
            .ok_or_else(|| format!("it ends at byte {}, in the {what} that begins at {place}", self.length))?;
        self.bytes = rest;
        Ok(taken)
    }

    fn number(&mut self, what: &str) -> Result<u32, String> {
        let bytes = self.take(4, what)?;
        Ok(bytes.iter().rev().fold(0, |number, &byte| number << 8 | u32::from(byte)))
    }
}

fn read_ggml(bytes: &[u8]) -> Result<BTreeMap<String, Stored<'_>>, String> {
    let mut rest = Rest { bytes, length: bytes.len() };
    rest.number("mark")?;
    let length = rest.number("length of its type")? as usize;
    let kind = if length <= LONGEST_NAME { rest.take(length, "type")? } else { b"" };
    if kind != b"silero-16k" {
        return Err(
            "a ggml file, but not of Silero's voice activity detector (whisper.cpp's ggml-silero-v6.2.0.bin)".into()
        );
    }
    for part in ["first", "second", "third"] {
        rest.number(&format!("{part} part of the version"))?;
    }
    for (place, expected) in SIZES.into_iter().enumerate() {
        let found = rest.number("sizes of the network")?;
        if found != expected {
            return Err(format!("size {place} of its network is {found} and must be {expected}"));
        }
    }
    let mut tensors = BTreeMap::new();
    while !rest.bytes.is_empty() {
        let axes = rest.number("head of a tensor")? as usize;
        let name_length = rest.number("head of a tensor")? as usize;
        let kind = match rest.number("head of a tensor")? {
            0 => Kind::F32,
            1 => Kind::F16,
            other => return Err(format!("a tensor has numbers of kind {other}; only 0 (f32) and 1 (f16) are known")),
        };
        if axes > 3 || name_length > LONGEST_NAME {
            return Err(format!("a tensor claims {axes} axes and a name of {name_length} bytes: the file is damaged"));
        }
        let mut shape = Vec::with_capacity(axes);
        for _ in 0..axes {
            shape.insert(0, rest.number("shape of a tensor")? as usize);
        }
        let name = String::from_utf8_lossy(rest.take(name_length, "name of a tensor")?).into_owned();
        let Some(size) = size(&shape, kind, rest.bytes.len()) else {
            return Err(format!("tensor {name:?} of the shape {shape:?} does not fit into the file: it is cut off"));
        };
        let stored = Stored { kind, shape, bytes: rest.take(size, "numbers of a tensor")? };
        if tensors.insert(name.clone(), stored).is_some() {
            return Err(format!("tensor {name:?} stands in it twice"));
        }
    }
    Ok(tensors)
}

/// What a safetensors header says of a tensor.
#[derive(Deserialize)]
struct Entry {
    dtype: Kind,
    shape: Vec<usize>,
    data_offsets: (usize, usize),
}

fn read_safetensors(bytes: &[u8]) -> Result<BTreeMap<String, Stored<'_>>, String> {
    let foreign = || "neither a ggml file nor a safetensors file".to_owned();
    let (length, rest) = bytes.split_first_chunk::<8>().ok_or_else(foreign)?;
    let length = usize::try_from(u64::from_le_bytes(*length)).map_err(|_| foreign())?;
    let (header, numbers) = rest.split_at_checked(length).ok_or_else(foreign)?;
    if header.first() != Some(&b'{') {
        return Err(foreign());
    }
    let mut header: BTreeMap<String, serde_json::Value> =
        serde_json::from_slice(header).map_err(|error| format!("its header: {error}"))?;
    header.remove("__metadata__");
    let mut tensors = BTreeMap::new();
    let mut covered = 0;
    for (name, entry) in header {
        let Entry { dtype, shape, data_offsets: (start, end) } =
            serde_json::from_value(entry).map_err(|error| format!("tensor {name:?}: {error}"))?;
        let bytes = numbers.get(start..end);
        let Some(bytes) = bytes.filter(|bytes| size(&shape, dtype, numbers.len()) == Some(bytes.len())) else {
            return Err(format!("tensor {name:?} of the shape {shape:?} does not fit into bytes {start} to {end}"));
        };
        covered += bytes.len();
        tensors.insert(name, Stored { kind: dtype, shape, bytes });
    }
    if covered != numbers.len() {
        return Err(format!("its tensors have {covered} bytes and {} follow its header", numbers.len()));
    }
    Ok(tensors)
}
