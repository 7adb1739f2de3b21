//! `/v1/jobs`: transcriptions that outlive their connection, and the process.

use std::collections::VecDeque;
use std::sync::Arc;

use amanuensis::Transcript;
use axum::extract::{Query, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde_json::{Value, json};
use tokio::sync::watch;

use super::events::PING;
use super::named::Named;
use crate::answer::{self, Answer, Written};
use crate::error::ApiError;
use crate::form::Form;
use crate::guard::warn;
use crate::jobs::{Added, Filter, Job, Jobs, NewJob, Status, StoreError, look};
use crate::keys::Client;
use crate::state::Shared;
use crate::wish::{Endpoint, Wish};

/// Longest name of a request.
const LONGEST_KEY: usize = 255;
/// Jobs of a page.
const LIMIT: usize = 20;
const MOST: usize = 100;

type Asked = Query<Vec<(String, String)>>;

fn jobs(shared: &Shared) -> Result<Arc<Jobs>, ApiError> {
    let none = || ApiError::not_found("no_jobs", "this server keeps no jobs; --data names a folder where it does");
    shared.jobs.clone().ok_or_else(none)
}

/// Whose jobs a client sees.
fn whose(client: &Client) -> Option<String> {
    (!client.is_admin).then(|| client.name.clone())
}

fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, ApiError> {
    let Some(key) = headers.get("idempotency-key") else { return Ok(None) };
    let key = key.to_str().unwrap_or_default();
    if key.is_empty() || key.len() > LONGEST_KEY {
        let message = format!("Idempotency-Key: it has from 1 to {LONGEST_KEY} visible characters of ASCII");
        return Err(ApiError::bad("Idempotency-Key", message));
    }
    Ok(Some(key.to_owned()))
}

pub(super) async fn add(
    State(shared): State<Arc<Shared>>,
    Extension(client): Extension<Client>,
    request: Request,
) -> Result<Response, ApiError> {
    let jobs = jobs(&shared)?;
    if shared.is_stopping() {
        return Err(ApiError::unavailable("shutting_down", 10, "the server is being stopped"));
    }
    let key = idempotency_key(request.headers())?;
    let form = Form::read(request, &["file"], &shared.settings).await?;
    let wish = Wish::read(&form.fields, Endpoint::Jobs, shared.settings.lenient)?;
    let upload = form.file("file")?.clone();
    shared.metrics.uploaded(upload.bytes);
    let asked = wish.model.as_deref();
    let asked = asked.ok_or_else(|| {
        ApiError::bad("model", "there is no model; send its name, or whisper-1, as the field \"model\"")
    })?;
    let model = shared.models.resolve(asked)?.to_owned();
    match (&wish.webhook, &jobs.sender) {
        (Some(url), Some(sender)) => sender.check(url)?,
        (Some(_), None) => {
            return Err(ApiError::bad(
                "webhook_url",
                "this server sends no webhooks: it has no secret to sign them with",
            ));
        }
        (None, _) => {}
    }
    // Whoever sent it is there now to hear that it cannot be read, and how long it is decides whether there is room.
    let duration = shared.decode(upload.input(), None).await?.duration();
    let Wish { webhook, given, warnings, .. } = wish;
    // An address may have a secret in it.
    let fields: Vec<_> =
        given.into_iter().filter(|(name, _)| !matches!(name.as_str(), "model" | "webhook_url")).collect();
    let owner = client.name;
    let added = jobs
        .ask(move |store| {
            let new = NewJob {
                client: &owner,
                sound: &upload.file,
                name: upload.name.as_deref(),
                model: &model,
                fields: &fields,
                webhook_url: webhook.as_deref(),
                duration,
                idempotency_key: key.as_deref(),
            };
            store.add(&new)
        })
        .await;
    let job = match added.map_err(|error| shared.with_honest_wait(error))? {
        Added::New(job) => {
            jobs.changed();
            job
        }
        Added::Known(job) => job,
    };
    let mut response = (StatusCode::ACCEPTED, Json(job.object())).into_response();
    if let Ok(place) = HeaderValue::from_str(&format!("/v1/jobs/{}", job.id)) {
        response.headers_mut().insert(header::LOCATION, place);
    }
    warn(&mut response, &warnings);
    Ok(response)
}

/// A page of jobs that is asked for.
pub(super) struct Page {
    limit: usize,
    status: Option<Status>,
    after: Option<String>,
}

pub(super) fn page(asked: Vec<(String, String)>) -> Result<Page, ApiError> {
    let mut page = Page { limit: LIMIT, status: None, after: None };
    for (name, value) in asked {
        let wrong = |what: &str| ApiError::bad(&name, format!("{name}: {value:?} is not {what}"));
        match name.as_str() {
            "limit" => {
                let number = value.parse().ok().filter(|number| (1..=MOST).contains(number));
                page.limit = number.ok_or_else(|| wrong(&format!("a number from 1 to {MOST}")))?;
            }
            "status" => {
                let names = Status::ALL.map(Status::name).join(", ");
                page.status = Some(Status::named(&value).ok_or_else(|| wrong(&format!("one of {names}")))?);
            }
            "after" => page.after = Some(value),
            _ => {
                return Err(ApiError::bad(
                    &name,
                    format!("{name:?} is not known here; there are limit, after and status"),
                ));
            }
        }
    }
    Ok(page)
}

pub(super) async fn list(
    State(shared): State<Arc<Shared>>,
    Extension(client): Extension<Client>,
    Query(asked): Asked,
) -> Result<Json<Value>, ApiError> {
    let Page { limit, status, after } = page(asked)?;
    let whose = whose(&client);
    let found = jobs(&shared)?
        .ask(move |store| store.list(&Filter { client: whose.as_deref(), status, after: after.as_deref(), limit }))
        .await
        .map_err(|error| {
            if error.status == StatusCode::NOT_FOUND {
                ApiError { param: Some("after".to_owned()), message: format!("after: {}", error.message), ..error }
            } else {
                error
            }
        })?;
    let data: Vec<Value> = found.jobs.iter().map(Job::object).collect();
    Ok(Json(json!({ "object": "list", "data": data, "has_more": found.has_more })))
}

/// A job of this client.
async fn find(shared: &Shared, client: &Client, id: &str) -> Result<(Arc<Jobs>, Job), ApiError> {
    let (jobs, whose, id) = (jobs(shared)?, whose(client), id.to_owned());
    let job = jobs.ask(move |store| store.get(whose.as_deref(), &id)).await?;
    Ok((jobs, job))
}

pub(super) async fn one(
    State(shared): State<Arc<Shared>>,
    Extension(client): Extension<Client>,
    Named(id): Named,
) -> Result<Json<Value>, ApiError> {
    Ok(Json(find(&shared, &client, &id).await?.1.object()))
}

pub(super) async fn cancel(
    State(shared): State<Arc<Shared>>,
    Extension(client): Extension<Client>,
    Named(id): Named,
) -> Result<Json<Value>, ApiError> {
    let (jobs, whose) = (jobs(&shared)?, whose(&client));
    let job = jobs.ask(move |store| store.cancel(whose.as_deref(), &id)).await?;
    jobs.stop(&job);
    Ok(Json(job.object()))
}

pub(super) async fn delete(
    State(shared): State<Arc<Shared>>,
    Extension(client): Extension<Client>,
    Named(id): Named,
) -> Result<Json<Value>, ApiError> {
    let (jobs, whose, named) = (jobs(&shared)?, whose(&client), id.clone());
    jobs.ask(move |store| store.delete(whose.as_deref(), &named)).await?;
    jobs.changed();
    Ok(Json(json!({ "id": id, "object": "transcription.job", "deleted": true })))
}

pub(super) async fn result(
    State(shared): State<Arc<Shared>>,
    Extension(client): Extension<Client>,
    Named(id): Named,
    Query(asked): Asked,
) -> Result<Response, ApiError> {
    let mut answer = Answer::Verbose;
    let (jobs, job) = find(&shared, &client, &id).await?;
    for (name, value) in asked {
        match name.as_str() {
            "format" => {
                answer = value.parse().map_err(|message| ApiError::bad("format", format!("format: {message}")))?
            }
            _ => return Err(ApiError::bad(&name, format!("{name:?} is not known here; there is format"))),
        }
    }
    match job.status {
        Status::Succeeded => {}
        Status::Queued | Status::Running => {
            return Err(ApiError::conflict(
                "not_finished",
                format!("the job is {}; there is no result yet", job.status.name()),
            ));
        }
        status => {
            return Err(ApiError::conflict("no_result", format!("the job has {}; it has no result", status.name())));
        }
    }
    let wish = Wish::read(&job.fields, Endpoint::Jobs, true)?;
    let number = job.number;
    let result = jobs.ask(move |store| store.result(number)).await?;
    let mut result = result.ok_or_else(|| ApiError::not_found("not_found", "the result is not kept any more"))?;
    shared
        .blocking(move || {
            let read = |error: serde_json::Error| ApiError::from(StoreError::from(error));
            let transcript: Transcript = serde_json::from_value(result["transcript"].take()).map_err(read)?;
            let warnings: Vec<String> = serde_json::from_value(result["warnings"].take()).map_err(read)?;
            let (task, granularities) = (wish.options.task, wish.granularities);
            let logprobs = Some(&result["logprobs"]).filter(|logprobs| logprobs.is_array());
            let written = Written { transcript: &transcript, task, granularities, warnings: &warnings, logprobs };
            let mut response = written.respond(answer)?;
            warn(&mut response, &warnings);
            Ok(response)
        })
        .await?
}

/// Somebody who follows a job.
struct Follower {
    jobs: Arc<Jobs>,
    whose: Option<String>,
    id: String,
    changes: watch::Receiver<u64>,
    /// What is to be sent.
    events: VecDeque<Value>,
    segments: usize,
    status: Option<Status>,
    processed: f64,
    is_over: bool,
}

impl Follower {
    /// The next event, when there is one.
    async fn next(mut self) -> Option<(Value, Self)> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Some((event, self));
            }
            if self.is_over {
                return None;
            }
            if self.status.is_some() {
                // Woken for every job; now and then without a reason, should one be missed.
                let _ = tokio::time::timeout(PING, self.changes.changed()).await;
            }
            self.changes.mark_unchanged();
            self.look().await;
        }
    }

    async fn look(&mut self) {
        let (whose, id, from) = (self.whose.clone(), self.id.clone(), self.segments);
        let seen = self.jobs.ask(move |store| look(store, whose.as_deref(), &id, from)).await;
        let (job, segments) = match seen {
            Ok(seen) => seen,
            Err(error) => {
                self.events.push_back(error.object());
                self.is_over = true;
                return;
            }
        };
        if self.status != Some(job.status) {
            self.status = Some(job.status);
            self.events.push_back(json!({ "type": "job.status", "job": job.object() }));
        }
        self.segments += segments.len();
        let told = segments.iter().map(|segment| json!({ "type": "job.segment", "segment": answer::segment(segment) }));
        self.events.extend(told);
        if job.processed > self.processed {
            self.processed = job.processed;
            self.events.push_back(json!({ "type": "job.progress", "processed": job.processed, "total": job.duration }));
        }
        if job.status.is_over() {
            self.events.push_back(json!({ "type": "job.done", "job": job.object() }));
            self.is_over = true;
        }
    }
}

pub(super) async fn events(
    State(shared): State<Arc<Shared>>,
    Extension(client): Extension<Client>,
    Named(id): Named,
) -> Result<Response, ApiError> {
    let (jobs, job) = find(&shared, &client, &id).await?;
    let changes = jobs.watch();
    let (whose, id, events) = (whose(&client), job.id, VecDeque::new());
    let follower =
        Follower { jobs, whose, id, changes, events, segments: 0, status: None, processed: 0.0, is_over: false };
    Ok(super::events::answer(follower, Follower::next))
}

pub(super) async fn audio(
    State(shared): State<Arc<Shared>>,
    Extension(client): Extension<Client>,
    Named(id): Named,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let (jobs, job) = find(&shared, &client, &id).await?;
    let name = job.name.clone().unwrap_or_default();
    let sound = if job.has_sound { jobs.ask(move |store| store.sound(&job)).await? } else { None };
    let sound = sound.ok_or_else(|| ApiError::not_found("not_found", "the sound is not kept any more"))?;
    let range = headers.get(header::RANGE).and_then(|range| range.to_str().ok());
    super::ranges::answer(sound, range, &name).await
}
