//! Answers that come as server-sent events.

use std::convert::Infallible;
use std::time::Duration;

use axum::http::{HeaderName, HeaderValue, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde_json::Value;

/// Silence on a stream after which its client is told that it is still there.
pub(super) const PING: Duration = Duration::from_secs(10);

/// The events that `next` makes of a state, until there are none. The head is sent at once, so that a client knows that it
/// was heard.
pub(super) fn answer<S, F>(state: S, mut next: impl FnMut(S) -> F + Send + 'static) -> Response
where
    S: Send + 'static,
    F: Future<Output = Option<(Value, S)>> + Send + 'static,
{
    let events = stream::unfold(state, move |state| {
        let next = next(state);
        async {
            let (event, state) = next.await?;
            Some((Ok::<_, Infallible>(Event::default().data(event.to_string())), state))
        }
    });
    let mut response = Sse::new(events).keep_alive(KeepAlive::new().interval(PING).text("ping")).into_response();
    let headers = response.headers_mut();
    // A proxy that collects the answer first would make a stream of none.
    headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}
