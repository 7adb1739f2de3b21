//! Why a transcription failed.

use crate::audio::AudioError;
use crate::backend::BackendError;
use crate::model::ModelError;
use crate::speech::SpeechError;

/// Why there is no transcript.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The work was cancelled from outside.
    #[error("cancelled")]
    Cancelled,
    /// The sound cannot be read.
    #[error(transparent)]
    Audio(AudioError),
    /// The model's files are at fault.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The model hears windows of another length.
    #[error(
        "the model's encoder has {positions} positions, but windows of 30 s need {expected}; models of other windows cannot be used"
    )]
    OtherWindow {
        /// Positions of the model.
        positions: usize,
        /// Positions of a model for 30 s.
        expected: usize,
    },
    /// The device failed.
    #[error(transparent)]
    Backend(BackendError),
    /// The model has no such language.
    #[error("language {asked:?} is not one of the model's: {known}")]
    UnknownLanguage {
        /// What was asked for.
        asked: String,
        /// The codes that the model knows.
        known: String,
    },
    /// The model cannot do the task.
    #[error("this model cannot translate: {reason}; use a multilingual model, or the task transcribe")]
    CannotTranslate {
        /// Why not.
        reason: &'static str,
    },
    /// The work was shared with that of other recordings, and could not go on.
    #[error("stopped with the recordings that were transcribed together with it: {reason}")]
    Stopped {
        /// Why.
        reason: String,
    },
    /// What was saved of a course does not fit what goes on with it.
    #[error("what was saved cannot be gone on with: {reason}; begin anew")]
    CannotResume {
        /// What does not fit.
        reason: String,
    },
    /// An option has a value that means nothing, or needs another option.
    #[error("option {option}: {reason}")]
    BadOption {
        /// The option's name.
        option: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// The detector of speech failed.
    #[error(transparent)]
    Speech(SpeechError),
    /// A token to be suppressed is not in the vocabulary.
    #[error(
        "token {token} cannot be suppressed: the model's vocabulary has {vocabulary} tokens, from 0 (-1 stands for all symbols that are not spoken)"
    )]
    UnknownToken {
        /// What was asked for.
        token: i64,
        /// Tokens of the model.
        vocabulary: usize,
    },
}

impl Error {
    /// The same, for the other recordings that it stopped.
    pub(super) fn of_others(&self) -> Error {
        match self {
            Error::Cancelled => Error::Cancelled,
            Error::Stopped { reason } => Error::Stopped { reason: reason.clone() },
            error => Error::Stopped { reason: error.to_string() },
        }
    }
}

impl From<AudioError> for Error {
    fn from(error: AudioError) -> Self {
        match error {
            AudioError::Cancelled { .. } => Error::Cancelled,
            error => Error::Audio(error),
        }
    }
}

impl From<BackendError> for Error {
    fn from(error: BackendError) -> Self {
        match error {
            BackendError::Cancelled => Error::Cancelled,
            BackendError::Model(error) => Error::Model(error),
            error => Error::Backend(error),
        }
    }
}

impl From<SpeechError> for Error {
    fn from(error: SpeechError) -> Self {
        match error {
            SpeechError::Cancelled => Error::Cancelled,
            SpeechError::Sound(error) => error.into(),
            error => Error::Speech(error),
        }
    }
}
