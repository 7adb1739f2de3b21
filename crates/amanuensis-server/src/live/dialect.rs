//! What the two dialects have in common.

use amanuensis::live::Update;
use serde_json::Value;

use super::Ear;
use crate::error::ApiError;

/// What a client sent.
pub(crate) enum Frame {
    Text(String),
    Binary(Vec<u8>),
}

/// Makes of a client's messages what an ear is to do, and messages of what it tells.
pub(crate) trait Dialect: Send {
    /// A message came. What is to be answered at once is put behind `out`; an error ends the session.
    fn receive(&mut self, ear: &mut Ear, frame: Frame, out: &mut Vec<Value>) -> Result<(), ApiError>;

    /// The ear has something to tell.
    fn tell(&mut self, ear: &Ear, update: Update, out: &mut Vec<Value>);

    /// A hearing failed; the session goes on.
    fn failed(&mut self, error: &ApiError, out: &mut Vec<Value>);

    /// An error as this dialect writes it.
    fn error(&mut self, error: &ApiError) -> Value;

    /// The client says no more.
    fn is_done(&self) -> bool;

    /// All is told, and the client says no more: the last message, where there is one.
    fn last(&mut self, ear: &Ear) -> Option<Value>;

    /// No sound has come for a while: whether what was said so far is an utterance.
    fn ends_when_idle(&self) -> bool;
}
