//! What is seen of the server from outside.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::error::ApiError;
use crate::metrics::resident;
use crate::state::Shared;

/// The process answers.
pub(super) async fn alive() -> Json<Value> {
    Json(json!({ "status": "ok" }))
}

/// Work is taken, by the state of the line and not by good faith.
pub(super) async fn ready(State(shared): State<Arc<Shared>>) -> Result<Json<Value>, ApiError> {
    shared.readiness().map(|()| Json(json!({ "status": "ok" })))
}

/// What Prometheus reads.
pub(super) async fn metrics(State(shared): State<Arc<Shared>>) -> Response {
    // How many jobs there are is asked of the disk.
    let page = tokio::task::spawn_blocking(move || shared.metrics.page(&shared.gauges())).await.unwrap_or_default();
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], page).into_response()
}

/// What the server is doing, for people.
pub(super) async fn status(State(shared): State<Arc<Shared>>) -> Json<Value> {
    // How many jobs there are is asked of the disk.
    let asked = Arc::clone(&shared);
    let jobs = tokio::task::spawn_blocking(move || asked.jobs.as_ref().map(|jobs| jobs.counts())).await;
    let board = shared.scheduler.board();
    let receipt = board.receipt();
    let (heard, busy) = board.work();
    let readiness = shared.readiness();
    Json(json!({
        "version": env!("CARGO_PKG_VERSION"),
        "uptime_seconds": board.uptime().as_secs(),
        "ready": readiness.is_ok(),
        "reason": readiness.err().map(|error| error.message),
        "memory_bytes": resident(),
        "device": shared.models.device(),
        "models": shared.models.status(),
        "models_bytes": shared.models.bytes(),
        "models_memory": shared.settings.models_memory,
        // By status; null where none are kept.
        "jobs": jobs.unwrap_or_default(),
        "queue": { "open": board.open(), "queued_seconds": board.queued_seconds() },
        "work": {
            "sound_seconds": heard,
            "busy_seconds": busy,
            "times_realtime": (busy > 0.0).then(|| heard / busy),
            "windows": receipt.windows,
            "tokens": receipt.tokens,
            // Written by the layer that saw the work finish; empty until some did.
            "devices": receipt.devices(),
            "shares": board.shares(),
            // Of encoders and of the cross-attention's keys and values, by the device that did them; and windows that a device was asked for and did not do.
            "operations": receipt.placement.operations,
            "fallbacks": receipt.placement.fallbacks,
            "stages": receipt.stages(),
        },
    }))
}
