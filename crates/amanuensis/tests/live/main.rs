//! Live transcription: with hypotheses from a script, and with the demo model.

#[path = "../common/mod.rs"]
mod common;
mod demo;
mod scripted;
#[path = "../common/words.rs"]
mod words;
