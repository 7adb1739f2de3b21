//! A file as an answer, or the part of it that was asked for.

use std::io::SeekFrom;

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, Response, StatusCode, header};
use futures_util::stream;
use tokio::io::{AsyncReadExt, AsyncSeekExt};

use crate::error::ApiError;

/// Bytes that are read at a time.
const PIECE: u64 = 64 << 10;

/// What of a file is wanted.
#[derive(Debug, PartialEq, Eq)]
enum Part {
    All,
    /// From one byte to the one behind the last.
    Of(u64, u64),
    /// Nothing that is there.
    Outside,
}

/// Reads `Range`. What is none, or asks for several parts, is passed over, as the standard has it.
fn part(range: Option<&str>, length: u64) -> Part {
    let Some((first, last)) = range.and_then(|range| range.strip_prefix("bytes=")?.split_once('-')) else {
        return Part::All;
    };
    let number =
        |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse::<u64>().ok()).flatten();
    let (start, end) = match (first, last) {
        ("", last) => match number(last) {
            Some(count) => (length.saturating_sub(count), length),
            None => return Part::All,
        },
        (first, "") => match number(first) {
            Some(start) => (start, length),
            None => return Part::All,
        },
        (first, last) => match (number(first), number(last)) {
            (Some(start), Some(last)) if start <= last => (start, last.saturating_add(1).min(length)),
            _ => return Part::All,
        },
    };
    if start < end { Part::Of(start, end) } else { Part::Outside }
}

/// A kind of sound that a browser plays; never one that it would show as a page.
fn kind(name: &str) -> &'static str {
    let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending).to_ascii_lowercase();
    match ending.as_str() {
        "wav" => "audio/wav",
        "mp3" => "audio/mpeg",
        "flac" => "audio/flac",
        "ogg" | "oga" | "opus" => "audio/ogg",
        "m4a" | "mp4" | "aac" => "audio/mp4",
        "webm" => "audio/webm",
        _ => "application/octet-stream",
    }
}

pub(super) async fn answer(file: std::fs::File, range: Option<&str>, name: &str) -> Result<Response<Body>, ApiError> {
    let failed = |error: std::io::Error| {
        tracing::error!(%error, "a sound cannot be read");
        ApiError::fault("the sound cannot be read")
    };
    let mut file = tokio::fs::File::from_std(file);
    let length = file.metadata().await.map_err(failed)?.len();
    let (status, start, end) = match part(range, length) {
        Part::All => (StatusCode::OK, 0, length),
        Part::Of(start, end) => (StatusCode::PARTIAL_CONTENT, start, end),
        Part::Outside => (StatusCode::RANGE_NOT_SATISFIABLE, 0, 0),
    };
    file.seek(SeekFrom::Start(start)).await.map_err(failed)?;
    let pieces = stream::unfold((file, end - start), |(mut file, left)| async move {
        if left == 0 {
            return None;
        }
        let mut piece = Vec::new();
        let read = (&mut file).take(left.min(PIECE)).read_to_end(&mut piece).await;
        let read = match read {
            Ok(0) => Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof)),
            other => other.map(|_| Bytes::from(piece)),
        };
        let left = read.as_ref().map_or(0, |piece| left - piece.len() as u64);
        Some((read, (file, left)))
    });
    let mut response = Response::new(Body::from_stream(pieces));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind(name)));
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(end - start));
    let content_range = match status {
        StatusCode::PARTIAL_CONTENT => format!("bytes {start}-{}/{length}", end - 1),
        StatusCode::RANGE_NOT_SATISFIABLE => format!("bytes */{length}"),
        _ => return Ok(response),
    };
    if let Ok(value) = HeaderValue::from_str(&content_range) {
        headers.insert(header::CONTENT_RANGE, value);
    }
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_the_standard_has_them() {
        let parts = [
            ("bytes=0-99", Part::Of(0, 100)),
            ("bytes=10-10", Part::Of(10, 11)),
            ("bytes=900-", Part::Of(900, 1000)),
            ("bytes=-100", Part::Of(900, 1000)),
            ("bytes=-5000", Part::Of(0, 1000)),
            ("bytes=900-99999", Part::Of(900, 1000)),
            ("bytes=1000-", Part::Outside),
            ("bytes=-0", Part::Outside),
            ("bytes=5-2", Part::All),
            ("lines=1-2", Part::All),
            ("bytes=a-b", Part::All),
            ("bytes=", Part::All),
            ("bytes=0-1,5-6", Part::All),
            ("bytes=+1-2", Part::All),
        ];
        for (text, expected) in parts {
            assert_eq!(part(Some(text), 1000), expected, "{text}");
        }
        assert_eq!(part(None, 1000), Part::All);
    }
}
