//! How good transcripts are: their words and times beside those that are known to be right.

pub(crate) mod against;
pub(crate) mod edit;
pub(crate) mod manifest;
pub(crate) mod measure;
pub(crate) mod memory;
pub(crate) mod normalize;
pub(crate) mod report;
pub(crate) mod times;
