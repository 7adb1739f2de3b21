//! Which part of a model is computed how exactly.

use amanuensis_kernels::{Precision, Region, StoredMatrix};

use crate::backend::ComputeType;
use crate::model::Weights;

/// The least memory that loses nothing: f16 if that holds every weight that is multiplied, else f32.
pub(super) fn lossless(region: &mut Region<'_>, weights: &Weights) -> ComputeType {
    // What has one dimension is added, and the positions are.
    let mut multiplied =
        weights.tensors().filter(|tensor| tensor.shape.len() > 1 && !tensor.name.ends_with("embed_positions.weight"));
    let fits = multiplied.all(|tensor| region.fits_f16(&StoredMatrix::of(vec![tensor.stored()])));
    if fits { ComputeType::F16 } else { ComputeType::F32 }
}

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
    /// Those of what was said, which come token by token: no scale can be known before the last.
    pub(super) said: Precision,
    /// The linear layers of the decoder.
    pub(super) decoder: Precision,
    /// The embedding of tokens, which is the projection onto the vocabulary too.
    pub(super) tokens: Precision,
}

impl Precisions {
    pub(super) fn of(compute: ComputeType) -> Self {
        let all = |precision, said| Precisions {
            stem: precision,
            encoder: precision,
            attention: precision,
            heard: precision,
            said,
            decoder: precision,
            tokens: precision,
        };
        let bytes = all(Precision::Int8, Precision::F16);
        match compute {
            ComputeType::Auto | ComputeType::F32 => all(Precision::F32, Precision::F32),
            ComputeType::F16 => {
                // Keys and values are made as the model runs, and are no numbers of f16: here nothing may be lost.
                Precisions { attention: Precision::F32, heard: Precision::F32, ..all(Precision::F16, Precision::F32) }
            }
            ComputeType::Int8 => bytes,
            ComputeType::Int8Int4 => Precisions { decoder: Precision::Int4, tokens: Precision::Int4, ..bytes },
        }
    }
}
