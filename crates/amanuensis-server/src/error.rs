//! What is answered when something cannot be done: OpenAI's error object, with the status that its clients expect.

use amanuensis::audio::AudioError;
use amanuensis::backend::BackendError;
use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::json;

/// An error as a client gets it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ApiError {
    /// The status of the answer.
    #[serde(skip)]
    pub status: StatusCode,
    /// What went wrong, where, and what to do about it.
    pub message: String,
    /// The family of errors, as OpenAI names them.
    #[serde(rename = "type")]
    pub family: &'static str,
    /// The field that is at fault.
    pub param: Option<String>,
    /// Which error it is, for programs.
    pub code: Option<&'static str>,
    /// Seconds after which it is worth trying again.
    #[serde(skip)]
    pub retry_after: Option<u64>,
}

impl ApiError {
    fn new(status: StatusCode, family: &'static str, code: Option<&'static str>, message: impl Into<String>) -> Self {
        ApiError { status, message: message.into(), family, param: None, code, retry_after: None }
    }

    /// A request that cannot be meant: a field has a value that it cannot have.
    pub fn bad(param: &str, message: impl Into<String>) -> Self {
        let error = ApiError::new(StatusCode::BAD_REQUEST, "invalid_request_error", None, message);
        ApiError { param: Some(param.to_owned()), ..error }
    }

    /// No key, or one that is not known.
    pub fn no_key(message: &str) -> Self {
        ApiError::new(StatusCode::UNAUTHORIZED, "invalid_request_error", Some("invalid_api_key"), message)
    }

    /// A key that may not do this.
    pub fn forbidden(message: impl Into<String>) -> Self {
        ApiError::new(StatusCode::FORBIDDEN, "permission_error", Some("missing_scope"), message)
    }

    /// There is no such thing.
    pub fn not_found(code: &'static str, message: impl Into<String>) -> Self {
        ApiError::new(StatusCode::NOT_FOUND, "invalid_request_error", Some(code), message)
    }

    /// The path is there, the method is not.
    pub fn method_not_allowed() -> Self {
        let message = "this path does not take that method";
        ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "invalid_request_error", Some("method_not_allowed"), message)
    }

    /// The request came too slowly.
    pub fn too_slow(message: impl Into<String>) -> Self {
        ApiError::new(StatusCode::REQUEST_TIMEOUT, "timeout_error", Some("request_timeout"), message)
    }

    /// It contradicts what is there already.
    pub fn conflict(code: &'static str, message: impl Into<String>) -> Self {
        ApiError::new(StatusCode::CONFLICT, "conflict", Some(code), message)
    }

    /// More than is taken.
    pub fn too_large(message: impl Into<String>) -> Self {
        let (status, family) = (StatusCode::PAYLOAD_TOO_LARGE, "invalid_request_error");
        let error = ApiError::new(status, family, Some("request_too_large"), message);
        ApiError { param: Some("file".to_owned()), ..error }
    }

    /// A kind of content that is not read.
    pub fn unsupported(message: impl Into<String>) -> Self {
        let (status, family) = (StatusCode::UNSUPPORTED_MEDIA_TYPE, "invalid_request_error");
        ApiError::new(status, family, Some("unsupported_media_type"), message)
    }

    /// Not now: too much is asked at once.
    pub fn too_many(code: &'static str, retry_after: u64, message: impl Into<String>) -> Self {
        let error = ApiError::new(StatusCode::TOO_MANY_REQUESTS, "rate_limit_error", Some(code), message);
        ApiError { retry_after: Some(retry_after.max(1)), ..error }
    }

    /// A fault of the program or of its machine.
    pub fn fault(message: impl Into<String>) -> Self {
        ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "server_error", None, message)
    }

    /// Not yet, or not any more.
    pub fn unavailable(code: &'static str, retry_after: u64, message: impl Into<String>) -> Self {
        let error = ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "server_error", Some(code), message);
        ApiError { retry_after: Some(retry_after.max(1)), ..error }
    }

    /// A device that must be used cannot be.
    pub fn no_device(device: &str, reason: &str) -> Self {
        // What to do about it is for whoever runs the server, and so is whatever names a file.
        let reason = reason.split("; ").next().filter(|reason| !reason.contains('/'));
        let reason = reason.unwrap_or("the server's log says why");
        let message = format!("the device {device:?} must be used here and cannot be: {reason}");
        ApiError::unavailable("device_unavailable", 60, message)
    }

    /// It was not done in the time allowed.
    pub fn past_deadline(message: impl Into<String>) -> Self {
        ApiError::new(StatusCode::GATEWAY_TIMEOUT, "timeout_error", Some("deadline_exceeded"), message)
    }

    /// The object that every dialect of OpenAI's gets.
    pub fn object(&self) -> serde_json::Value {
        json!({ "error": self })
    }

    /// The headers that belong to it.
    pub(crate) fn dress(&self, response: &mut Response) {
        let headers = response.headers_mut();
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(self.object())).into_response();
        self.dress(&mut response);
        response
    }
}

