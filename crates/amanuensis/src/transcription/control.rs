//! How a transcription is watched and stopped.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::backend::Cancel;
use crate::segments::Segment;

/// What happens during a transcription.
#[derive(Debug, Clone, Copy)]
pub enum Event<'a> {
    /// The language was detected: codes with probabilities, the most probable first.
    Language(&'a [(String, f32)]),
    /// A segment is finished.
    Segment(&'a Segment),
    /// So many seconds of the recording are done.
    Progress {
        /// Seconds that are done. Clips given in falling order are done in that order; otherwise it only grows.
        processed: f64,
        /// Seconds that there are.
        total: f64,
    },
}

/// How a transcription is watched and stopped.
pub struct Control<'a> {
    /// Set it, from any thread, to stop: within one step of the decoder, or one layer of the encoder.
    pub cancel: Cancel<'a>,
    on_event: Option<Box<Listener<'a>>>,
}

/// Whoever is told what happens.
type Listener<'a> = dyn FnMut(Event<'_>) + 'a;

/// What is never set: for work that nobody stops.
static NEVER: AtomicBool = AtomicBool::new(false);

impl<'a> Control<'a> {
    /// No one watches, no one stops it.
    pub fn new() -> Self {
        Control { cancel: Cancel::Lent(&NEVER), on_event: None }
    }

    /// Stops when `cancel` is set, and tells `on_event` what happens.
    pub fn with(cancel: &'a AtomicBool, on_event: &'a mut dyn FnMut(Event<'_>)) -> Self {
        Control { cancel: Cancel::Lent(cancel), on_event: Some(Box::new(on_event)) }
    }

    /// The same for somebody who may go before the work ends.
    pub fn shared(cancel: Arc<AtomicBool>, on_event: impl FnMut(Event<'_>) + 'a) -> Self {
        Control { cancel: Cancel::Shared(cancel), on_event: Some(Box::new(on_event)) }
    }

    /// The same control, lent for a while.
    pub(crate) fn reborrow(&mut self) -> Control<'_> {
        Control {
            cancel: self.cancel.clone(),
            on_event: self.on_event.as_mut().map(|on_event| Box::new(on_event) as _),
        }
    }

    pub(crate) fn tell(&mut self, event: Event<'_>) {
        if let Some(on_event) = &mut self.on_event {
            on_event(event);
        }
    }
}

impl Default for Control<'_> {
    fn default() -> Self {
        Control::new()
    }
}
