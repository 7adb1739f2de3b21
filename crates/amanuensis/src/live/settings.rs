//! How a live session takes its turns.

/// Who says that an utterance is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Turns {
    /// A silence that is long enough.
    #[default]
    Silence,
    /// Whoever feeds the session: [`Session::commit`](super::Session::commit).
    ByHand,
}

/// How a live session takes its turns. Times are in seconds.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Who says that an utterance is over.
    pub turns: Turns,
    /// Speech begins where its probability reaches this.
    pub threshold: f32,
    /// Sound before the speech that is heard with it.
    pub padding: f64,
    /// Silence that ends an utterance.
    pub silence: f64,
    /// New sound after which an utterance is heard again, while hearing keeps up.
    pub step: f64,
    /// Most sound that may wait, beside what is being heard.
    pub most_waiting: f64,
    /// Whether a hearing is told what was said before it.
    pub context: bool,
}

/// The step is doubled up to this while hearing takes longer than what it hears.
pub(super) const LONGEST_STEP: f64 = 4.0;
/// From here on sound is forgotten behind the last sentence that was told.
pub(super) const TRIM: f64 = 15.0;
/// From here on it is forgotten behind the last word that was told.
pub(super) const TRIM_ANYWHERE: f64 = 22.0;
/// Most sound of a hearing: within one window of the model, with a margin.
pub(super) const LONGEST: f64 = 28.0;

impl Default for Settings {
    fn default() -> Self {
        Settings {
            turns: Turns::Silence,
            threshold: 0.5,
            padding: 0.3,
            silence: 0.5,
            step: 1.0,
            most_waiting: 60.0,
            context: false,
        }
    }
}

/// A setting that cannot be.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{setting}: {value} is not from {least} to {most}")]
pub struct SettingsError {
    /// Which.
    pub setting: &'static str,
    /// What it was to be.
    pub value: f64,
    /// The least that it can be.
    pub least: f64,
    /// The most that it can be.
    pub most: f64,
}

impl Settings {
    /// Refuses numbers that mean nothing.
    pub fn check(&self) -> Result<(), SettingsError> {
        for (setting, value, least, most) in [
            ("threshold", f64::from(self.threshold), 0.0, 1.0),
            ("padding", self.padding, 0.0, 2.0),
            ("silence", self.silence, 0.1, 10.0),
            ("step", self.step, 0.2, LONGEST_STEP),
            ("most_waiting", self.most_waiting, 1.0, 3600.0),
        ] {
            if !(least..=most).contains(&value) {
                return Err(SettingsError { setting, value, least, most });
            }
        }
        Ok(())
    }
}
