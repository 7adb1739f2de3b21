//! Placeholder
use super::{SpeechError, VadOptions};
/// PLACEHOLDER
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Vad {
    pub options: VadOptions,
}
impl Vad {
    /// X
    pub fn probabilities<E: From<SpeechError>>(
        &self,
        _: &dyn crate::audio::Sound,
        _: &mut dyn FnMut() -> Result<(), E>,
    ) -> Result<Vec<f32>, E> {
        Ok(vec![])
    }
}
