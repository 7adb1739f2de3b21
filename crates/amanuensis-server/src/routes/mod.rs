//! The endpoints: one list of them, by which they are reached, guarded and described.

mod asr;
mod earlier;
mod events;
mod health;
mod inference;
mod jobs;
mod live;
mod models;
mod named;
mod openapi;
mod ranges;
mod render;
mod transcriptions;

use std::any::Any;
use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, delete, get, post};
use futures_util::FutureExt;

use crate::error::ApiError;
use crate::guard;
use crate::keys::Scope;
use crate::page;
use crate::state::Shared;
use crate::wish::Endpoint;

/// What an endpoint is told in its body.
#[derive(Clone, Copy)]
enum Body {
    /// Nothing.
    Nothing,
    /// A form with a file and the fields of this endpoint.
    Form(Endpoint),
    /// A form of another dialect, whose file is in the field of this name.
    OtherForm(&'static str),
    /// JSON.
    Json,
}

/// An endpoint.
struct Route {
    path: &'static str,
    method: &'static str,
    /// The scope that a key needs; none is open to all.
    scope: Option<Scope>,
    body: Body,
    about: &'static str,
    handler: MethodRouter<Arc<Shared>>,
}

/// Every endpoint but the files of the page.
fn table() -> Vec<Route> {
    let route = |method, path, scope, body, about, handler| Route { path, method, scope, body, about, handler };
    let open = |path, about, handler| route("get", path, None, Body::Nothing, about, handler);
    let transcribe = Some(Scope::Transcribe);
    let kept = Some(Scope::Jobs);
    vec![
        route(
            "post",
            "/v1/audio/transcriptions",
            transcribe,
            Body::Form(Endpoint::Transcriptions),
            "What is said in a recording, in its own language",
            post(transcriptions::transcribe),
        ),
        route(
            "post",
            "/v1/audio/translations",
            transcribe,
            Body::Form(Endpoint::Translations),
            "What is said in a recording, in English",
            post(transcriptions::translate),
        ),
        route("get", "/v1/models", transcribe, Body::Nothing, "The models that may be asked for", get(models::list)),
        route("get", "/v1/models/{*id}", transcribe, Body::Nothing, "One of them", get(models::one)),
        route(
            "post",
            "/v1/render",
            transcribe,
            Body::Json,
            "A verbose_json, also an edited one, in the format of the query's `format`",
            post(render::render),
        ),
        route(
            "post",
            "/inference",
            transcribe,
            Body::OtherForm("file"),
            "whisper.cpp's server: a recording, with its fields",
            post(inference::infer),
        ),
        route(
            "post",
            "/load",
            Some(Scope::Admin),
            Body::Nothing,
            "whisper.cpp's server: another model; refused, models are named when the server is started",
            post(inference::load),
        ),
        route(
            "post",
            "/asr",
            transcribe,
            Body::OtherForm("audio_file"),
            "whisper-asr-webservice: a recording, with options in the query",
            post(asr::transcribe),
        ),
        route(
            "post",
            "/detect-language",
            transcribe,
            Body::OtherForm("audio_file"),
            "whisper-asr-webservice: the language of a recording",
            post(asr::detect),
        ),
        route(
            "get",
            "/v1/live",
            transcribe,
            Body::Nothing,
            "A WebSocket: sound in binary messages, text as it is said",
            get(live::native),
        ),
        route(
            "get",
            "/v1/realtime",
            transcribe,
            Body::Nothing,
            "A WebSocket: a transcription session of OpenAI's Realtime API",
            get(live::realtime),
        ),
        route(
            "post",
            "/v1/realtime/transcription_sessions",
            transcribe,
            Body::Json,
            "A short-lived secret for a transcription session, in the form of the beta",
            post(live::transcription_sessions),
        ),
        route(
            "post",
            "/v1/realtime/client_secrets",
            transcribe,
            Body::Json,
            "A short-lived secret for a transcription session",
            post(live::client_secrets),
        ),
        route(
            "post",
            "/transcribe",
            transcribe,
            Body::OtherForm("file"),
            "The earlier system: a recording, with its fields",
            post(earlier::transcribe),
        ),
        route(
            "get",
            "/models",
            transcribe,
            Body::Nothing,
            "The earlier system: the names of the models",
            get(earlier::models),
        ),
        route(
            "get",
            "/status",
            Some(Scope::Status),
            Body::Nothing,
            "The earlier system: whether it works, and on what",
            get(earlier::status),
        ),
        route(
            "post",
            "/v1/jobs",
            kept,
            Body::Form(Endpoint::Jobs),
            "A recording that is heard although nobody waits for it",
            post(jobs::add),
        ),
        route("get", "/v1/jobs", kept, Body::Nothing, "The jobs, the newest first", get(jobs::list)),
        route("get", "/v1/jobs/{id}", kept, Body::Nothing, "A job", get(jobs::one)),
        route("delete", "/v1/jobs/{id}", kept, Body::Nothing, "Forgets a job that is over", delete(jobs::delete)),
        route("post", "/v1/jobs/{id}/cancel", kept, Body::Nothing, "Ends a job", post(jobs::cancel)),
        route(
            "get",
            "/v1/jobs/{id}/result",
            kept,
            Body::Nothing,
            "The transcript of a job, in the format of the query's `format`",
            get(jobs::result),
        ),
        route("get", "/v1/jobs/{id}/events", kept, Body::Nothing, "What happens to a job", get(jobs::events)),
        route("get", "/v1/jobs/{id}/audio", kept, Body::Nothing, "The sound as it was uploaded", get(jobs::audio)),
        route("get", "/v1/status", Some(Scope::Status), Body::Nothing, "What the server is doing", get(health::status)),
        route("get", "/metrics", Some(Scope::Metrics), Body::Nothing, "Figures for Prometheus", get(health::metrics)),
        open("/livez", "Whether the process answers", get(health::alive)),
        open("/readyz", "Whether work is taken", get(health::ready)),
        open("/healthz", "The same as /readyz", get(health::ready)),
        open("/health", "The same as /readyz", get(health::ready)),
        open("/web", "The page, where the earlier system had it", get(page::index)),
        open("/openapi.json", "This description", get(openapi::document)),
    ]
}

/// All endpoints, guarded.
pub(crate) fn router(shared: Arc<Shared>) -> Router {
    let mut router = Router::new();
    for Route { path, scope, handler, .. } in table() {
        let guarded = handler.route_layer(from_fn_with_state((Arc::clone(&shared), scope), guard::admit));
        router = router.route(path, guarded);
    }
    router
        .fallback(page::file)
        .method_not_allowed_fallback(async || ApiError::method_not_allowed())
        // Uploads are counted as they come, and refused by their own limit.
        .layer(DefaultBodyLimit::disable())
        .layer(from_fn(catch_panics))
        .layer(from_fn_with_state(Arc::clone(&shared), guard::surround))
        .with_state(shared)
}

/// One broken request does not take the others down.
async fn catch_panics(request: axum::extract::Request, next: axum::middleware::Next) -> Response {
    let answer = std::panic::AssertUnwindSafe(next.run(request)).catch_unwind().await;
    answer.unwrap_or_else(|panic: Box<dyn Any + Send>| {
        drop(panic);
        ApiError::fault(
            "the program has a fault that this request brought to light; the request's id finds it in the log",
        )
        .into_response()
    })
}

/// What the fuzzer calls of them.
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing {
    use axum::extract::Query;

    use super::{earlier, inference, jobs, render};
    use crate::answer::Answer;
    use crate::error::ApiError;

    /// Fields of other dialects.
    pub(crate) fn dialects(fields: &[(String, String)]) {
        let _ = (earlier::read(fields), inference::read(fields));
    }

    /// The query of a list of jobs.
    pub(crate) fn query(query: &str, check: fn(&ApiError)) {
        let Ok(uri) = format!("/v1/jobs?{query}").parse() else { return };
        let Ok(Query(asked)) = Query::<Vec<(String, String)>>::try_from_uri(&uri) else { return };
        let _ = jobs::page(asked).map_err(|error| check(&error));
    }

    /// A transcript in JSON, for every format.
    pub(crate) fn transcript(body: &[u8], check: fn(&ApiError)) {
        for answer in Answer::NAMES.iter().filter_map(|name| name.parse().ok()) {
            let _ = render::write(body, answer).map_err(|error| check(&error));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_path_stands_twice() {
        let mut paths: Vec<(&str, &str)> = table().iter().map(|route| (route.path, route.method)).collect();
        let all = paths.len();
        paths.sort_unstable();
        paths.dedup();
        assert_eq!(paths.len(), all);
    }

    #[test]
    fn every_path_stands_in_the_manual() {
        let manual = include_str!("../../../../docs/server.md");
        for route in table() {
            let shown = route.path.replace("{*id}", "{id}");
            assert!(manual.contains(&shown), "{shown} is missing in docs/server.md");
        }
    }
}
