//! Which part of a model is computed how exactly.

use amanuensis_kernels::Precision;

use crate::backend::ComputeType;

/// The precision of every part.
#[derive(Debug, Clone, Copy)]
pub(super) struct Precisions {
    /// The convolutions.
    pub(super) stem: Precision,
    /// The linear layers of the encoder, and those that make the keys and values of what was heard.
    pub(super) encoder: Precision,
    /// Queries, keys, values and probabilities of the encoder.
    pub(super) attention: Precision,
    /// Keys and values of what was heard.
    pub(super) heard: Precision,
    /// The linear layers of the decoder.
    pub(super) decoder: Precision,
    /// The embedding of tokens, which is the projection onto the vocabulary too.
    pub(super) tokens: Precision,
}

impl Precisions {
    pub(super) fn of(compute: ComputeType) -> Self {
        let all = |precision| Precisions {
            stem: precision,
            encoder: precision,
            attention: precision,
            heard: precision,
            decoder: precision,
            tokens: precision,
        };
        match compute {
            ComputeType::Auto | ComputeType::F32 => all(Precision::F32),
            ComputeType::Int8 => all(Precision::Int8),
            ComputeType::Int8Int4 => {
                Precisions { decoder: Precision::Int4, tokens: Precision::Int4, ..all(Precision::Int8) }
            }
        }
    }
}
