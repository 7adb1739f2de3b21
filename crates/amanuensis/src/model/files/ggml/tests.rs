use std::path::Path;

use proptest::prelude::*;

use super::*;
use crate::model::Encoding;
use crate::model::numbers::Block;

const SIZES: [u32; 10] = [1772, 4, 32, 2, 1, 8, 32, 2, 1, 4];

/// A file in parts that a test may change.
#[derive(Clone)]
struct Made {
    magic: [u8; 4],
    sizes: [u32; 10],
    kind: u32,
    filters: (u32, u32),
    tokens: Vec<Vec<u8>>,
    tensors: Vec<Vec<u8>>,
}

/// As many rows as 256 bytes, three words and the special tokens of two languages take.
fn good() -> Made {
    let mut sizes = SIZES;
    sizes[0] = 256 + 3 + 2 + 2 + 6 + 1501;
    let dims = openai::dims(&sizes_of(&sizes), "m").unwrap();
    let mut tokens: Vec<Vec<u8>> = (0..=255).map(|byte| vec![byte]).collect();
    tokens.extend([b"ab".to_vec(), b"abc".to_vec(), b"".to_vec()]);
    let tensors = dims.tensors().into_iter().map(|(name, shape)| tensor(&openai::theirs(&name), &shape)).collect();
    Made { magic: *b"lmgg", sizes, kind: 2008, filters: (4, 201), tokens, tensors }
}

fn sizes_of(sizes: &[u32; 10]) -> super::super::config::Sizes {
    let [
        vocabulary,
        audio_context,
        audio_width,
        audio_heads,
        audio_layers,
        text_context,
        text_width,
        text_heads,
        text_layers,
        mel_bins,
    ] = sizes.map(u64::from);
    super::super::config::Sizes {
        mel_bins,
        audio_context,
        audio_width,
        audio_heads,
        audio_layers,
        audio_feed_forward: 0,
        text_context,
        text_width,
        text_heads,
        text_layers,
        text_feed_forward: 0,
        vocabulary,
    }
}

/// A tensor as whisper.cpp's tools write it: matrices in blocks, the rest in f32.
fn tensor(name: &str, shape: &[usize]) -> Vec<u8> {
    let count: usize = shape.iter().product();
    let in_blocks = shape.len() == 2 && !name.ends_with("positional_embedding");
    let (kind, size) =
        if in_blocks { (7, Encoding::Blocks(Block::Q5_1).bytes(count).unwrap()) } else { (0, 4 * count) };
    let mut axes = shape.to_vec();
    if tensors::is_convolution_bias(name) {
        axes.push(1);
    }
    [&header(name, &axes, kind)[..], &vec![0; size]].concat()
}

fn header(name: &str, axes: &[usize], kind: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    for number in [axes.len() as u32, name.len() as u32, kind] {
        bytes.extend(number.to_le_bytes());
    }
    for axis in axes.iter().rev() {
        bytes.extend((*axis as u32).to_le_bytes());
    }
    bytes.extend(name.as_bytes());
    bytes
}

impl Made {
    fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.magic.to_vec();
        let numbers = self.sizes.iter().chain([&self.kind, &self.filters.0, &self.filters.1]);
        numbers.for_each(|number| bytes.extend(number.to_le_bytes()));
        bytes.resize(bytes.len() + 4 * 4 * 201, 0);
        bytes.extend((self.tokens.len() as u32).to_le_bytes());
        for token in &self.tokens {
            bytes.extend((token.len() as u32).to_le_bytes());
            bytes.extend(token);
        }
        bytes.extend(self.tensors.concat());
        bytes
    }
}

fn opened(bytes: &[u8]) -> Result<ModelFile, ModelError> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("m.bin"), bytes).unwrap();
    open("m".to_owned(), &Folder::Disk(folder.path().to_owned()), "m.bin")
}

fn refusal(bytes: &[u8]) -> String {
    opened(bytes).map(drop).unwrap_err().to_string()
}

