//! Writes a GGUF file, whose layout stands in the reader of it.

use std::io::{self, Write};

use super::numbers::{self, Unfinished, refused};
use crate::model::files::BLOCK_VERSION;
use crate::model::files::gguf::{DEFAULT_ALIGNMENT, VERSION, keys, kinds, token_kinds};
use crate::model::files::openai;
use crate::model::numbers::number_of;
use crate::model::progress::Steps;
use crate::model::{AlignmentSource, Encoding, ModelFile, Progress};
use crate::tokens::Written;

/// Writes a model. `matrices` says what its matrices are written as: `F32`, `F16`, `Q8_0`, `Q5_1`, `Q5_0`, `Q4_1`, `Q4_0`.
pub(in crate::model) fn write(
    model: &ModelFile,
    matrices: &Encoding,
    out: &mut dyn Write,
    progress: &mut Progress<'_>,
) -> Result<(), Unfinished> {
    let settings = settings(model, matrices)?;
    let mut header = Vec::new();
    header.extend(b"GGUF");
    header.extend(VERSION.to_le_bytes());
    let shapes = model.dims.tensors();
    header.extend((shapes.len() as u64).to_le_bytes());
    header.extend(settings.count.to_le_bytes());
    header.extend(settings.bytes);

    let mut offset = 0_u64;
    let mut tensors = Vec::with_capacity(shapes.len());
    for (name, shape) in &shapes {
        let tensor = model.weights.tensor(name, shape).map_err(|error| refused(error.to_string()))?;
        let encoding = numbers::encoding_of(&tensor, matrices);
        let size = numbers::size(&tensor, &encoding)? as u64;
        push_text(openai::theirs(name).as_bytes(), &mut header);
        header.extend((shape.len() as u32).to_le_bytes());
        shape.iter().rev().for_each(|axis| header.extend((*axis as u64).to_le_bytes()));
        header.extend(number_of(&encoding).unwrap_or_default().to_le_bytes());
        header.extend(offset.to_le_bytes());
        offset += size.next_multiple_of(DEFAULT_ALIGNMENT);
        tensors.push((tensor, encoding, size));
    }
    out.write_all(&header)?;
    pad(header.len() as u64, out)?;
    let mut steps = Steps::through(&model.dims, progress);
    for (tensor, encoding, size) in tensors {
        steps.next(tensor.name, tensor.count())?;
        numbers::write(&tensor, &encoding, out)?;
        pad(size, out)?;
    }
    steps.end();
    Ok(())
}

/// Fills up to the next place where a tensor may begin.
fn pad(written: u64, out: &mut dyn Write) -> io::Result<()> {
    let missing = written.next_multiple_of(DEFAULT_ALIGNMENT) - written;
    out.write_all(&[0; DEFAULT_ALIGNMENT as usize][..missing as usize])
}

/// Keys and values.
#[derive(Default)]
struct Settings {
    count: u64,
    bytes: Vec<u8>,
}

impl Settings {
    fn push(&mut self, key: &str, kind: u32, value: &[u8]) {
        self.count += 1;
        push_text(key.as_bytes(), &mut self.bytes);
        self.bytes.extend(kind.to_le_bytes());
        self.bytes.extend(value);
    }

    fn number(&mut self, key: &str, number: usize) {
        self.push(key, kinds::U32, &(number as u32).to_le_bytes());
    }

    fn truth(&mut self, key: &str, truth: bool) {
        self.push(key, kinds::BOOL, &[u8::from(truth)]);
    }

    fn text(&mut self, key: &str, text: &str) {
        let mut value = Vec::new();
        push_text(text.as_bytes(), &mut value);
        self.push(key, kinds::TEXT, &value);
    }

    fn list(&mut self, key: &str, kind: u32, count: usize, items: &[u8]) {
        let value = [&kind.to_le_bytes()[..], &(count as u64).to_le_bytes(), items].concat();
        self.push(key, kinds::LIST, &value);
    }

    fn numbers(&mut self, key: &str, numbers: impl IntoIterator<Item = u32>) {
        let items: Vec<u8> = numbers.into_iter().flat_map(u32::to_le_bytes).collect();
        self.list(key, kinds::I32, items.len() / 4, &items);
    }

