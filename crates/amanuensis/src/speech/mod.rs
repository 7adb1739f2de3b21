//! Speech: which parts of a recording hold any, and what a moment of what is heard is in the recording.
//!
//! ```text
//! Sound -> Detector: a probability for each 32 ms -> spans -> TimeMap -> Spliced: the Sound that is heard
//!                                                                     -> chunks: the windows of one batch
//! ```

mod chunks;
mod detectors;
mod options;
mod spans;
mod spliced;
mod time;
mod vad;

pub use chunks::chunks;
pub use detectors::{Detector, FRAME_SAMPLES, Silero, SpeechError, Voicing, VoicingStream, Watch};
pub use options::VadOptions;
pub use spans::{coverage, spans};
pub use spliced::Spliced;
pub use time::{Heard, Recorded, Span, TimeMap};
pub use vad::Vad;