#[test]
fn a_file_yields_sizes_tokens_and_weights_by_our_names() {
    let model = opened(&good().bytes()).unwrap();
    assert_eq!((model.dims.audio_width, model.dims.text_feed_forward, model.dims.vocabulary), (32, 128, 1770));
    assert_eq!(model.format, Format::Ggml);
    assert!(model.warnings.is_empty(), "{:?}", model.warnings);
    let bias = model.weights.get("encoder.conv1.bias").unwrap();
    assert_eq!((bias.shape, bias.encoding.to_string()), (&[32][..], "F32".to_owned()));
    assert_eq!(model.weights.get("decoder.layers.0.fc1.weight").unwrap().encoding.to_string(), "Q5_1");
    let special = model.tokenizer.special();
    assert_eq!((special.end_of_text, special.timestamp_begin, special.timestamp_count), (259, 269, 1501));
    assert_eq!(special.languages, [("en".to_owned(), 261), ("zh".to_owned(), 262)]);
    assert_eq!(model.tokenizer.encode("abcab"), [257, 256]);
    assert_eq!(model.tokenizer.vocabulary_size(), 1770);
}

#[test]
fn hostile_files_are_refused_with_the_reason() {
    let with = |change: fn(&mut Made)| {
        let mut made = good();
        change(&mut made);
        refusal(&made.bytes())
    };
    let whole = good().bytes();
    let cases = [
        (with(|made| made.magic = *b"ggml"), "big-endian"),
        (with(|made| made.magic = *b"tjgg"), "does not begin with lmgg"),
        (with(|made| made.sizes[2] = 0), "n_audio_state is 0, expected 1 to 16384"),
        (with(|made| made.sizes[4] = u32::MAX), "n_audio_layer is -1"),
        (with(|made| made.sizes[6] = 64), "n_text_state is 64, expected 32, as n_audio_state"),
        (with(|made| made.sizes[0] = 1 << 30), "n_vocab is 1073741824, expected 8 to 1048576"),
        (with(|made| made.sizes[0] = 1500), "in a model of 1500 rows leave no room for languages"),
        (with(|made| made.filters = (80, 201)), "mel filters is a table of 80 x 201, expected 4 x 201"),
        (with(|made| made.filters = (u32::MAX, u32::MAX)), "mel filters claim a table of 4294967295 x 4294967295"),
        (with(|made| made.filters = (201, 4)), "mel filters is a table of 201 x 4, expected 4 x 201"),
        (with(|made| made.tokens[5] = vec![b'x'; 257]), "token 5 has 257 bytes, more than the limit of 256"),
        (with(|made| made.kind = 1008), "blocks are of version 1, and version 2 is read"),
        (with(|made| made.tensors.push(header("x", &[1; 5], 0))), "claims 5 axes, expected 1 to 4"),
        (with(|made| made.tensors.push(header("x", &[], 0))), "claims 0 axes"),
        (with(|made| made.tensors.push(header(&"x".repeat(257), &[1], 0))), "claims a name of 257 bytes"),
        (with(|made| made.tensors.push(header("", &[1], 0))), "claims a name of 0 bytes"),
        (
            with(|made| made.tensors.push(header("x", &[2], 9))),
            "tensor x: its numbers are of the kind 9, which is not read",
        ),
        (with(|made| made.tensors.push(header("x", &[2, 33], 8))), "tensor x: Q8_0 cannot have the shape [2, 33]"),
        (with(|made| made.tensors.push(header("x", &[0, 32], 0))), "tensor x: F32 cannot have the shape [0, 32]"),
        (with(|made| made.tensors.push(header("x", &[0xffff_ffff; 4], 0))), "cannot have the shape"),
        (
            with(|made| made.tensors.push(header("x", &[9], 0))),
            "tensor x: it takes 36 bytes, but only 0 follow: it is truncated",
        ),
        (with(|made| made.tensors.push(vec![1, 0])), "it ends within the header of tensor"),
        (with(|made| made.tensors.push(made.tensors[3].clone())), "stands in it twice"),
        (with(|made| drop(made.tensors.remove(7))), "is missing"),
        (refusal(&whole[..20]), "it ends within the sizes: it is truncated"),
        (refusal(&whole[..55]), "it ends within the mel filters: it is truncated"),
        (refusal(b"lmgg\x0a\0\0\0silero-16k"), "voice activity detector"),
    ];
    for (message, expected) in cases {
        assert!(message.contains("m.bin: ") && message.contains(expected), "{message:?} should say {expected:?}");
    }
}

