//! What works on jobs: takes them from the store, lets them be heard, keeps every step, and tells who wants to know.
//!
//! What is told of was read from the store, so nothing is told that a dying process could take back.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use amanuensis::audio::Input;
use amanuensis::{Error, Outcome, Saved, Segment};
use serde_json::{Value, json};
use tokio::sync::{Notify, watch};
use tracing::Instrument;

use super::store::{Delivery, Step, Store, StoreError, Taken};
use super::webhook::{Refusal, Sender};
use super::{Job, Status};
use crate::answer::logprobs;
use crate::error::ApiError;
use crate::hear::Times;
use crate::scheduler::{Class, Failure, Happening, Task};
use crate::state::Shared;
use crate::wish::{Endpoint, Wish};

/// How often it is looked whether the server is to stop.
const GLANCE: Duration = Duration::from_millis(100);
/// When what failed for a reason that passes, such as a full disk, is tried again.
const AGAIN: Duration = Duration::from_secs(5);
/// How often it is looked for what has expired.
const TIDY: Duration = Duration::from_secs(30);
/// Messages that are delivered at a time.
const MESSAGES: usize = 8;

/// The jobs of a server.
pub(crate) struct Jobs {
    store: Arc<Store>,
    /// What delivers webhooks; none where nothing signs them.
    pub(crate) sender: Option<Arc<Sender>>,
    /// There may be a job to be taken.
    wake: Notify,
    /// There may be a message to be delivered.
    mail: Notify,
    /// Counts changes, for those who watch.
    changes: watch::Sender<u64>,
    /// The jobs that are worked on, and how each is told that it is not wanted any more.
    running: Mutex<HashMap<i64, Arc<Notify>>>,
}

/// How the work on a job ended.
enum Ended {
    Done(Box<Value>),
    Failed(ApiError),
    /// What was saved of it does not fit.
    Misfit(String),
    /// It was cancelled; the store knows.
    Unwanted,
    /// It goes on later: the server stops, or the model cannot be loaded now.
    Later(Duration),
}

impl Jobs {
    pub(crate) fn new(store: Store, sender: Option<Sender>) -> Self {
        let (store, sender) = (Arc::new(store), sender.map(Arc::new));
        let (wake, mail, changes) = (Notify::new(), Notify::new(), watch::Sender::new(0));
        Jobs { store, sender, wake, mail, changes, running: Mutex::default() }
    }

    fn running(&self) -> MutexGuard<'_, HashMap<i64, Arc<Notify>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks the store, on a thread that may wait for the disk.
    pub(crate) async fn ask<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&Store) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, ApiError> {
        let store = Arc::clone(&self.store);
        let asked = tokio::task::spawn_blocking(move || ask(&store)).await;
        asked.map_err(|error| ApiError::fault(error.to_string()))?.map_err(ApiError::from)
    }

    /// The process is about to end in order.
    pub(crate) fn put_down(&self) {
        if let Err(error) = self.store.put_down() {
            tracing::warn!(%error, "the end of the process will look like a crash to its jobs");
        }
    }

    /// How many jobs there are of each status.
    pub(crate) fn counts(&self) -> std::collections::BTreeMap<&'static str, u64> {
        self.store.counts().unwrap_or_default()
    }

    /// Tells of every change from now on.
    pub(crate) fn watch(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// A job has come, or has come further.
    pub(crate) fn changed(&self) {
        self.changes.send_modify(|count| *count += 1);
        self.wake.notify_one();
    }

    /// A job was cancelled: whoever works on it stops.
    pub(crate) fn stop(&self, job: &Job) {
        if let Some(unwanted) = self.running().get(&job.number) {
            unwanted.notify_one();
        }
        self.mail.notify_one();
        self.changed();
    }
}

