//! The numbers by which ggml's and GGUF's files call the kinds.

use super::Block;
use crate::model::numbers::{Dtype, Encoding};

/// Kinds by number. What is absent is of language models only, or was given up by ggml.
const KINDS: [(u32, Encoding); 19] = [
    (0, Encoding::Plain(Dtype::F32)),
    (1, Encoding::Plain(Dtype::F16)),
    (2, Encoding::Blocks(Block::Q4_0)),
    (3, Encoding::Blocks(Block::Q4_1)),
    (6, Encoding::Blocks(Block::Q5_0)),
    (7, Encoding::Blocks(Block::Q5_1)),
    (8, Encoding::Blocks(Block::Q8_0)),
    (10, Encoding::Blocks(Block::Q2K)),
    (11, Encoding::Blocks(Block::Q3K)),
    (12, Encoding::Blocks(Block::Q4K)),
    (13, Encoding::Blocks(Block::Q5K)),
    (14, Encoding::Blocks(Block::Q6K)),
    (15, Encoding::Blocks(Block::Q8K)),
    (24, Encoding::Plain(Dtype::I8)),
    (25, Encoding::Plain(Dtype::I16)),
    (26, Encoding::Plain(Dtype::I32)),
    (27, Encoding::Plain(Dtype::I64)),
    (28, Encoding::Plain(Dtype::F64)),
    (30, Encoding::Plain(Dtype::BF16)),
];

/// The kind that a file calls so.
pub(in crate::model) fn kind_of(number: u32) -> Option<Encoding> {
    KINDS.into_iter().find(|(known, _)| *known == number).map(|(_, encoding)| encoding)
}

/// What a file calls a kind, if it can.
pub(in crate::model) fn number_of(encoding: &Encoding) -> Option<u32> {
    KINDS.into_iter().find(|(_, known)| known == encoding).map(|(number, _)| number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_lead_to_kinds_and_back() {
        for (number, encoding) in KINDS {
            assert_eq!((kind_of(number), number_of(&encoding)), (Some(encoding), Some(number)));
        }
        assert_eq!((kind_of(4), kind_of(9), kind_of(u32::MAX)), (None, None, None));
        assert!(Block::ALL.into_iter().all(|block| number_of(&Encoding::Blocks(block)).is_some()));
    }
}