#[test]
fn counts_are_believed_only_as_far_as_the_file_goes() {
    let mut made = good();
    let tokens_at = 4 + 4 * 13 + 4 * 4 * 201;
    let mut bytes = made.bytes();
    bytes[tokens_at..tokens_at + 4].copy_from_slice(&u32::MAX.to_le_bytes());
    assert!(refusal(&bytes).contains("its vocabulary claims 4294967295 tokens, but only"));
    bytes = made.bytes();
    bytes[tokens_at + 4..tokens_at + 8].copy_from_slice(&u32::MAX.to_le_bytes());
    assert!(refusal(&bytes).contains("token 0 claims 4294967295 bytes, but only"));
    // Wherever it is cut between tensors, one is missing.
    made.tensors.truncate(4);
    assert!(refusal(&made.bytes()).contains("is missing"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn damage_is_refused_or_harmless(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        in_header in any::<bool>(),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = good().bytes();
        let damaged = if in_header { 60 } else { bytes.len() };
        for (place, byte) in changes {
            bytes[place.index(damaged)] = byte;
        }
        bytes.truncate(bytes.len() - cut.index(12) / 4);
        if let Ok(header) = header::read(&bytes)
            && let Ok(tensors) = tensors::read(&bytes, header.rest, header.block_version)
        {
            for entry in tensors.values() {
                prop_assert!(bytes.get(entry.range.clone()).is_some());
                prop_assert_eq!(entry.encoding.bytes(entry.shape.iter().product()), Some(entry.range.len()));
            }
        }
    }
}

#[test]
fn a_vocabulary_that_lost_its_bytes_is_told_or_replaced() {
    let mut made = good();
    for byte in 0x80..=0xff {
        made.tokens[byte] = "\u{fffd}".into();
    }
    let model = opened(&made.bytes()).unwrap();
    assert!(model.warnings[0].contains("128 tokens lost their bytes"), "{:?}", model.warnings);
    assert_eq!(model.tokenizer.encode("abcab"), [257, 256]);
}

/// The vocabularies of whisper.cpp's own test files, and OpenAI's in its own format: the same tokens. Those files are of
/// 2022, when whatever is no UTF-8 by itself was lost.
#[test]
fn published_vocabularies_agree_in_both_forms() {
    let Some(shared) = std::env::var_os("AMANUENSIS_SHARED") else { return };
    let folder = Path::new(&shared).join("vocab");
    for (header_file, ranks_file, rows) in [
        ("for-tests-ggml-tiny.bin", "multilingual.tiktoken", 51865),
        ("for-tests-ggml-large.bin", "multilingual.tiktoken", 51865),
        ("for-tests-ggml-tiny.en.bin", "gpt2.tiktoken", 51864),
    ] {
        let bytes = std::fs::read(folder.join(header_file)).unwrap();
        let header = header::read(&bytes).unwrap();
        assert_eq!((header.sizes.vocabulary, header.rest), (rows, bytes.len()));
        let dims = openai::dims(&header.sizes, header_file).unwrap();
        let settings = TokenizerSettings { vocabulary: Some(dims.vocabulary), ..TokenizerSettings::default() };
        let listed = TokenizerFiles::Listed { name: header_file, tokens: &header.tokens }.read(&settings).unwrap();
        let bytes = std::fs::read(folder.join(ranks_file)).unwrap();
        let ranked = crate::tokens::NamedBytes { name: ranks_file, bytes: &bytes };
        let ranked = TokenizerFiles::Ranked(ranked).read(&settings).unwrap();
        assert_eq!(listed.special(), ranked.special());
        for token in 0..rows as u32 {
            let ranked = ranked.bytes_or_name(token).unwrap();
            let ranked = String::from_utf8_lossy(&ranked);
            assert_eq!(listed.bytes_or_name(token).as_deref(), Some(ranked.as_bytes()), "{token}");
        }
        let text = " It isn't 1,000 words; hello   world";
        let tokens = listed.encode(text);
        assert_eq!((listed.decode(&tokens), tokens), (text.to_owned(), ranked.encode(text)));
        let special = listed.special();
        let end = if rows == 51864 { 50256 } else { 50257 };
        assert_eq!((special.end_of_text, special.timestamp_begin), (end, rows as u32 - 1501));
        assert_eq!((special.languages.len(), special.is_multilingual()), (99, rows != 51864));
        assert!(lost(&header.tokens) > 300);
    }
}
