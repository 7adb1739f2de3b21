//! The seam: what a device does for the engine.
//!
//! Whole windows cross it, and batches of them, never single operations: a device that must be asked
//! for every layer norm spends its time being asked. A backend loads a model; the model encodes
//! windows of log-mel; a decoding reads the encoded windows token by token, in as many lanes at once
//! as there are windows, beams and requests to serve.

mod attention;
mod choice;
mod compute;
pub mod cpu;
mod encoded;
mod placement;
mod receipt;
mod several;

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

pub use attention::CrossAttention;
pub(crate) use choice::scores;
pub use choice::{Candidate, Choices, Next, Permitted, TokenSet, Wanted};
pub use compute::{ComputeType, UnknownComputeType};
pub use encoded::{Encoded, Kept};
pub use placement::{Placement, Share};
pub use receipt::{Receipt, Stage, StageTime};
pub use several::Several;

use crate::mel::Mel;
use crate::model::{Dims, ModelError, ModelFile};
use crate::tokens::Token;

/// A kind of device that can run a model.
pub trait Backend: Send + Sync {
    /// The name it is asked for by, as in `--device cpu`.
    fn name(&self) -> &'static str;
    /// What is there, in words, or why nothing is.
    fn probe(&self) -> Availability;
    /// Brings a model onto the device.
    fn load(&self, file: &ModelFile) -> Result<Box<dyn Model>, BackendError>;
}

/// Whether a backend can be used here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Availability {
    /// It can; the text names the device as it was found.
    Ready(String),
    /// It cannot; the text says what is missing.
    Absent(String),
}

