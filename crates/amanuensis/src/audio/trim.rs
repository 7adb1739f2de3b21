//! What is to be cut from decoded sound so that times agree with other players: encoder delay, padding, edit lists.

use symphonia::core::formats::Track;

use super::input::Media;

/// Frames to drop at the start, and frames to keep after that.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Cut {
    pub(super) skip: u64,
    pub(super) keep: Option<u64>,
}

/// The cut of a track that decodes at `rate` and whose codec asks for `pre_skip`.
pub(super) fn cut(_media: &Media, _container: &str, _track: &Track, _rate: u32, pre_skip: u64) -> Cut {
    Cut { skip: pre_skip, keep: None }
}