/// Works on jobs until the server stops.
pub(crate) async fn work(shared: Arc<Shared>, jobs: Arc<Jobs>) {
    let most = shared.settings.together;
    let mut tasks = tokio::task::JoinSet::new();
    while !shared.is_stopping() {
        while tasks.try_join_next().is_some() {}
        if tasks.len() < most {
            match jobs.ask(Store::take).await {
                Ok(Some(taken)) => {
                    jobs.changes.send_modify(|count| *count += 1);
                    let span = tracing::info_span!("job", id = taken.job.id, model = taken.job.model);
                    tasks.spawn(run(Arc::clone(&shared), Arc::clone(&jobs), taken).instrument(span));
                    continue;
                }
                Ok(None) => {}
                Err(_) => tokio::time::sleep(AGAIN).await,
            }
        }
        tokio::select! {
            () = jobs.wake.notified() => {}
            Some(_) = tasks.join_next() => {}
            () = tokio::time::sleep(GLANCE) => {}
        }
    }
    while tasks.join_next().await.is_some() {}
}

/// Works on a job to its end.
async fn run(shared: Arc<Shared>, jobs: Arc<Jobs>, taken: Taken) {
    let Taken { job, mut saved } = taken;
    let unwanted = Arc::new(Notify::new());
    jobs.running().insert(job.number, Arc::clone(&unwanted));
    loop {
        let ended = tokio::select! {
            ended = hear(&shared, &jobs, &job, saved.take()) => ended,
            () = unwanted.notified() => Ended::Unwanted,
        };
        if let Ended::Misfit(reason) = &ended {
            tracing::warn!(job = job.id, reason, "what was done of a job does not fit any more; it begins anew");
            let number = job.number;
            if jobs.ask(move |store| store.begin_anew(number)).await.is_ok() {
                continue;
            }
        }
        end(&shared, &jobs, &job, ended).await;
        break;
    }
    jobs.running().remove(&job.number);
    jobs.mail.notify_one();
    jobs.changed();
}

/// Writes down how a job ended; again and again while the disk refuses.
async fn end(shared: &Shared, jobs: &Jobs, job: &Job, ended: Ended) {
    let number = job.number;
    let ended = match ended {
        Ended::Unwanted => return,
        Ended::Later(pause) => {
            let until = tokio::time::Instant::now() + pause;
            while !shared.is_stopping() && tokio::time::Instant::now() < until {
                tokio::time::sleep(GLANCE).await;
            }
            None
        }
        Ended::Done(result) => Some(Ok(result)),
        Ended::Failed(error) => Some(Err(json!(error))),
        Ended::Misfit(reason) => Some(Err(json!(ApiError::fault(reason)))),
    };
    let ended = Arc::new(ended);
    loop {
        let what = Arc::clone(&ended);
        let written = jobs.ask(move |store| match &*what {
            None => store.put_back(number),
            Some(Ok(result)) => store.finish(number, result).map(drop),
            Some(Err(error)) => store.fail(number, error).map(drop),
        });
        if written.await.is_ok() || shared.is_stopping() {
            // Where it could not be written down, the next start takes the job up where it was saved last.
            return;
        }
        tokio::time::sleep(AGAIN).await;
    }
}

/// Lets a job be heard.
async fn hear(shared: &Arc<Shared>, jobs: &Jobs, job: &Job, saved: Option<Saved>) -> Ended {
    match try_hear(shared, jobs, job, saved).await {
        Ok(ended) => ended,
        Err(error) if error.status == axum::http::StatusCode::SERVICE_UNAVAILABLE => {
            Ended::Later(Duration::from_secs(error.retry_after.unwrap_or(10)))
        }
        Err(error) => Ended::Failed(error),
    }
}

