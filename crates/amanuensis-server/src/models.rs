//! The models: which there are, and which are loaded.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use amanuensis::audio::{Recording, SAMPLE_RATE};
use amanuensis::backend::BackendError;
use amanuensis::{Control, Engine, Options};
use serde::Serialize;
use tokio::sync::OnceCell;

use crate::error::ApiError;

/// Where models come from. The server learns neither files nor devices: whoever starts it knows them.
pub trait Library: Send + Sync {
    /// The names of the models that may be asked for; the first is the one that `whisper-1` stands for.
    fn names(&self) -> Vec<String>;

    /// What models are loaded onto, in the words of whoever chose it: told to people, and not understood. What did the work is what
    /// receipts say.
    fn device(&self) -> Option<String> {
        None
    }

    /// Loads a model of that name, which is one of `names`.
    ///
    /// # Errors
    /// What to tell the operator; a client learns only that the model could not be loaded, or which device is missing.
    fn load(&self, name: &str) -> Result<Engine, LoadError>;
}

/// Why a model could not be loaded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    /// A device that must be used cannot be.
    #[error("device {device}: {reason}")]
    Device {
        /// Its name.
        device: &'static str,
        /// What is missing, and what to do.
        reason: String,
    },
    /// Anything else.
    #[error("{0}")]
    Other(String),
}

impl From<amanuensis::Error> for LoadError {
    fn from(error: amanuensis::Error) -> Self {
        match error {
            amanuensis::Error::Backend(BackendError::Device { device, reason }) => LoadError::Device { device, reason },
            error => LoadError::Other(error.to_string()),
        }
    }
}

/// A model that is loaded.
pub(crate) struct Loaded {
    engine: Engine,
    is_broken: AtomicBool,
}

impl Loaded {
    pub(crate) fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Nobody is to use it any more.
    pub(crate) fn mark_broken(&self) {
        self.is_broken.store(true, Ordering::Relaxed);
    }
}

/// A model's place: empty, being filled by one while others wait, or filled.
struct Slot {
    cell: OnceCell<Arc<Loaded>>,
    /// Milliseconds since the start at which it was last asked for.
    used: AtomicU64,
    /// Bytes of its weights; 0 until there is room for it.
    bytes: AtomicU64,
}

impl Slot {
    /// Whether somebody uses the model, or waits for it.
    fn is_used(self: &Arc<Self>) -> bool {
        Arc::strong_count(self) > 1 || self.cell.get().is_none_or(|model| Arc::strong_count(model) > 1)
    }
}

/// A model as it is told of.
#[derive(Debug, Serialize)]
pub(crate) struct ModelStatus {
    pub(crate) id: String,
    pub(crate) state: &'static str,
    /// Recordings that are using it.
    pub(crate) users: usize,
    /// Memory that its weights take.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) warnings: Option<Vec<String>>,
}

/// All models.
pub(crate) struct Models {
    library: Arc<dyn Library>,
    names: Vec<String>,
    /// Most bytes of weights.
    most_bytes: Option<u64>,
    warm_up: bool,
    slots: Mutex<BTreeMap<String, Arc<Slot>>>,
    begun: Instant,
    /// When the names were learned, in seconds since 1970.
    created: u64,
}

impl Models {
    pub(crate) fn new(library: Arc<dyn Library>, most_bytes: Option<u64>, warm_up: bool) -> Self {
        let names = library.names();
        let created = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        Models { library, names, most_bytes, warm_up, slots: Mutex::default(), begun: Instant::now(), created }
    }

    /// The names that may be asked for.
    pub(crate) fn names(&self) -> &[String] {
        &self.names
    }

    /// What they are loaded onto, in words.
    pub(crate) fn device(&self) -> Option<String> {
        self.library.device()
    }

    pub(crate) fn created(&self) -> u64 {
        self.created
    }

    /// The name that is meant by `asked`.
    pub(crate) fn resolve(&self, asked: &str) -> Result<&str, ApiError> {
        let asked = asked.trim();
        let known = self.names.iter().find(|name| name.as_str() == asked);
        let meant = if asked == "whisper-1" { known.or(self.names.first()) } else { known };
        meant.map(String::as_str).ok_or_else(|| {
            let names = self.names.join(", ");
            let message =
                format!("the model {asked:?} does not exist here; there is {names}, and whisper-1 for the first");
            ApiError { param: Some("model".to_owned()), ..ApiError::not_found("model_not_found", message) }
        })
    }

    fn slots(&self) -> MutexGuard<'_, BTreeMap<String, Arc<Slot>>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The model of that name, which is one of the names; loads it if it is not loaded. Who comes meanwhile waits for the same.
    pub(crate) async fn get(&self, name: &str) -> Result<Arc<Loaded>, ApiError> {
        let slot = {
            let mut slots = self.slots();
            let broken =
                |slot: &Arc<Slot>| slot.cell.get().is_some_and(|model| model.is_broken.load(Ordering::Relaxed));
            if slots.get(name).is_some_and(broken) {
                slots.remove(name);
            }
            let empty = || Arc::new(Slot { cell: OnceCell::new(), used: AtomicU64::new(0), bytes: AtomicU64::new(0) });
            let slot = Arc::clone(slots.entry(name.to_owned()).or_insert_with(empty));
            slot.used.store(self.begun.elapsed().as_millis() as u64, Ordering::Relaxed);
            slot
        };
        let model = slot.cell.get_or_try_init(|| self.load(name, &slot)).await?;
        Ok(Arc::clone(model))
    }

