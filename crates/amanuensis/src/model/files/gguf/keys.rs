//! What settings are called. Where there are several names, the first is the one of GGUF's own specification or ours, and
//! is written; the others are those of converters about.

pub(in crate::model) const ARCHITECTURE: &str = "general.architecture";
pub(in crate::model) const NAME: &str = "general.name";
pub(in crate::model) const ALIGNMENT: &str = "general.alignment";
pub(in crate::model) const FILE_TYPE: &str = "general.file_type";
pub(in crate::model) const BLOCK_VERSION: &str = "general.quantization_version";
pub(in crate::model) const PARTS: &str = "split.count";

pub(in crate::model) const MEL_BINS: [&str; 4] =
    ["whisper.encoder.mels_count", "whisper.audio.num_mel_bins", "whisper.mel_bins", "whisper.audio.n_mels"];
pub(in crate::model) const AUDIO_CONTEXT: [&str; 2] =
    ["whisper.encoder.context_length", "whisper.audio.context_length"];
pub(in crate::model) const AUDIO_WIDTH: [&str; 3] =
    ["whisper.encoder.embedding_length", "whisper.audio.embedding_length", "whisper.embedding_length"];
pub(in crate::model) const AUDIO_HEADS: [&str; 3] =
    ["whisper.encoder.attention.head_count", "whisper.audio.attention.head_count", "whisper.audio.head_count"];
pub(in crate::model) const AUDIO_LAYERS: [&str; 4] = [
    "whisper.encoder.block_count",
    "whisper.encoder.layer_count",
    "whisper.audio.block_count",
    "whisper.audio.layer_count",
];
pub(in crate::model) const AUDIO_FEED_FORWARD: [&str; 2] =
    ["whisper.encoder.feed_forward_length", "whisper.audio.feed_forward_length"];
pub(in crate::model) const TEXT_CONTEXT: [&str; 2] = ["whisper.decoder.context_length", "whisper.text.context_length"];
pub(in crate::model) const TEXT_WIDTH: [&str; 3] =
    ["whisper.decoder.embedding_length", "whisper.text.embedding_length", "whisper.embedding_length"];
pub(in crate::model) const TEXT_HEADS: [&str; 3] =
    ["whisper.decoder.attention.head_count", "whisper.text.attention.head_count", "whisper.text.head_count"];
pub(in crate::model) const TEXT_LAYERS: [&str; 4] = [
    "whisper.decoder.block_count",
    "whisper.decoder.layer_count",
    "whisper.text.block_count",
    "whisper.text.layer_count",
];
pub(in crate::model) const TEXT_FEED_FORWARD: [&str; 2] =
    ["whisper.decoder.feed_forward_length", "whisper.text.feed_forward_length"];
pub(in crate::model) const VOCABULARY: [&str; 2] = ["whisper.vocab_size", "whisper.vocab.size"];

pub(in crate::model) const MULTILINGUAL: &str = "whisper.is_multilingual";
pub(in crate::model) const SUPPRESS: &str = "whisper.suppress_tokens";
pub(in crate::model) const BEGIN_SUPPRESS: &str = "whisper.begin_suppress_tokens";
/// Decoder layer and head in turn.
pub(in crate::model) const ALIGNMENT_HEADS: &str = "whisper.alignment_heads";
pub(in crate::model) const MAX_INITIAL_TIMESTAMP: &str = "whisper.max_initial_timestamp_index";

pub(in crate::model) const TOKENIZER: &str = "tokenizer.ggml.model";
pub(in crate::model) const TOKENS: &str = "tokenizer.ggml.tokens";
pub(in crate::model) const TOKEN_KINDS: &str = "tokenizer.ggml.token_type";
pub(in crate::model) const MERGES: &str = "tokenizer.ggml.merges";
pub(in crate::model) const PREFIX_SPACE: &str = "tokenizer.ggml.add_space_prefix";
