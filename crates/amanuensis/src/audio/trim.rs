//! What is to be cut from decoded sound so that times agree with ffmpeg: encoder delay, padding, edit lists.
//!
//! | container | at the start | at the end |
//! |---|---|---|
//! | mp3 | delay of the LAME header, by the demuxer | padding of the LAME header, by the demuxer |
//! | ogg | pre-skip of Opus; Vorbis has its own | granule position of the last page, by the demuxer |
//! | mp4 | first edit of the edit list, else `iTunSMPB`, else pre-skip of Opus | nothing: ffmpeg plays whole packets |
//! | matroska | pre-skip of Opus | `DiscardPadding` of the last block |
//! | adts | nothing: it has no place to say so | nothing |

use symphonia::core::formats::Track;

use super::error::AudioError;
use super::input::Media;
use super::{matroska, mp4};

/// Frames to drop at the start, and from the end of the last packet.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Cut {
    pub(super) skip: u64,
    pub(super) discard: u64,
}

/// The cut of a track that decodes at `rate` and whose codec asks for `pre_skip`. `ask` may end a long search.
pub(super) fn cut(
    media: &Media,
    container: &str,
    track: &Track,
    rate: u32,
    pre_skip: u64,
    ask: &mut dyn FnMut() -> Result<(), AudioError>,
) -> Result<Cut, AudioError> {
    Ok(match container {
        "isomp4" => Cut { skip: mp4::skipped(media, track.id, rate).unwrap_or(pre_skip), discard: 0 },
        "matroska" | "mkv" | "webm" => {
            Cut { skip: pre_skip, discard: matroska::discarded(media, track.id, rate, ask)? }
        }
        _ => Cut { skip: pre_skip, discard: 0 },
    })
}
