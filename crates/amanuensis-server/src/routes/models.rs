//! `/v1/models`, as OpenAI has it.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use super::named::Named;
use crate::error::ApiError;
use crate::state::Shared;

fn object(shared: &Shared, name: &str) -> Value {
    json!({ "id": name, "object": "model", "created": shared.models.created(), "owned_by": "amanuensis" })
}

pub(super) async fn list(State(shared): State<Arc<Shared>>) -> Json<Value> {
    let models: Vec<Value> = shared.models.names().iter().map(|name| object(&shared, name)).collect();
    Json(json!({ "object": "list", "data": models }))
}

pub(super) async fn one(State(shared): State<Arc<Shared>>, Named(id): Named) -> Result<Json<Value>, ApiError> {
    let name = shared.models.resolve(&id)?;
    Ok(Json(object(&shared, name)))
}