impl From<AudioError> for ApiError {
    fn from(error: AudioError) -> Self {
        match error {
            AudioError::LimitExceeded { .. } => ApiError::too_large(error.to_string()),
            AudioError::UnsupportedCodec { .. } | AudioError::UnknownFormat { .. } => {
                ApiError { param: Some("file".to_owned()), ..ApiError::unsupported(error.to_string()) }
            }
            AudioError::Io { .. } => {
                tracing::error!(%error, "a sound could not be read or kept");
                ApiError::fault("the sound could not be read or kept: the server's disk may be full")
            }
            AudioError::Cancelled { .. } => ApiError::fault("the work was stopped"),
            error => ApiError::bad("file", error.to_string()),
        }
    }
}

impl From<amanuensis::Error> for ApiError {
    fn from(error: amanuensis::Error) -> Self {
        use amanuensis::Error;
        match error {
            Error::Audio(error) => error.into(),
            Error::UnknownLanguage { .. } => ApiError::bad("language", error.to_string()),
            Error::CannotTranslate { .. } => ApiError::bad("model", error.to_string()),
            Error::BadOption { option, .. } => ApiError::bad(option, error.to_string()),
            Error::Backend(BackendError::Device { device, reason }) => {
                tracing::error!(device, reason, "a device failed");
                ApiError::no_device(device, &reason)
            }
            Error::UnknownToken { .. } => ApiError::bad("suppress_tokens", error.to_string()),
            error => {
                tracing::error!(%error, "a transcription failed");
                ApiError::fault(format!("the transcription failed: {error}"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_four_keys_are_always_there() {
        let keys = |error: ApiError| {
            let object = error.object();
            let mut keys: Vec<String> = object["error"].as_object().unwrap().keys().cloned().collect();
            keys.sort();
            keys
        };
        for error in [ApiError::bad("model", "x"), ApiError::fault("x"), ApiError::too_many("queue_full", 0, "x")] {
            assert_eq!(keys(error), ["code", "message", "param", "type"]);
        }
    }

    #[test]
    fn a_device_that_is_missing_is_named_and_no_file_is() {
        let error = ApiError::no_device("npu", "no NPU: none among 9 devices; use the CPU");
        assert_eq!((error.status, error.code), (StatusCode::SERVICE_UNAVAILABLE, Some("device_unavailable")));
        assert!(error.message.ends_with("no NPU: none among 9 devices"), "{}", error.message);
        let error = ApiError::no_device("npu", "no pack in /home/somebody/packs; make one");
        assert!(!error.message.contains("somebody") && error.message.contains("the server's log"), "{}", error.message);
    }

    #[test]
    fn it_is_worth_trying_again_after_a_second_at_the_earliest() {
        let response = ApiError::too_many("queue_full", 0, "x").into_response();
        assert_eq!(response.headers()[header::RETRY_AFTER], "1");
        let response = ApiError::no_key("x").into_response();
        assert_eq!(response.headers()[header::WWW_AUTHENTICATE], "Bearer");
    }
}
