//! Live transcription: sound without an end becomes text while it comes.
//!
//! A [`Session`] is fed samples in pieces of any size. It finds out who speaks when ([`Voicing`](crate::speech::Voicing), as it
//! comes), keeps the sound of what is being said, and asks to have it heard again and again while it grows. What two hearings
//! in a row agree on is told for good; sound whose words are all told is forgotten. It knows neither threads nor clocks: whoever
//! has an engine hears what it asks for, as any other recording, and tells it what came of it and how long that took.
//!
//! ```text
//! samples -> waiting -> activity: begins, ends an utterance
//!                    -> buffer, 28 s at most -> Hearing -> (the engine) -> agreement -> Agreed, Partial, Line, Ended
//! ```
//!
//! ```no_run
//! use std::time::Instant;
//! use amanuensis::live::{Session, Settings, Update};
//! use amanuensis::{Control, Engine, Options};
//!
//! # fn microphone() -> Option<Vec<f32>> { None }
//! # fn example(engine: &Engine) -> Result<(), Box<dyn std::error::Error>> {
//! let mut session = Session::new(Settings::default(), Options::default());
//! while let Some(samples) = microphone() {
//!     session.feed(&samples)?;
//!     while let Some(hearing) = session.hearing() {
//!         let began = Instant::now();
//!         let outcome = engine.transcribe(&hearing.recording, &hearing.options, &mut Control::new())?;
//!         session.heard(hearing.id, &outcome.transcript, began.elapsed());
//!     }
//!     for update in session.updates() {
//!         if let Update::Line(line) = update {
//!             println!("{}", line.text());
//!         }
//!     }
//! }
//! # Ok(())
//! # }
//! ```

mod activity;
mod agreement;
mod lines;
mod message;
mod session;
mod settings;
mod update;
mod words;

pub use message::{message, rounded};
pub use session::{Hearing, Session, TooFast};
pub use settings::{Settings, SettingsError, Turns};
pub use update::{Line, Update, text_of};