/// A model on a device.
pub trait Model: Send + Sync {
    /// The shape of the model.
    fn dims(&self) -> &Dims;
    /// Bytes of this machine's memory that the weights take, as they lie there; 0 where they lie elsewhere.
    fn bytes(&self) -> u64 {
        0
    }
    /// How many of so many windows can be heard together, each in so many lanes at once: all, unless memory is short. It is asked
    /// before every batch, which is made no larger than that.
    ///
    /// # Errors
    ///
    /// If not one can.
    fn together(&self, windows: usize, _lanes: usize) -> Result<usize, BackendError> {
        Ok(windows)
    }
    /// Whether windows can be encoded while others are decoded, in two threads, so that both take less time than one after the other.
    fn encodes_beside(&self) -> bool {
        false
    }
    /// Runs the encoder over every window. A window may be shorter than the model's context, and each of another
    /// length: what is computed is as much less.
    ///
    /// # Panics
    ///
    /// If a window has not the bins of the model, or frames that are not two for each position, or more positions than
    /// the model, or none.
    fn encode(&self, windows: &[Mel], work: &mut Work<'_>) -> Result<Encoded, BackendError>;
    /// Prepares to read the encoded windows: their cross-attention keys and values are computed here, once. What another model or
    /// backend encoded is an error where it is kept elsewhere, or is of another width.
    fn begin<'a>(&'a self, encoded: &Encoded, work: &mut Work<'_>) -> Result<Box<dyn Decoding + 'a>, BackendError>;
}

/// The decoder at work on some encoded windows.
pub trait Decoding: Send {
    /// Starts anew with one empty lane for each entry, which names the window that the lane listens to.
    ///
    /// # Panics
    ///
    /// If a window is named that was not encoded.
    fn start(&mut self, windows: &[usize]);
    /// Gives every lane its next tokens, and writes the logits that were asked for.
    ///
    /// # Panics
    ///
    /// If there are not as many feeds as lanes, or logits are wanted at a position that a feed does not have.
    fn step(&mut self, feeds: &[Feed<'_>], logits: &mut Logits, work: &mut Work<'_>) -> Result<(), BackendError> {
        self.attend(feeds, &[], logits, &mut CrossAttention::default(), work)
    }
    /// Gives every lane its next tokens, and finds what is wanted of the logits that are read: something for each of them, in the
    /// order of lanes and then of positions.
    ///
    /// # Panics
    ///
    /// As `step` does; if there is not as much wanted as is read.
    fn choose(
        &mut self,
        feeds: &[Feed<'_>],
        wanted: &[Wanted<'_>],
        choices: &mut Choices,
        work: &mut Work<'_>,
    ) -> Result<(), BackendError> {
        let reads: usize = feeds.iter().map(|feed| feed.read.len()).sum();
        assert_eq!(wanted.len(), reads, "something wanted of all logits that are read");
        self.step(feeds, choices.begin(), work)?;
        let mut since = Instant::now();
        for (row, wanted) in wanted.iter().enumerate() {
            choices.find(wanted, row)?;
        }
        work.receipt.lap(Stage::Search, &mut since);
        Ok(())
    }
    /// Does what `step` does, and appends to `attention` what the cross-attention's `heads`, each a layer and a head
    /// in it, made of every token fed. Heads that nobody asks for cost nothing.
    ///
    /// # Panics
    ///
    /// As `step` does; if the model has no such head; if `attention` holds rows of other lanes, windows or heads.
    fn attend(
        &mut self,
        feeds: &[Feed<'_>],
        heads: &[(usize, usize)],
        logits: &mut Logits,
        attention: &mut CrossAttention,
        work: &mut Work<'_>,
    ) -> Result<(), BackendError>;
    /// Makes lane `i` a continuation of what lane `parents[i]` was; lanes that nobody names end.
    ///
    /// # Panics
    ///
    /// If a parent is named that is not a lane.
    fn keep(&mut self, parents: &[usize]);
}

/// What one lane is given in a step.
#[derive(Debug, Clone, Copy)]
pub struct Feed<'a> {
    /// The tokens that follow those the lane has seen.
    pub tokens: &'a [Token],
    /// At which of these tokens, in rising order, the logits of the next one are wanted.
    pub read: &'a [usize],
}

/// The logits that a step was asked for, in the order of lanes and then of positions.
#[derive(Debug, Clone, Default)]
pub struct Logits {
    vocabulary: usize,
    values: Vec<f32>,
}

impl Logits {
    /// Makes room for `rows` rows and gives all of them to be written.
    pub fn prepare(&mut self, rows: usize, vocabulary: usize) -> &mut [f32] {
        self.vocabulary = vocabulary;
        self.values.resize(rows * vocabulary, 0.0);
        &mut self.values
    }

    /// Row `index`: one value for each token of the vocabulary.
    pub fn row(&mut self, index: usize) -> &mut [f32] {
        &mut self.values[index * self.vocabulary..][..self.vocabulary]
    }
}

/// Whoever looks at what a stage made of a window.
pub type Watch<'a> = dyn FnMut(Stage, &[f32]) + 'a;

/// One piece of work as it goes through the stages: it can be cancelled, and it collects its receipt.
pub struct Work<'a> {
    /// Set from outside to end the work.
    pub cancel: &'a AtomicBool,
    /// Those for whom it is done, if they can go: when all have gone, it ends.
    pub wanted_by: Vec<Cancel<'a>>,
    /// What ran where, and how long it took.
    pub receipt: Receipt,
    /// Is shown what each encoder stage made of a window, by backends that can: to compare them with a reference.
    pub watch: Option<&'a mut Watch<'a>>,
}

impl<'a> Work<'a> {
    /// Work that ends when `cancel` becomes true.
    pub fn new(cancel: &'a AtomicBool) -> Self {
        Work { cancel, wanted_by: Vec::new(), receipt: Receipt::default(), watch: None }
    }

    /// Shows what `stage` made of a window to whoever watches.
    pub fn show(&mut self, stage: Stage, values: &[f32]) {
        if let Some(watch) = &mut self.watch {
            watch(stage, values);
        }
    }

    /// Whether the work is to end: an error if so, to be handed up with `?`.
    pub fn proceed(&self) -> Result<(), BackendError> {
        let deserted = !self.wanted_by.is_empty() && self.wanted_by.iter().all(Cancel::is_set);
        if deserted || self.cancel.load(Ordering::Relaxed) { Err(BackendError::Cancelled) } else { Ok(()) }
    }
}

/// A flag that somebody sets who does not want a piece of work any more.
#[derive(Debug, Clone)]
pub enum Cancel<'a> {
    /// Owned by whoever waits for the work.
    Lent(&'a AtomicBool),
    /// Owned together with somebody who may go before the work ends.
    Shared(Arc<AtomicBool>),
}

impl Cancel<'_> {
    /// Whether the work is not wanted any more.
    pub fn is_set(&self) -> bool {
        self.load(Ordering::Relaxed)
    }
}

impl Deref for Cancel<'_> {
    type Target = AtomicBool;

    fn deref(&self) -> &AtomicBool {
        match self {
            Cancel::Lent(flag) => flag,
            Cancel::Shared(flag) => flag,
        }
    }
}

/// Why a backend did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum BackendError {
    /// The work was cancelled.
    #[error("cancelled")]
    Cancelled,
    /// The model does not fit the backend, or its files are at fault.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The device cannot be used.
    #[error("device {device}: {reason}")]
    Device {
        /// The backend's name.
        device: &'static str,
        /// What is missing, and what to do.
        reason: String,
    },
    /// What one model encoded was given to another that cannot read it.
    #[error("what was heard cannot be read here: {reason}; encode the windows with the model that is to decode them")]
    Foreign {
        /// Why it cannot.
        reason: String,
    },
    /// More tokens than the decoder has positions for.
    #[error("a lane would hold {tokens} tokens, but the model's decoder has {limit} positions")]
    TooLong {
        /// Tokens the lane would hold.
        tokens: usize,
        /// Positions of the model.
        limit: usize,
    },
    /// The arithmetic gave something that is not a number.
    #[error("the model computed values that are not numbers ({place}); its weights are damaged or overflow")]
    NotANumber {
        /// Where it was noticed.
        place: &'static str,
    },
}
