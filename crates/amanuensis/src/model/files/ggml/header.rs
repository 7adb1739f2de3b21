//! What stands before the tensors.

use super::super::config::Sizes;
use super::super::cursor::Cursor;

/// The first four bytes, in the order in which they lie.
const MAGIC: &[u8] = b"lmgg";

/// What a header says.
#[derive(Debug)]
pub(super) struct Header<'a> {
    pub(super) sizes: Sizes,
    /// Bands and frequencies of the mel filters.
    pub(super) filters: (u64, u64),
    /// Version of the layout of blocks, for files that have some.
    pub(super) block_version: u32,
    /// Bytes of the tokens in order of their ids.
    pub(super) tokens: Vec<&'a [u8]>,
    /// Where the tensors begin.
    pub(super) rest: usize,
}

/// `ftype` counts versions of the blocks in thousands.
pub(in crate::model) const VERSION_FACTOR: u32 = 1000;
/// Bytes that a token takes at least: those of its length.
const SHORTEST_TOKEN: usize = 4;

pub(super) fn read(bytes: &[u8]) -> Result<Header<'_>, String> {
    let mut cursor = Cursor::new(bytes);
    match cursor.take(4) {
        Some(MAGIC) => {}
        Some(b"ggml") => return Err("it was written on a big-endian machine, and little-endian is read".to_owned()),
        _ => return Err("it does not begin with lmgg".to_owned()),
    }
    if bytes.get(8..14) == Some(b"silero") {
        return Err("it holds Silero's voice activity detector, not Whisper".to_owned());
    }
    let mut size = |name: &str| {
        let value = cursor.u32().ok_or_else(|| truncated("the sizes"))?;
        // A negative number is a large one here, and refused with its name where no model is so large.
        i32::try_from(value).map_err(|_| format!("{name} is {}", value as i32))?;
        Ok::<u64, String>(u64::from(value))
    };
    // In the order of the file, which is that of the fields but for the last.
    let sizes = Sizes {
        vocabulary: size("n_vocab")?,
        audio_context: size("n_audio_ctx")?,
        audio_width: size("n_audio_state")?,
        audio_heads: size("n_audio_head")?,
        audio_layers: size("n_audio_layer")?,
        audio_feed_forward: 0,
        text_context: size("n_text_ctx")?,
        text_width: size("n_text_state")?,
        text_heads: size("n_text_head")?,
        text_layers: size("n_text_layer")?,
        text_feed_forward: 0,
        mel_bins: size("n_mels")?,
    };
    let kind = cursor.u32().ok_or_else(|| truncated("the sizes"))?;
    let filters = read_filters(&mut cursor)?;
    let tokens = read_tokens(&mut cursor)?;
    Ok(Header { sizes, filters, block_version: kind / VERSION_FACTOR, tokens, rest: cursor.at() })
}

fn truncated(part: &str) -> String {
    format!("it ends within {part}: it is truncated")
}

fn read_filters(cursor: &mut Cursor<'_>) -> Result<(u64, u64), String> {
    let within = || truncated("the mel filters");
    let bands = u64::from(cursor.u32().ok_or_else(within)?);
    let frequencies = u64::from(cursor.u32().ok_or_else(within)?);
    let bytes = bands.checked_mul(frequencies).and_then(|count| count.checked_mul(4));
    let bytes = bytes.and_then(|bytes| usize::try_from(bytes).ok()).filter(|bytes| *bytes <= cursor.left());
    let Some(bytes) = bytes else {
        let left = cursor.left();
        return Err(format!("its mel filters claim a table of {bands} x {frequencies}, but only {left} bytes follow"));
    };
    cursor.take(bytes).ok_or_else(within)?;
    Ok((bands, frequencies))
}

fn read_tokens<'a>(cursor: &mut Cursor<'a>) -> Result<Vec<&'a [u8]>, String> {
    let count = cursor.u32().ok_or_else(|| truncated("the vocabulary"))? as usize;
    if count > cursor.left() / SHORTEST_TOKEN {
        return Err(format!("its vocabulary claims {count} tokens, but only {} bytes follow", cursor.left()));
    }
    let mut tokens = Vec::with_capacity(count);
    for id in 0..count {
        let length = cursor.u32().ok_or_else(|| truncated("the vocabulary"))? as usize;
        let left = cursor.left();
        let token = cursor.take(length);
        tokens.push(token.ok_or_else(|| format!("token {id} claims {length} bytes, but only {left} follow"))?);
    }
    Ok(tokens)
}
