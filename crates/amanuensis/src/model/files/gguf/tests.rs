use proptest::prelude::*;

use super::*;

/// A file in parts that a test may change.
struct Made {
    magic: [u8; 4],
    version: u32,
    settings: Vec<(String, u32, Vec<u8>)>,
    tensors: Vec<MadeTensor>,
    numbers: usize,
}

/// A tensor: name, axes innermost first, kind, place.
#[derive(Clone)]
struct MadeTensor(String, Vec<u64>, u32, u64);

const WIDTH: u64 = 32;

fn push_text(text: &str, bytes: &mut Vec<u8>) {
    bytes.extend((text.len() as u64).to_le_bytes());
    bytes.extend(text.as_bytes());
}

fn number(key: &str, number: u32) -> (String, u32, Vec<u8>) {
    (key.to_owned(), kinds::U32, number.to_le_bytes().to_vec())
}

fn text(key: &str, value: &str) -> (String, u32, Vec<u8>) {
    let mut bytes = Vec::new();
    push_text(value, &mut bytes);
    (key.to_owned(), kinds::TEXT, bytes)
}

fn texts(key: &str, values: &[String]) -> (String, u32, Vec<u8>) {
    let mut bytes = kinds::TEXT.to_le_bytes().to_vec();
    bytes.extend((values.len() as u64).to_le_bytes());
    values.iter().for_each(|value| push_text(value, &mut bytes));
    (key.to_owned(), kinds::LIST, bytes)
}

/// Two languages, all bytes as tokens, tensors in f32 by names that `name` makes of ours, sizes by the keys of this place
/// in their lists.
fn good(name: fn(&str) -> String, keys_at: usize) -> Made {
    let mut tokens: Vec<String> =
        (0..=255_u8).map(|byte| char::from(byte).to_string()).map(|text| format!("t{text}")).collect();
    // Tokens of one byte in the alphabet of bytes: only the visible ones are needed here.
    for byte in b'!'..=b'~' {
        tokens[usize::from(byte)] = char::from(byte).to_string();
    }
    tokens.push("ab".to_owned());
    let rows = tokens.len() as u32 + 2 + 2 + 6 + 1501;
    let at = |keys: &[&str]| keys[keys_at.min(keys.len() - 1)].to_owned();
    let mut settings = vec![text(keys::ARCHITECTURE, "whisper"), texts(keys::TOKENS, &tokens)];
    for (keys, value) in [
        (&keys::MEL_BINS[..], 4),
        (&keys::AUDIO_CONTEXT, 4),
        (&keys::AUDIO_WIDTH, 32),
        (&keys::AUDIO_HEADS, 2),
        (&keys::AUDIO_LAYERS, 1),
        (&keys::TEXT_CONTEXT, 8),
        (&keys::TEXT_HEADS, 2),
        (&keys::TEXT_LAYERS, 1),
    ] {
        settings.push(number(&at(keys), value));
    }
    if at(&keys::TEXT_WIDTH) != at(&keys::AUDIO_WIDTH) {
        settings.push(number(&at(&keys::TEXT_WIDTH), 32));
    }
    let sizes = Sizes {
        mel_bins: 4,
        audio_context: 4,
        audio_width: WIDTH,
        audio_heads: 2,
        audio_layers: 1,
        audio_feed_forward: 128,
        text_context: 8,
        text_width: WIDTH,
        text_heads: 2,
        text_layers: 1,
        text_feed_forward: 128,
        vocabulary: u64::from(rows),
    };
    let mut place = 0;
    let tensors = sizes.dims("m", &SIZE_NAMES).unwrap().tensors().into_iter().map(|(ours, shape)| {
        let axes: Vec<u64> = shape.iter().rev().map(|axis| *axis as u64).collect();
        let tensor = MadeTensor(name(&ours), axes, 0, place);
        place += (4 * shape.iter().product::<usize>() as u64).next_multiple_of(32);
        tensor
    });
    let tensors = tensors.collect();
    Made { magic: *b"GGUF", version: 3, settings, tensors, numbers: place as usize }
}

fn openai_names() -> Made {
    good(super::super::openai::theirs, 0)
}

impl Made {
    fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.magic.to_vec();
        bytes.extend(self.version.to_le_bytes());
        bytes.extend((self.tensors.len() as u64).to_le_bytes());
        bytes.extend((self.settings.len() as u64).to_le_bytes());
        for (key, kind, value) in &self.settings {
            push_text(key, &mut bytes);
            bytes.extend(kind.to_le_bytes());
            bytes.extend(value);
        }
        for MadeTensor(name, axes, kind, place) in &self.tensors {
            push_text(name, &mut bytes);
            bytes.extend((axes.len() as u32).to_le_bytes());
            axes.iter().for_each(|axis| bytes.extend(axis.to_le_bytes()));
            bytes.extend(kind.to_le_bytes());
            bytes.extend(place.to_le_bytes());
        }
        bytes.resize(bytes.len().next_multiple_of(32) + self.numbers, 0);
        bytes
    }
}

fn opened(bytes: &[u8]) -> Result<ModelFile, ModelError> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("m.gguf"), bytes).unwrap();
    open("m".to_owned(), &Folder::Disk(folder.path().to_owned()), "m.gguf")
}

fn refusal(bytes: &[u8]) -> String {
    opened(bytes).map(drop).unwrap_err().to_string()
}

