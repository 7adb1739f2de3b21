//! Models of published shapes with random weights, as folders that this program and transformers read. What they say is nothing;
//! what they cost is what the published ones cost.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::path::Path;

use amanuensis::model::Dims;
use anyhow::{Context, Result};
use half::f16;
use serde_json::{Map, Value, json};

use super::shapes::TEXT_TOKENS;

/// The deviation of embeddings: that of transformers' own initialisation, with which logits stay small.
const EMBEDDED: f64 = 0.02;
/// How many numbers weights are drawn from. Sixteen random bits name one, so that a model of three gigabytes is made in seconds.
const DRAWN_FROM: usize = 1 << 16;
/// Numbers that are written at a time.
const AT_ONCE: usize = 1 << 18;
/// `<|endoftext|>` and `<|startoftranscript|>`, behind the text.
const END: usize = TEXT_TOKENS;
const START: usize = TEXT_TOKENS + 1;

/// Writes a model; a folder that is there is written over.
pub(super) fn write(folder: &Path, dims: &Dims, seed: u64) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let put = |name: &str, bytes: &[u8]| {
        let path = folder.join(name);
        fs::write(&path, bytes).with_context(|| format!("cannot write {}", path.display()))
    };
    put("config.json", config(dims).to_string().as_bytes())?;
    put("generation_config.json", generation(dims).to_string().as_bytes())?;
    put("preprocessor_config.json", preprocessor(dims).to_string().as_bytes())?;
    put("multilingual.tiktoken", vocabulary().as_bytes())?;
    let path = folder.join("model.safetensors");
    weights(&path, dims, seed).with_context(|| format!("cannot write {}", path.display()))
}

fn config(dims: &Dims) -> Value {
    json!({
        "architectures": ["WhisperForConditionalGeneration"],
        "model_type": "whisper",
        "is_encoder_decoder": true,
        "activation_function": "gelu",
        "scale_embedding": false,
        "tie_word_embeddings": true,
        "torch_dtype": "float16",
        "num_mel_bins": dims.mel_bins,
        "max_source_positions": dims.audio_context,
        "max_target_positions": dims.text_context,
        "d_model": dims.audio_width,
        "encoder_layers": dims.audio_layers,
        "encoder_attention_heads": dims.audio_heads,
        "encoder_ffn_dim": dims.audio_feed_forward,
        "decoder_layers": dims.text_layers,
        "decoder_attention_heads": dims.text_heads,
        "decoder_ffn_dim": dims.text_feed_forward,
        "num_hidden_layers": dims.audio_layers,
        "vocab_size": dims.vocabulary,
        "bos_token_id": END,
        "eos_token_id": END,
        "pad_token_id": END,
        "decoder_start_token_id": START,
        "suppress_tokens": [],
        "begin_suppress_tokens": [220, END],
    })
}

fn generation(dims: &Dims) -> Value {
    let later = dims.text_layers / 2..dims.text_layers;
    let heads: Vec<[usize; 2]> = later.flat_map(|layer| (0..dims.text_heads).map(move |head| [layer, head])).collect();
    json!({
        "alignment_heads": heads,
        "is_multilingual": true,
        "bos_token_id": END,
        "eos_token_id": END,
        "pad_token_id": END,
        "decoder_start_token_id": START,
        "suppress_tokens": [],
        "begin_suppress_tokens": [220, END],
        "max_length": dims.text_context,
    })
}

fn preprocessor(dims: &Dims) -> Value {
    json!({
        "feature_extractor_type": "WhisperFeatureExtractor",
        "feature_size": dims.mel_bins,
        "sampling_rate": 16_000,
        "hop_length": 160,
        "n_fft": 400,
        "chunk_length": 30,
        "n_samples": 480_000,
        "nb_max_frames": 3000,
        "padding_side": "right",
        "padding_value": 0.0,
        "return_attention_mask": false,
    })
}

/// A vocabulary of the published size: every byte, and behind them pairs of bytes. The special tokens follow from the number of
/// rows, as in openai/whisper's own file.
fn vocabulary() -> String {
    let bytes = (0..=u8::MAX).map(|byte| vec![byte]);
    let pairs = (0..=u16::MAX).map(|pair| pair.to_be_bytes().to_vec());
    let tokens = bytes.chain(pairs).take(TEXT_TOKENS).enumerate();
    tokens.map(|(id, token)| format!("{} {id}\n", base64(&token))).collect()
}