    async fn load(&self, name: &str, slot: &Slot) -> Result<Arc<Loaded>, ApiError> {
        let (library, asked) = (Arc::clone(&self.library), name.to_owned());
        let (began, warm_up) = (Instant::now(), self.warm_up);
        let load = move || {
            let engine = library.load(&asked)?;
            if warm_up {
                warm(&engine)?;
            }
            Ok(engine)
        };
        let loaded = tokio::task::spawn_blocking(load).await;
        let failed = |error: LoadError| {
            tracing::error!(model = name, reason = %error, "a model cannot be loaded");
            match error {
                LoadError::Device { device, reason } => ApiError::no_device(device, &reason),
                LoadError::Other(_) => {
                    let message = format!("the model {name:?} cannot be loaded; the server's log says why");
                    ApiError::unavailable("model_unavailable", 60, message)
                }
            }
        };
        let engine = loaded.unwrap_or_else(|panic| Err(LoadError::Other(panic.to_string()))).map_err(failed)?;
        self.make_room(name, slot, engine.bytes())?;
        tracing::info!(model = name, seconds = began.elapsed().as_secs_f64(), bytes = engine.bytes(), "model loaded");
        Ok(Arc::new(Loaded { engine, is_broken: AtomicBool::new(false) }))
    }

    /// Bytes of the weights of all models that are loaded.
    pub(crate) fn bytes(&self) -> u64 {
        self.slots().values().map(|slot| slot.bytes.load(Ordering::Relaxed)).sum()
    }

    /// Unloads what nobody has used for longest until a model of so many bytes has room.
    fn make_room(&self, name: &str, slot: &Slot, bytes: u64) -> Result<(), ApiError> {
        let most = self.most_bytes.unwrap_or(u64::MAX);
        if bytes > most {
            tracing::error!(model = name, bytes, models_memory = most, "a model is too large");
            let message =
                format!("the model {name:?} takes {bytes} bytes, and models_memory is {most}: it cannot be used here");
            return Err(ApiError::unavailable("model_too_large", 3600, message));
        }
        let mut slots = self.slots();
        loop {
            let held: u64 = slots.values().map(|slot| slot.bytes.load(Ordering::Relaxed)).sum();
            if held.saturating_add(bytes) <= most {
                slot.bytes.store(bytes, Ordering::Relaxed);
                return Ok(());
            }
            // The one that is loading is in use by whoever loads it.
            let idle = slots.iter().filter(|(_, slot)| !slot.is_used());
            let longest = idle.min_by_key(|(_, slot)| slot.used.load(Ordering::Relaxed)).map(|(name, _)| name.clone());
            let Some(other) = longest else {
                let message = format!(
                    "the model {name:?} takes {bytes} bytes, models that are in use {held}, and models_memory is {most}; try again \
                     when they are not"
                );
                return Err(ApiError::unavailable("models_in_use", 30, message));
            };
            tracing::info!(model = other, "model unloaded: its memory is needed for another");
            slots.remove(&other);
        }
    }

    /// Unloads what nobody has asked for so long, and nobody uses.
    pub(crate) fn unload_idle(&self, after: Duration) {
        let now = self.begun.elapsed();
        self.slots().retain(|name, slot| {
            let idle = now.saturating_sub(Duration::from_millis(slot.used.load(Ordering::Relaxed)));
            let stays = slot.is_used() || idle < after;
            if !stays {
                tracing::info!(model = name, "model unloaded: nobody has used it");
            }
            stays
        });
    }

    /// Every model, as it is told of.
    pub(crate) fn status(&self) -> Vec<ModelStatus> {
        let slots = self.slots();
        let status = |name: &String| {
            let slot = slots.get(name);
            let model = slot.and_then(|slot| slot.cell.get());
            ModelStatus {
                id: name.clone(),
                state: match (slot, model) {
                    (_, Some(_)) => "loaded",
                    (Some(slot), None) if Arc::strong_count(slot) > 1 => "loading",
                    _ => "unloaded",
                },
                users: model.map_or(0, |model| Arc::strong_count(model) - 1),
                bytes: model.map(|model| model.engine.bytes()),
                warnings: model.map(|model| model.engine.warnings().to_vec()),
            }
        };
        self.names.iter().map(status).collect()
    }
}

/// Lets a model hear a second of silence: its pages, buffers and threads are there when somebody asks.
fn warm(engine: &Engine) -> Result<(), LoadError> {
    let silence = Recording::from_samples(&vec![0.0; SAMPLE_RATE as usize]);
    let mut options = Options::default();
    options.search.temperatures.truncate(1);
    options.search.max_new_tokens = Some(8);
    let heard = engine.transcribe(&silence, &options, &mut Control::new());
    heard.map(drop).map_err(|error| match error.into() {
        LoadError::Other(reason) => {
            LoadError::Other(format!("it was loaded, and cannot hear a second of silence: {reason}"))
        }
        device => device,
    })
}