async fn try_hear(shared: &Arc<Shared>, jobs: &Jobs, job: &Job, saved: Option<Saved>) -> Result<Ended, ApiError> {
    // It was read strictly when it came; what another version does not know any more is no reason to lose it.
    let wish = Wish::read(&job.fields, Endpoint::Jobs, true)?;
    let model = shared.models.get(shared.models.resolve(&job.model)?).await?;
    let (number, wanted) = (job.number, job.clone());
    // Not before: what becomes of the process while a model is loaded is not the job's doing.
    if !jobs.ask(move |store| store.begin(number)).await? {
        return Ok(Ended::Unwanted);
    }
    let sound = jobs.ask(move |store| store.sound(&wanted)).await?;
    let sound = sound.ok_or_else(|| ApiError::fault("the sound of the job is not there any more"))?;
    let input = Input::File { name: "file".to_owned(), file: Arc::new(sound) };
    let mut times = Times::begin();
    let recording = shared.decode(input, None).await?;
    times.decoded();
    let mut warnings = wish.warnings;
    warnings.extend(recording.warnings().iter().cloned());
    let prepared = shared.prepare(&model, recording, &wish.options).await?;
    times.prepared();
    if shared.is_stopping() {
        return Ok(Ended::Later(Duration::ZERO));
    }
    let place = shared.scheduler.board().aside(job.duration);
    let mut progress = Progress {
        number: job.number,
        kept: saved.as_ref().map_or(0, |saved| saved.segments.len()),
        waiting: Vec::new(),
        processed: job.processed,
        language: job.language.clone(),
    };
    let client = job.client.clone();
    let task = Task { model: Arc::clone(&model), prepared, class: Class::Job, client, deadline: None, place, saved };
    let mut hearing = shared.scheduler.hear(task)?;
    loop {
        let happening = tokio::select! {
            happening = hearing.happenings.recv() => happening,
            () = tokio::time::sleep(GLANCE) => {
                if shared.is_stopping() {
                    return Ok(Ended::Later(Duration::ZERO));
                }
                continue;
            }
        };
        match happening {
            // They come again, with what goes on behind them.
            Some(Happening::Segment(_)) => {}
            Some(Happening::Language(code)) => progress.language = Some(code),
            Some(Happening::Progress { processed }) => progress.processed = processed,
            Some(Happening::Saved(saved)) => {
                if !progress.keep(jobs, *saved).await {
                    return Ok(Ended::Unwanted);
                }
                jobs.changes.send_modify(|count| *count += 1);
                if shared.is_stopping() {
                    return Ok(Ended::Later(Duration::ZERO));
                }
            }
            Some(Happening::Done(Ok(outcome))) => {
                let mut outcome = *outcome;
                times.tell(&job.model, &outcome);
                outcome.warnings.splice(0..0, warnings);
                let options = wish.options;
                let result = shared.blocking(move || result(model.engine(), outcome, &options)).await?;
                return Ok(Ended::Done(Box::new(result)));
            }
            Some(Happening::Done(Err(Failure::Engine(Error::CannotResume { reason })))) => {
                return Ok(Ended::Misfit(reason));
            }
            Some(Happening::Done(Err(Failure::Engine(Error::Cancelled)))) => {
                return Ok(Ended::Later(Duration::ZERO));
            }
            Some(Happening::Done(Err(failure))) => return Err(failure.into()),
            None => return Err(ApiError::fault("the engine's thread has ended")),
        }
    }
}

fn result(engine: &amanuensis::Engine, outcome: Outcome, options: &amanuensis::Options) -> Value {
    let provenance = engine.provenance(&outcome, options);
    let mut transcript = outcome.transcript;
    transcript.provenance = Some(provenance);
    let keeps = options.search.keep_logprobs;
    // What a token says is known to the model only, which may be gone when the result is fetched.
    let logprobs = keeps.then(|| logprobs(engine.tokenizer(), &transcript.segments));
    json!({ "transcript": transcript, "warnings": outcome.warnings, "logprobs": logprobs })
}

/// How far a job has come, and what of it is not kept yet.
struct Progress {
    number: i64,
    /// Segments that are in the store, and those behind them that are not.
    kept: usize,
    waiting: Vec<Segment>,
    processed: f64,
    language: Option<String>,
}

