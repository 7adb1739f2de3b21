//! Measures of a decoded text.

use std::io::Write;

use flate2::Compression;
use flate2::write::ZlibEncoder;

/// Bytes of `text` over bytes of it compressed by zlib: high where it repeats itself.
///
/// Above 2.4 Whisper is usually caught in a loop. An empty text gives 0.
///
/// ```
/// use amanuensis::decoding::compression_ratio;
/// assert!(compression_ratio("The quick brown fox jumps over the lazy dog.") < 1.0);
/// assert!(compression_ratio(&"again and ".repeat(40)) > 10.0);
/// ```
pub fn compression_ratio(text: &str) -> f32 {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    // Writing to memory does not fail; if it did, the ratio would say "not repetitive".
    let compressed = encoder.write_all(text.as_bytes()).and_then(|()| encoder.finish());
    compressed.map_or(0.0, |compressed| text.len() as f32 / compressed.len() as f32)
}
