//! Events as they come: JSON, and sound in base64.

use serde_json::{Map, Value};

use crate::error::ApiError;
use crate::jobs::codes::from_base64;

/// An event, and what is wrong with it as a whole.
pub(super) struct Read {
    pub(super) event: Map<String, Value>,
    pub(super) error: Option<ApiError>,
}

/// Reads an event.
pub(super) fn read(text: &str) -> Read {
    match serde_json::from_str(text) {
        Ok(event) => Read { event, error: None },
        Err(error) => {
            let message = format!("the event is not a JSON object: {error}");
            let error = ApiError { param: None, code: Some("invalid_json"), ..ApiError::bad("type", message) };
            Read { event: Map::new(), error: Some(error) }
        }
    }
}

/// The sound in an event.
pub(super) fn decoded(audio: Option<&Value>) -> Result<Vec<u8>, ApiError> {
    let wrong = |message: &str| ApiError { code: Some("invalid_value"), ..ApiError::bad("audio", message) };
    let text = audio.and_then(Value::as_str).ok_or_else(|| wrong("the sound is missing: a text in base64"))?;
    from_base64(text).ok_or_else(|| wrong("the sound is not base64"))
}
