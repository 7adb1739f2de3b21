//! The page: files of the folder `ui`, inside the program, or read from a folder while somebody works on them.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};

use crate::error::ApiError;
use crate::state::Shared;

include!(concat!(env!("OUT_DIR"), "/page.rs"));

/// The page under another path.
pub(crate) async fn index(shared: State<Arc<Shared>>) -> Response {
    file(shared, Method::GET, Uri::from_static("/")).await
}

/// The page, one of its files, or the answer that there is nothing.
pub(crate) async fn file(State(shared): State<Arc<Shared>>, method: Method, uri: Uri) -> Response {
    let missing = || ApiError::not_found("not_found", "there is nothing at this path").into_response();
    let path = match uri.path().trim_start_matches('/') {
        "" => "index.html",
        path => path,
    };
    if method != Method::GET && method != Method::HEAD {
        return missing();
    }
    let is_plain = |component: std::path::Component<'_>| matches!(component, std::path::Component::Normal(_));
    let bytes = match &shared.settings.ui {
        // Whatever a path says, it leads nowhere but into the folder.
        Some(folder) if std::path::Path::new(path).components().all(is_plain) => {
            match tokio::fs::read(folder.join(path)).await {
                Ok(bytes) => Body::from(bytes),
                Err(_) => return missing(),
            }
        }
        Some(_) => return missing(),
        None => match FILES.iter().find(|(name, _)| *name == path) {
            Some((_, bytes)) => Body::from(*bytes),
            None => return missing(),
        },
    };
    let mut response = (StatusCode::OK, bytes).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind(path)));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

fn kind(name: &str) -> &'static str {
    match name.rsplit_once('.').map_or("", |(_, ending)| ending) {
        "html" => "text/html; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "svg" => "image/svg+xml",
        "json" | "webmanifest" => "application/json",
        "woff2" => "font/woff2",
        "png" => "image/png",
        _ => "application/octet-stream",
    }
}
