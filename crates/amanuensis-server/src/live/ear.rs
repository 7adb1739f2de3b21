//! What hears for a socket: the engine's session, and the hearing that is running.

use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use amanuensis::audio::{RawFormat, Stream};
use amanuensis::live::{Session, Settings, Update};
use amanuensis::{Options, Outcome};

use crate::error::ApiError;
use crate::state::Shared;

type Running = Pin<Box<dyn Future<Output = Result<Outcome, ApiError>> + Send>>;

/// What hears for a socket. Dropping it ends what it lets run.
pub(crate) struct Ear {
    shared: Arc<Shared>,
    client: String,
    /// One of the library's names.
    model: String,
    stream: Stream,
    session: Session,
    running: Option<(u64, Instant, Running)>,
    /// When sound came last.
    fed: Instant,
}

/// What an ear is to do.
pub(crate) struct Task {
    /// The model, as the client named it.
    pub(crate) model: String,
    pub(crate) format: RawFormat,
    pub(crate) settings: Settings,
    pub(crate) options: Options,
}

impl Ear {
    pub(crate) fn new(shared: Arc<Shared>, client: &str, task: Task) -> Result<Self, ApiError> {
        let (model, stream) = checked(&shared, &task)?;
        let session = Session::new(task.settings, task.options);
        let client = client.to_owned();
        Ok(Ear { shared, client, model, stream, session, running: None, fed: Instant::now() })
    }

    /// Goes on with something else to do.
    pub(crate) fn configure(&mut self, task: Task) -> Result<(), ApiError> {
        (self.model, self.stream) = checked(&self.shared, &task)?;
        self.session.configure(task.settings, task.options);
        Ok(())
    }

    /// The model that hears.
    pub(crate) fn model(&self) -> &str {
        &self.model
    }

    /// Takes the bytes of a sound as they come.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Result<(), ApiError> {
        self.fed = Instant::now();
        let samples = self.stream.push(bytes);
        self.take(&samples)
    }

    fn take(&mut self, samples: &[f32]) -> Result<(), ApiError> {
        self.session.feed(samples).map_err(|error| ApiError::too_many("too_fast", 1, error.to_string()))
    }

    /// Ends the utterance here.
    pub(crate) fn commit(&mut self) {
        self.session.commit();
    }

    /// Ends the sound.
    pub(crate) fn finish(&mut self) {
        let rest = self.stream.finish();
        // A few milliseconds at most: where they have no room, the end of the sound is heard without them.
        let _ = self.take(&rest);
        self.session.finish();
    }

    /// Forgets the sound since the last commit.
    pub(crate) fn clear(&mut self) {
        self.session.clear();
    }

    /// Lets the next hearing run, if there is one and none is running.
    pub(crate) fn listen(&mut self) {
        if self.running.is_some() {
            return;
        }
        self.session.hurry(self.shared.live.is_crowded());
        if let Some(hearing) = self.session.hearing() {
            let waiting = self.shared.live.begin_hearing();
            let (model, client) = (self.model.clone(), self.client.clone());
            let outcome = Arc::clone(&self.shared).hear_live(model, hearing.recording, hearing.options, client);
            let outcome = async move {
                let _waiting = waiting;
                outcome.await
            };
            self.running = Some((hearing.id, Instant::now(), Box::pin(outcome)));
        }
    }

    /// Waits until what is running is over; for ever if nothing is. What failed is told.
    pub(crate) async fn hear(&mut self) -> Result<(), ApiError> {
        let Some((id, began, running)) = &mut self.running else { return std::future::pending().await };
        let (outcome, id, took) = (running.await, *id, began.elapsed());
        self.running = None;
        match outcome {
            Ok(outcome) => {
                self.session.heard(id, &outcome.transcript, took);
                Ok(())
            }
            Err(error) => {
                self.session.failed(id);
                Err(error)
            }
        }
    }

    /// Lets go of what is running; it is heard anew when its client has come back.
    pub(crate) fn rest(&mut self) {
        if let Some((id, ..)) = self.running.take() {
            self.session.lost(id);
        }
    }

    /// What is to be told.
    pub(crate) fn updates(&mut self) -> impl Iterator<Item = Update> + use<> {
        self.session.updates()
    }

    /// Seconds of sound of which nothing is told yet.
    pub(crate) fn lag(&self) -> f64 {
        self.session.lag()
    }

    /// Seconds of sound that came.
    pub(crate) fn duration(&self) -> f64 {
        self.session.duration()
    }

    /// Seconds of sound that a commit would end.
    pub(crate) fn uncommitted(&self) -> f64 {
        self.session.uncommitted()
    }

    /// Whether all is told, and no more sound will come.
    pub(crate) fn is_over(&self) -> bool {
        self.session.is_over()
    }

    /// How long no sound came.
    pub(crate) fn idle(&self) -> Duration {
        self.fed.elapsed()
    }
}

impl Drop for Ear {
    fn drop(&mut self) {
        self.shared.metrics.heard_live(self.session.duration());
    }
}

fn checked(shared: &Shared, task: &Task) -> Result<(String, Stream), ApiError> {
    task.settings.check().map_err(|error| ApiError::bad(error.setting, error.to_string()))?;
    task.options.check()?;
    let model = shared.models.resolve(&task.model)?.to_owned();
    let stream = Stream::new(task.format).map_err(|error| ApiError::bad("sample_rate", error.to_string()))?;
    Ok((model, stream))
}