impl Progress {
    /// Keeps a step. Whether the job is still wanted; what the disk refuses now is kept with the next step.
    async fn keep(&mut self, jobs: &Jobs, mut saved: Saved) -> bool {
        self.waiting.append(&mut saved.segments);
        let (number, before, processed, language) = (self.number, self.kept, self.processed, self.language.clone());
        let segments = std::mem::take(&mut self.waiting);
        let kept = jobs
            .ask(move |store| {
                let language = language.as_deref();
                let step = Step { saved: &saved, before, segments: &segments, processed, language };
                Ok((store.step(number, &step), segments))
            })
            .await;
        match kept {
            Ok((Ok(is_wanted), segments)) => {
                self.kept += segments.len();
                is_wanted
            }
            Ok((Err(error), segments)) => {
                tracing::error!(%error, "a step of a job could not be kept");
                self.waiting = segments;
                true
            }
            Err(_) => false,
        }
    }
}

/// Delivers what is to be told of jobs.
pub(crate) async fn deliver(jobs: Arc<Jobs>) {
    let Some(sender) = jobs.sender.clone() else { return };
    loop {
        let due = jobs.ask(|store| store.due(&[], MESSAGES)).await.unwrap_or_default();
        if due.is_empty() {
            let next = jobs.ask(Store::next_due).await.ok().flatten();
            let pause = Duration::from_secs(next.unwrap_or(60).clamp(1, 60));
            tokio::select! {
                () = jobs.mail.notified() => {}
                () = tokio::time::sleep(pause) => {}
            }
            continue;
        }
        let tries: Vec<_> = due
            .into_iter()
            .map(|delivery| {
                let (sender, store) = (Arc::clone(&sender), Arc::clone(&jobs.store));
                tokio::task::spawn_blocking(move || attempt(&sender, &store, &delivery))
            })
            .collect();
        let mut kept = true;
        for attempt in tries {
            kept &= attempt.await.is_ok_and(|kept| kept);
        }
        if !kept {
            tokio::time::sleep(AGAIN).await;
        }
    }
}

/// Tries to deliver a message. Whether it is written down what came of it.
fn attempt(sender: &Sender, store: &Store, delivery: &Delivery) -> bool {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default().as_secs();
    let written = match sender.send(delivery, now.cast_signed()) {
        Ok(()) => store.delivered(delivery.number),
        Err(refusal @ Refusal::Gone) => {
            tracing::warn!(message = delivery.message, %refusal, "a webhook is given up");
            store.delivered(delivery.number)
        }
        Err(refusal) => store.not_delivered(delivery).map(|pause| match pause {
            Some(seconds) => {
                tracing::info!(message = delivery.message, %refusal, seconds, "a webhook did not arrive; it is tried again");
            }
            None => tracing::warn!(message = delivery.message, %refusal, "a webhook did not arrive; it is given up"),
        }),
    };
    if let Err(error) = &written {
        tracing::error!(%error, "what came of a webhook could not be written down");
    }
    written.is_ok()
}

/// Forgets what has expired.
pub(crate) async fn tidy(jobs: Arc<Jobs>) {
    loop {
        if jobs.ask(Store::expire).await.is_ok_and(|forgotten| forgotten > 0) {
            jobs.changed();
        }
        tokio::time::sleep(TIDY).await;
    }
}

/// What is to be seen of a job now: it, and its segments from `from` on.
pub(crate) fn look(
    store: &Store,
    client: Option<&str>,
    id: &str,
    from: usize,
) -> Result<(Job, Vec<Segment>), StoreError> {
    let job = store.get(client, id)?;
    let segments = match job.status {
        Status::Succeeded => match store.result(job.number)? {
            Some(mut result) => {
                let all: Vec<Segment> = serde_json::from_value(result["transcript"]["segments"].take())?;
                all.into_iter().skip(from).collect()
            }
            None => Vec::new(),
        },
        _ => store.segments(job.number, from)?,
    };
    Ok((job, segments))
}
