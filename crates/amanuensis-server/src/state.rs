//! What all requests share.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, watch};

use crate::error::ApiError;
use crate::gate::Gate;
use crate::jobs::Jobs;
use crate::keys::Keys;
use crate::live::{Seats, Secrets};
use crate::metrics::{Gauges, Metrics};
use crate::models::{Library, Models};
use crate::scheduler::Scheduler;
use crate::settings::Settings;

/// What all requests share.
pub(crate) struct Shared {
    pub(crate) settings: Settings,
    pub(crate) keys: Keys,
    pub(crate) gate: Arc<Gate>,
    pub(crate) models: Models,
    pub(crate) scheduler: Scheduler,
    pub(crate) metrics: Arc<Metrics>,
    /// None where no folder was named to keep them.
    pub(crate) jobs: Option<Arc<Jobs>>,
    /// One for each sound that may be decoded at a time.
    pub(crate) decoders: Arc<Semaphore>,
    pub(crate) live: Arc<Seats>,
    /// What opens live sessions without a key.
    pub(crate) secrets: Secrets,
    stopping: watch::Sender<bool>,
    /// Why no work is taken yet; none once the first model is loaded.
    cold: Mutex<Option<ApiError>>,
}

impl Shared {
    pub(crate) fn new(
        settings: Settings,
        keys: Keys,
        library: Arc<dyn Library>,
        jobs: Option<Jobs>,
    ) -> std::io::Result<Self> {
        let metrics = Arc::new(Metrics::new());
        let together = NonZeroUsize::new(settings.together).unwrap_or(NonZeroUsize::MIN);
        let processors = std::thread::available_parallelism().map_or(2, NonZeroUsize::get);
        Ok(Shared {
            gate: Arc::new(Gate::new(settings.max_requests_per_minute, settings.max_concurrent)),
            scheduler: Scheduler::start(together, Duration::from_secs(settings.stalled_after), Arc::clone(&metrics))?,
            models: Models::new(library, settings.models_memory, settings.warm_up),
            metrics,
            jobs: jobs.map(Arc::new),
            decoders: Arc::new(Semaphore::new(processors)),
            live: Arc::new(Seats::new(&settings)),
            secrets: Secrets::default(),
            stopping: watch::Sender::new(false),
            cold: Mutex::new(Some(ApiError::unavailable("model_loading", 2, "the model is being loaded"))),
            settings,
            keys,
        })
    }

    pub(crate) fn is_stopping(&self) -> bool {
        *self.stopping.borrow()
    }

    /// Tells whoever waits for it that no more work is taken.
    pub(crate) fn stopping(&self) -> watch::Receiver<bool> {
        self.stopping.subscribe()
    }

    /// Comes when no more work is taken.
    pub(crate) async fn stopped(&self) {
        let _ = self.stopping().wait_for(|is_stopping| *is_stopping).await;
    }

    /// Takes no more work.
    pub(crate) fn stop(&self) {
        self.stopping.send_replace(true);
    }

    /// The first model is loaded, or was not, and why.
    pub(crate) fn set_cold(&self, cold: Option<ApiError>) {
        *self.cold.lock().unwrap_or_else(PoisonError::into_inner) = cold;
    }

    /// Whether work is taken, and if not, why.
    pub(crate) fn readiness(&self) -> Result<(), ApiError> {
        if self.is_stopping() {
            Err(ApiError::unavailable("shutting_down", 10, "the server is being stopped"))
        } else if let Some(cold) = self.cold.lock().unwrap_or_else(PoisonError::into_inner).clone() {
            Err(cold)
        } else if let Some(seconds) = self.scheduler.board().stalled() {
            let message =
                format!("the engine has not come to the end of a round for {seconds} s; the server's log says more");
            Err(ApiError::unavailable("stalled", 60, message))
        } else {
            Ok(())
        }
    }

    /// A refusal for want of room says when there should be some, as fast as sound was heard so far.
    pub(crate) fn with_honest_wait(&self, error: ApiError) -> ApiError {
        let board = self.scheduler.board();
        let wait = error.retry_after.map(|seconds| board.wait_for(seconds as f64));
        ApiError { retry_after: wait, ..error }
    }

    /// What is known only at the moment of asking.
    pub(crate) fn gauges(&self) -> Gauges {
        let board = self.scheduler.board();
        Gauges {
            queued_seconds: board.queued_seconds(),
            open: board.open(),
            work: board.work(),
            receipt: board.receipt(),
            live: self.live.figures(),
            models_loaded: self.models.status().iter().filter(|model| model.state == "loaded").count(),
            models_bytes: self.models.bytes(),
            jobs: self.jobs.as_ref().map(|jobs| jobs.counts()).unwrap_or_default(),
        }
    }
}