    fn texts<'a>(&mut self, key: &str, texts: impl IntoIterator<Item = &'a str>) {
        let (mut items, mut count) = (Vec::new(), 0);
        for text in texts {
            push_text(text.as_bytes(), &mut items);
            count += 1;
        }
        self.list(key, kinds::TEXT, count, &items);
    }
}

fn push_text(text: &[u8], bytes: &mut Vec<u8>) {
    bytes.extend((text.len() as u64).to_le_bytes());
    bytes.extend(text);
}

fn settings(model: &ModelFile, matrices: &Encoding) -> io::Result<Settings> {
    let (dims, generation) = (&model.dims, &model.generation);
    let mut settings = Settings::default();
    settings.text(keys::ARCHITECTURE, "whisper");
    settings.text(keys::NAME, &model.name);
    settings.number(keys::FILE_TYPE, numbers::file_kind(matrices)? as usize);
    settings.number(keys::BLOCK_VERSION, BLOCK_VERSION as usize);
    for (key, size) in [
        (keys::MEL_BINS[0], dims.mel_bins),
        (keys::AUDIO_CONTEXT[0], dims.audio_context),
        (keys::AUDIO_WIDTH[0], dims.audio_width),
        (keys::AUDIO_HEADS[0], dims.audio_heads),
        (keys::AUDIO_LAYERS[0], dims.audio_layers),
        (keys::AUDIO_FEED_FORWARD[0], dims.audio_feed_forward),
        (keys::TEXT_CONTEXT[0], dims.text_context),
        (keys::TEXT_WIDTH[0], dims.text_width),
        (keys::TEXT_HEADS[0], dims.text_heads),
        (keys::TEXT_LAYERS[0], dims.text_layers),
        (keys::TEXT_FEED_FORWARD[0], dims.text_feed_forward),
        (keys::VOCABULARY[0], dims.vocabulary),
    ] {
        settings.number(key, size);
    }
    settings.truth(keys::MULTILINGUAL, model.tokenizer.special().is_multilingual());
    settings.numbers(keys::SUPPRESS, generation.suppress_tokens.iter().copied());
    settings.numbers(keys::BEGIN_SUPPRESS, generation.begin_suppress_tokens.iter().copied());
    if generation.alignment_heads_from == AlignmentSource::Model {
        let heads = generation.alignment_heads.iter().flat_map(|(layer, head)| [*layer as u32, *head as u32]);
        settings.numbers(keys::ALIGNMENT_HEADS, heads);
    }
    if let Some(index) = generation.max_initial_timestamp_index {
        settings.number(keys::MAX_INITIAL_TIMESTAMP, index);
    }
    write_tokenizer(model, &mut settings);
    Ok(settings)
}

/// Every row has a token; those that mean nothing are called so.
fn write_tokenizer(model: &ModelFile, settings: &mut Settings) {
    let unused = |token: usize| (format!("[PAD{token}]"), token_kinds::UNUSED);
    let mut tokens: Vec<(String, u32)> = (0..model.dims.vocabulary).map(unused).collect();
    for (token, written) in model.tokenizer.tokens() {
        if let Some(place) = tokens.get_mut(token as usize) {
            *place = match written {
                Written::Text(text) => (text, token_kinds::NORMAL),
                Written::Word(text) => (text, token_kinds::ADDED),
                Written::Special(text) => (text, token_kinds::SPECIAL),
            };
        }
    }
    let merges: Vec<String> = model.tokenizer.merges().iter().map(|[left, right]| format!("{left} {right}")).collect();
    settings.text(keys::TOKENIZER, "gpt2");
    settings.texts(keys::TOKENS, tokens.iter().map(|(text, _)| text.as_str()));
    settings.numbers(keys::TOKEN_KINDS, tokens.iter().map(|(_, kind)| *kind));
    settings.texts(keys::MERGES, merges.iter().map(String::as_str));
    settings.truth(keys::PREFIX_SPACE, model.tokenizer.adds_prefix_space());
}
