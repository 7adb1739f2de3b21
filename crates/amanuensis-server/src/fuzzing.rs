//! The readers of what strangers send, as the fuzzer calls them: whatever comes, they read it or refuse it with a reason.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use amanuensis::Engine;
use axum::body::Body;
use axum::extract::Request;
use axum::http::header;

use crate::error::ApiError;
use crate::form::Form;
use crate::keys::Keys;
use crate::live::fuzzing as live;
use crate::models::{Library, LoadError};
use crate::routes::fuzzing as routes;
use crate::settings::Settings;
use crate::state::Shared;
use crate::wish::{Endpoint, Wish};
use crate::wyoming::Event;

/// Runs what waits for nobody.
fn now<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(work)
}

/// A refusal says why, and whose fault it is.
fn check(error: &ApiError) {
    assert!(error.status.is_client_error() && !error.message.is_empty(), "{error:?}");
}

/// A form with the boundary `x`, for every endpoint.
pub fn form(body: &[u8]) {
    let request = Request::builder().header(header::CONTENT_TYPE, "multipart/form-data; boundary=x");
    let request = request.body(Body::from(body.to_vec())).expect("a request");
    let form = match now(Form::read(request, &["file"], &Settings::default())) {
        Ok(form) => form,
        Err(error) => return check(&error),
    };
    let _ = form.file("file").map_err(|error| check(&error));
    for endpoint in [Endpoint::Transcriptions, Endpoint::Translations, Endpoint::Jobs] {
        for lenient in [true, false] {
            let _ = Wish::read(&form.fields, endpoint, lenient).map_err(|error| check(&error));
        }
    }
    routes::dialects(&form.fields);
}

/// The query of a list of jobs.
pub fn query(query: &str) {
    routes::query(query, check);
}

/// A transcript in JSON, for every format.
pub fn transcript(body: &[u8]) {
    routes::transcript(body, check);
}

/// What comes over a connection of Wyoming.
pub fn wyoming(mut bytes: &[u8]) {
    let second = Duration::from_secs(1);
    while let Ok(Some(event)) = now(Event::read(&mut bytes, second, second)) {
        let mut written = Vec::new();
        now(event.write(&mut written)).expect("memory takes it");
        let again = now(Event::read(&mut written.as_slice(), second, second)).ok().flatten();
        // Numbers may be written otherwise, and so may be more than are read.
        if written.len() < 100_000 {
            let same = again.as_ref().is_some_and(|again| again.kind == event.kind && again.payload == event.payload);
            assert!(same, "{event:?} became {again:?}");
        }
    }
}

/// A library whose model is never asked for.
struct Nothing;

impl Library for Nothing {
    fn names(&self) -> Vec<String> {
        vec!["base".to_owned()]
    }

    fn load(&self, _: &str) -> Result<Engine, LoadError> {
        Err(LoadError::Other("there is no model while fuzzing".to_owned()))
    }
}

static SHARED: LazyLock<Arc<Shared>> = LazyLock::new(|| {
    let shared = Shared::new(Settings::default(), Keys::default(), Arc::new(Nothing), None);
    Arc::new(shared.expect("a thread"))
});

/// The messages of a live session, with a zero between them: a native one where the first byte is `n`, else one of OpenAI's.
pub fn messages(bytes: &[u8]) {
    let Some((kind, bytes)) = bytes.split_first() else { return };
    let messages: Vec<&[u8]> = bytes.split(|byte| *byte == 0).collect();
    live::messages(&SHARED, *kind == b'n', &messages, check);
}
