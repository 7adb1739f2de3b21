//! The demo model on a processor that does as it is told: panics, or does not come to an end.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};

use amanuensis::Engine;
use amanuensis::backend::cpu::Cpu;
use amanuensis::backend::{Availability, Backend, BackendError, ComputeType, Decoding, Encoded, Model, Work};
use amanuensis::mel::Mel;
use amanuensis::model::{self, Dims, ModelFile, Source};
use amanuensis_server::{Library, LoadError};

pub(crate) fn in_repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

/// What the next windows are to do.
#[derive(Default)]
pub(crate) struct Mood {
    /// The next one panics.
    pub(crate) panics: AtomicBool,
    held: Mutex<bool>,
    moved: Condvar,
    /// How often a model was loaded.
    pub(crate) loads: AtomicUsize,
}

impl Mood {
    /// Whether windows come to no end.
    pub(crate) fn hold(&self, is_held: bool) {
        *self.held.lock().expect("nobody panics with it") = is_held;
        self.moved.notify_all();
    }

    fn heed(&self) {
        let mut held = self.held.lock().expect("nobody panics with it");
        while *held {
            held = self.moved.wait(held).expect("nobody panics with it");
        }
        drop(held);
        assert!(!self.panics.swap(false, Ordering::Relaxed), "as it was told");
    }
}

struct Moody(Arc<Mood>);

struct MoodyModel {
    inner: Box<dyn Model>,
    mood: Arc<Mood>,
}

impl Backend for Moody {
    fn name(&self) -> &'static str {
        "moody"
    }

    fn probe(&self) -> Availability {
        Availability::Ready("a test".to_owned())
    }

    fn load(&self, file: &ModelFile) -> Result<Box<dyn Model>, BackendError> {
        let inner = Cpu::new(NonZeroUsize::new(1), ComputeType::default()).load(file)?;
        Ok(Box::new(MoodyModel { inner, mood: Arc::clone(&self.0) }))
    }
}

impl Model for MoodyModel {
    fn dims(&self) -> &Dims {
        self.inner.dims()
    }

    fn bytes(&self) -> u64 {
        self.inner.bytes()
    }

    fn encode(&self, windows: &[Mel], work: &mut Work<'_>) -> Result<Encoded, BackendError> {
        self.mood.heed();
        self.inner.encode(windows, work)
    }

    fn begin<'a>(&'a self, encoded: &Encoded, work: &mut Work<'_>) -> Result<Box<dyn Decoding + 'a>, BackendError> {
        self.inner.begin(encoded, work)
    }
}

/// The demo model under some names.
pub(crate) struct Shelf {
    pub(crate) names: Vec<String>,
    pub(crate) mood: Arc<Mood>,
}

/// The demo model on that processor.
pub(crate) fn demo(mood: &Arc<Mood>) -> Result<Engine, LoadError> {
    let file = model::open(&Source::Path(in_repository("models/demo"))).map_err(amanuensis::Error::from)?;
    Ok(Engine::with(file, &Moody(Arc::clone(mood)))?)
}

impl Library for Shelf {
    fn names(&self) -> Vec<String> {
        self.names.clone()
    }

    fn load(&self, _: &str) -> Result<Engine, LoadError> {
        self.mood.loads.fetch_add(1, Ordering::Relaxed);
        demo(&self.mood)
    }
}
