//! Writes whisper.cpp's file, whose layout stands in the reader of it.
//!
//! Ids of special tokens are not in the file: whisper.cpp knows them from the number of rows. A model whose special
//! tokens stand elsewhere has all its tokens listed by name, which our reader understands; whisper.cpp takes such a
//! model's special tokens for text and cannot run it. Nor can it run a file in f32, though its own converter makes them:
//! its convolutions on the CPU are in f16 only (as of version 1.8.3).

use std::io::{self, Write};

use super::numbers::{self, Unfinished, refused};
use crate::model::files::ggml::{FREQUENCIES, VERSION_FACTOR, is_convolution_bias};
use crate::model::files::{BLOCK_VERSION, openai};
use crate::model::numbers::number_of;
use crate::model::progress::Steps;
use crate::model::{Dims, Encoding, ModelFile, Progress};
use crate::tokens::{Token, Tokenizer, TokenizerFiles, TokenizerSettings};

/// Writes a model. `matrices` says what its matrices are written as: `F32`, `F16`, `Q8_0`, `Q5_1`, `Q5_0`, `Q4_1`, `Q4_0`.
/// `filters` are the mel filters, [`crate::mel::filters`] of as many bands as the model has: whisper.cpp takes them from
/// the file.
pub(in crate::model) fn write(
    model: &ModelFile,
    matrices: &Encoding,
    filters: &[f32],
    out: &mut dyn Write,
    progress: &mut Progress<'_>,
) -> Result<(), Unfinished> {
    let dims = &model.dims;
    write_sizes(dims, matrices, out)?;
    if filters.len() as u64 != dims.mel_bins as u64 * FREQUENCIES {
        return Err(refused(format!("{} numbers are no mel filters of {} bands", filters.len(), dims.mel_bins)).into());
    }
    write_number(dims.mel_bins, out)?;
    write_number(filters.len() / dims.mel_bins, out)?;
    filters.iter().try_for_each(|filter| out.write_all(&filter.to_le_bytes()))?;

    let tokens = listed(&model.tokenizer, dims.vocabulary);
    write_number(tokens.len(), out)?;
    for token in tokens {
        write_number(token.len(), out)?;
        out.write_all(&token)?;
    }
    let mut steps = Steps::through(dims, progress);
    for (name, shape) in dims.tensors() {
        let tensor = model.weights.tensor(&name, &shape).map_err(|error| refused(error.to_string()))?;
        steps.next(&name, tensor.count())?;
        let encoding = numbers::encoding_of(&tensor, matrices);
        numbers::size(&tensor, &encoding)?;
        let name = openai::theirs(&name);
        let mut axes = shape;
        if is_convolution_bias(&name) {
            axes.push(1);
        }
        write_number(axes.len(), out)?;
        write_number(name.len(), out)?;
        write_number(number_of(&encoding).unwrap_or_default() as usize, out)?;
        axes.iter().rev().try_for_each(|axis| write_number(*axis, out))?;
        out.write_all(name.as_bytes())?;
        numbers::write(&tensor, &encoding, out)?;
    }
    steps.end();
    Ok(())
}

/// The sizes with what stands before and behind them.
fn write_sizes(dims: &Dims, matrices: &Encoding, out: &mut dyn Write) -> io::Result<()> {
    let inner = [(dims.audio_width, dims.audio_feed_forward), (dims.text_width, dims.text_feed_forward)];
    if inner.into_iter().any(|(width, inner)| inner != 4 * width) {
        return Err(refused(
            "its feed-forward parts are not four times as wide as the rest, as they must be".to_owned(),
        ));
    }
    let kind = numbers::file_kind(matrices)?;
    let version = if matches!(matrices, Encoding::Blocks(_)) { BLOCK_VERSION * VERSION_FACTOR } else { 0 };
    out.write_all(b"lmgg")?;
    for size in [
        dims.vocabulary,
        dims.audio_context,
        dims.audio_width,
        dims.audio_heads,
        dims.audio_layers,
        dims.text_context,
        dims.text_width,
        dims.text_heads,
        dims.text_layers,
        dims.mel_bins,
        (version + kind) as usize,
    ] {
        write_number(size, out)?;
    }
    Ok(())
}

fn write_number(number: usize, out: &mut dyn Write) -> io::Result<()> {
    let number = i32::try_from(number).map_err(|_| refused(format!("{number} does not fit in 32 bits")))?;
    out.write_all(&number.to_le_bytes())
}

/// The tokens of text, if the special ones are where they would be looked for; or else all tokens.
fn listed(tokenizer: &Tokenizer, rows: usize) -> Vec<Vec<u8>> {
    let special = tokenizer.special();
    let of = |tokens: std::ops::Range<Token>| -> Vec<Vec<u8>> {
        tokens.map(|token| tokenizer.bytes_or_name(token).unwrap_or_default().into_owned()).collect()
    };
    let texts = of(0..special.end_of_text);
    let names: Vec<&[u8]> = texts.iter().map(Vec::as_slice).collect();
    let settings = TokenizerSettings { vocabulary: Some(rows), ..TokenizerSettings::default() };
    let again = TokenizerFiles::Listed { name: "", tokens: &names }.read(&settings);
    let size = tokenizer.vocabulary_size() as Token;
    let no_more_texts = (special.end_of_text..size).all(|token| tokenizer.token_bytes(token).is_none());
    if no_more_texts && again.is_ok_and(|again| again.special() == special) { texts } else { of(0..size) }
}