/// One or two bytes in base 64.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bits = bytes.iter().enumerate().fold(0_u32, |bits, (place, byte)| bits | u32::from(*byte) << (16 - 8 * place));
    let sixes = (0..=bytes.len()).map(|place| ALPHABET[(bits >> (18 - 6 * place)) as usize & 63] as char);
    sixes.chain(std::iter::repeat_n('=', 3 - bytes.len())).collect()
}

/// Writes all weights in f16, in the order of the computation, one behind the other.
fn weights(path: &Path, dims: &Dims, seed: u64) -> Result<()> {
    let tensors = dims.tensors();
    let mut header = Map::from_iter([("__metadata__".to_owned(), json!({ "format": "pt" }))]);
    let mut end = 0;
    for (name, shape) in &tensors {
        let begin = end;
        end += shape.iter().product::<usize>() * size_of::<f16>();
        header.insert(format!("model.{name}"), json!({ "dtype": "F16", "shape": shape, "data_offsets": [begin, end] }));
    }
    let mut header = Value::Object(header).to_string();
    // The numbers begin at a multiple of eight.
    header.extend(std::iter::repeat_n(' ', header.len().next_multiple_of(8) - header.len()));
    let mut file = BufWriter::with_capacity(1 << 20, File::create(path)?);
    file.write_all(&(header.len() as u64).to_le_bytes())?;
    file.write_all(header.as_bytes())?;
    let mut normal = Normal::new(seed);
    for (name, shape) in &tensors {
        let count = shape.iter().product();
        match Kind::of(name, shape) {
            Kind::Drawn(deviation) => normal.write(count, deviation, &mut file)?,
            Kind::Same(value) => file.write_all(&value.to_le_bytes().repeat(count))?,
            Kind::Sinusoids => {
                let values = sinusoids(dims.audio_context, dims.audio_width);
                values.iter().try_for_each(|value| file.write_all(&value.to_le_bytes()))?;
            }
        }
    }
    file.flush()?;
    Ok(())
}

/// What a tensor holds before anything is learnt.
enum Kind {
    Drawn(f64),
    Same(f16),
    Sinusoids,
}

impl Kind {
    /// Matrices neither enlarge nor shrink what they are given, so that what is heard and said moves what is said next: with smaller
    /// ones every token would be followed by itself.
    fn of(name: &str, shape: &[usize]) -> Kind {
        match name {
            "encoder.embed_positions.weight" => Kind::Sinusoids,
            _ if name.ends_with(".bias") => Kind::Same(f16::ZERO),
            _ if name.ends_with("layer_norm.weight") => Kind::Same(f16::ONE),
            _ if name.contains("embed_") => Kind::Drawn(EMBEDDED),
            _ => Kind::Drawn((shape[1..].iter().product::<usize>() as f64).powf(-0.5)),
        }
    }
}

/// Where the encoder is, in sines and cosines of wavelengths from 2 pi to 20,000 pi.
fn sinusoids(positions: usize, width: usize) -> Vec<f16> {
    let half = width / 2;
    let step = 10_000_f64.ln() / (half as f64 - 1.0).max(1.0);
    let angle = |position: usize, place: usize| position as f64 * (-step * place as f64).exp();
    let row = |position: usize| {
        let sines = (0..half).map(move |place| angle(position, place).sin());
        sines.chain((0..half).map(move |place| angle(position, place).cos()))
    };
    (0..positions).flat_map(row).map(f16::from_f64).collect()
}

/// Normal numbers, the same for the same seed.
struct Normal {
    state: u64,
    /// With a deviation of one.
    numbers: Vec<f64>,
    /// The same with the deviations that were asked for, by the bits of these.
    scaled: BTreeMap<u64, Vec<[u8; 2]>>,
}

impl Normal {
    fn new(seed: u64) -> Normal {
        let state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut normal = Normal { state, numbers: Vec::new(), scaled: BTreeMap::new() };
        let mut uniform = || (normal.next() >> 11) as f64 / (1_u64 << 53) as f64;
        // Two normal numbers of two uniform ones, by Box and Muller.
        let pairs = (0..DRAWN_FROM / 2).map(|_| {
            let (radius, angle) = ((-2.0 * (1.0 - uniform()).ln()).sqrt(), std::f64::consts::TAU * uniform());
            [radius * angle.cos(), radius * angle.sin()]
        });
        normal.numbers = pairs.flatten().collect();
        normal
    }

