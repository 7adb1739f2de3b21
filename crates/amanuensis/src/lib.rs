//! The engine of Amanuensis: sound in, text out.

pub mod audio;
pub mod backend;
pub mod decoding;
pub mod mel;
pub mod model;
pub mod segments;
pub mod text;
pub mod tokens;
