//! Speech: which parts of a recording hold any, and what a moment of what is heard is in the recording.

mod options;
mod time;

pub use options::VadOptions;
pub use time::{Heard, Recorded, Span, TimeMap};