    /// Xorshift, multiplied.
    fn next(&mut self) -> u64 {
        self.state ^= self.state >> 12;
        self.state ^= self.state << 25;
        self.state ^= self.state >> 27;
        self.state.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn write(&mut self, count: usize, deviation: f64, file: &mut BufWriter<File>) -> Result<()> {
        let numbers = &self.numbers;
        let scaled = || numbers.iter().map(|number| f16::from_f64(deviation * number).to_le_bytes()).collect();
        let scaled: Vec<[u8; 2]> = self.scaled.entry(deviation.to_bits()).or_insert_with(scaled).clone();
        let mut bytes = Vec::with_capacity(AT_ONCE.min(count) * 2 + 8);
        let mut left = count;
        while left > 0 {
            let these = left.min(AT_ONCE);
            bytes.clear();
            while bytes.len() < 2 * these {
                let random = self.next();
                for part in 0..4 {
                    bytes.extend(scaled[(random >> (16 * part)) as usize % DRAWN_FROM]);
                }
            }
            file.write_all(&bytes[..2 * these])?;
            left -= these;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use amanuensis::backend::cpu::Cpu;
    use amanuensis::backend::{Backend as _, ComputeType, Feed, Logits, Work};
    use amanuensis::mel::Mel;
    use amanuensis::model::{self, Source};

    use super::*;
    use crate::gpu_report::shapes;

    static NEVER: AtomicBool = AtomicBool::new(false);

    /// One layer of everything, with the vocabulary of the large models.
    fn small() -> Dims {
        let large = shapes::dims("large-v3").unwrap();
        Dims {
            audio_width: 64,
            audio_heads: 1,
            audio_layers: 1,
            audio_feed_forward: 256,
            text_width: 64,
            text_heads: 1,
            text_layers: 1,
            text_feed_forward: 256,
            ..large
        }
    }

    #[test]
    fn a_random_model_can_be_loaded_and_computes_numbers() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), &small(), 1).unwrap();
        let file = model::open(&Source::Path(folder.path().to_owned())).unwrap();
        assert_eq!((file.dims, &file.warnings[..]), (small(), &[][..]));
        let special = file.tokenizer.special();
        assert_eq!((special.end_of_text, special.start_of_transcript), (50257, 50258));
        assert_eq!((special.no_timestamps, special.languages.len()), (50364, 100));
        let model = Cpu::new(None, ComputeType::F32).load(&file).unwrap();
        let mel = Mel { bins: 128, frames: 200, values: vec![0.5; 128 * 200] };
        let mut work = Work::new(&NEVER);
        let encoded = model.encode(&[mel], &mut work).unwrap();
        let mut decoding = model.begin(&encoded, &mut work).unwrap();
        decoding.start(&[0]);
        let mut logits = Logits::default();
        decoding.step(&[Feed { tokens: &[special.start_of_transcript], read: &[0] }], &mut logits, &mut work).unwrap();
        let row = logits.row(0);
        assert_eq!(row.len(), 51866);
        // Not all the same, and far from where halves end.
        let (low, high) = row.iter().fold((0.0_f32, 0.0_f32), |(low, high), value| (low.min(*value), high.max(*value)));
        assert!(low < -0.1 && high > 0.1 && high - low < 100.0, "{low} {high}");
    }

    #[test]
    fn the_same_seed_makes_the_same_weights_and_another_others() {
        let made = |seed: u64| {
            let folder = tempfile::tempdir().unwrap();
            write(folder.path(), &small(), seed).unwrap();
            fs::read(folder.path().join("model.safetensors")).unwrap()
        };
        let first = made(1);
        assert!(first == made(1) && first != made(2));
    }

    #[test]
    fn drawn_numbers_are_normal() {
        let numbers = Normal::new(7).numbers;
        let mean = numbers.iter().sum::<f64>() / numbers.len() as f64;
        let variance = numbers.iter().map(|number| (number - mean).powi(2)).sum::<f64>() / numbers.len() as f64;
        assert_eq!(numbers.len(), DRAWN_FROM);
        assert!(mean.abs() < 0.015 && (variance.sqrt() - 1.0).abs() < 0.01, "{mean} {variance}");
    }

    #[test]
    fn base_64_is_as_others_write_it() {
        assert_eq!([base64(b"M"), base64(b"Ma"), base64(&[255, 254])], ["TQ==", "TWE=", "//4="]);
        let vocabulary = vocabulary();
        let lines: Vec<&str> = vocabulary.lines().collect();
        assert_eq!((lines.len(), lines[0], lines[256]), (TEXT_TOKENS, "AA== 0", "AAA= 256"));
    }
}