#[test]
fn tensors_and_sizes_are_known_by_all_their_names() {
    for (name, keys_at) in [
        (super::super::openai::theirs as fn(&str) -> String, 0),
        (|name: &str| format!("model.{name}"), 1),
        (|name: &str| name.to_owned(), 2),
    ] {
        let model = opened(&good(name, keys_at).bytes()).unwrap();
        assert_eq!((model.dims.audio_width, model.dims.audio_layers, model.dims.mel_bins), (32, 1, 4));
        assert_eq!(model.tokenizer.encode("ab!"), [256, 33]);
        assert_eq!(model.tokenizer.special().end_of_text, 257);
        assert!(model.warnings.is_empty(), "{:?}", model.warnings);
    }
}

#[test]
fn settings_of_hugging_face_may_lie_beside() {
    let folder = tempfile::tempdir().unwrap();
    let mut made = good(|name| format!("model.{name}"), 0);
    made.settings.clear();
    std::fs::write(folder.path().join("m.gguf"), made.bytes()).unwrap();
    let open =
        || open("m".to_owned(), &Folder::Disk(folder.path().to_owned()), "m.gguf").map(drop).unwrap_err().to_string();
    assert!(open().contains("is not among its settings, and no config.json lies beside it"), "{}", open());
    let config = r#"{"model_type": "whisper", "num_mel_bins": 4, "max_source_positions": 4, "max_target_positions": 8,
        "d_model": 32, "encoder_layers": 1, "encoder_attention_heads": 2, "encoder_ffn_dim": 128, "decoder_layers": 1,
        "decoder_attention_heads": 2, "decoder_ffn_dim": 128, "vocab_size": 1768}"#;
    std::fs::write(folder.path().join("config.json"), config).unwrap();
    assert!(open().contains("neither tokenizer.json nor a .tiktoken file nor vocab.json"), "{}", open());
}

#[test]
fn hostile_files_are_refused_with_the_reason() {
    let with = |change: fn(&mut Made)| {
        let mut made = openai_names();
        change(&mut made);
        refusal(&made.bytes())
    };
    let header = |tensors: u64, settings: u64| {
        let bytes = [&b"GGUF\x03\0\0\0"[..], &tensors.to_le_bytes(), &settings.to_le_bytes(), &[0; 64]].concat();
        refusal(&bytes)
    };
    let cases = [
        (with(|made| made.version = 1), "it is of version 1, and versions 2 and 3 are read"),
        (with(|made| made.version = 3_u32.swap_bytes()), "big-endian"),
        (with(|made| made.settings[0] = text(keys::ARCHITECTURE, "llama")), "general.architecture is \"llama\""),
        (with(|made| made.settings.push(number(keys::PARTS, 3))), "split.count is 3, expected 1"),
        (with(|made| made.settings.push(number(keys::ALIGNMENT, 0))), "general.alignment is no power of two"),
        (with(|made| made.settings.push(number(keys::ALIGNMENT, 24))), "general.alignment is no power of two"),
        (with(|made| made.settings.push(("x".into(), 13, vec![]))), "setting x: its value is of the unknown kind 13"),
        (with(|made| made.settings.push(("x".into(), kinds::BOOL, vec![2]))), "setting x: 2 is neither true nor false"),
        (
            with(|made| made.settings.push(("x".into(), kinds::LIST, [vec![8, 0, 0, 0], vec![0xff; 8]].concat()))),
            "setting x: its list claims 18446744073709551615 values, but only",
        ),
        (
            with(|made| {
                let nested = [&kinds::LIST.to_le_bytes()[..], &1_u64.to_le_bytes()].concat().repeat(9);
                made.settings.push(("x".into(), kinds::LIST, nested));
            }),
            "setting x: its lists lie more than 4 deep in each other",
        ),
        (with(|made| made.settings.push(made.settings[3].clone())), "stands in it twice"),
        (with(|made| made.tensors[0].0 = "x".repeat(257)), "tensor 0: its name has 257 bytes"),
        (with(|made| made.tensors[0].1 = vec![1; 5]), "claims 5 axes, expected 1 to 4"),
        (with(|made| made.tensors[0].1 = vec![]), "claims 0 axes"),
        (with(|made| made.tensors[0].1 = vec![u64::MAX; 2]), "cannot have the shape"),
        (with(|made| made.tensors[0].1 = vec![0, 4]), "cannot have the shape"),
        (with(|made| made.tensors[0].2 = 16), "its numbers are of the kind 16, which is not read"),
        (with(|made| made.tensors[0].3 += 4), "it begins at 4, which is no multiple of 32"),
        (with(|made| made.tensors[1].3 = 0), "it overlaps"),
        (with(|made| made.tensors[1].3 = u64::MAX - 31), "it is truncated"),
        (with(|made| made.numbers -= 64), "it is truncated"),
        (with(|made| made.tensors[3].0 = made.tensors[1].0.clone()), "stands in it twice"),
        (with(|made| drop(made.tensors.remove(4))), "is missing"),
        (header(u64::MAX, 0), "it claims 18446744073709551615 tensors, but only"),
        (header(0, u64::MAX), "it claims 18446744073709551615 settings, but only"),
        (refusal(b"GGUF\x03\0\0\0\0"), "it ends within its header: it is truncated"),
    ];
    for (message, expected) in cases {
        assert!(message.contains("m.gguf: ") && message.contains(expected), "{message:?} should say {expected:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn damage_is_refused_or_harmless(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = openai_names().bytes();
        let header = bytes.len() - openai_names().numbers;
        for (place, byte) in changes {
            bytes[place.index(header)] = byte;
        }
        bytes.truncate(bytes.len() - cut.index(12) / 4);
        if let Ok((_, tensors)) = read(&bytes) {
            for (_, entry) in tensors {
                prop_assert!(bytes.get(entry.range.clone()).is_some());
                prop_assert_eq!(entry.encoding.bytes(entry.shape.iter().product()), Some(entry.range.len()));
            }
        }
    }
}
