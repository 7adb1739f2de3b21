//! Events of Wyoming as they go over a connection: a line of JSON, data behind it, bytes behind that.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

/// Bytes of an event's line, of its data, and of what it carries: seconds of sound.
const MOST_LINE: usize = 64 << 10;
const MOST_DATA: usize = 256 << 10;
const MOST_PAYLOAD: usize = 1 << 20;

/// Something that one side tells the other.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Event {
    pub(crate) kind: String,
    pub(crate) data: Map<String, Value>,
    pub(crate) payload: Vec<u8>,
}

/// Why no event could be read: the conversation is over.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EventError {
    #[error("the connection broke: {0}")]
    Io(#[from] std::io::Error),
    #[error("an event's {what} has more than {most} bytes")]
    TooLong { what: &'static str, most: usize },
    #[error("this is no event of Wyoming: {0}")]
    NotAnEvent(String),
    #[error("nothing came for {0} seconds")]
    Idle(u64),
    #[error("an event did not come whole within {0} seconds")]
    Slow(u64),
}

/// The line that begins an event.
#[derive(Deserialize)]
struct Line {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    data: Option<Map<String, Value>>,
    #[serde(default)]
    data_length: Option<u64>,
    #[serde(default)]
    payload_length: Option<u64>,
}

impl Event {
    pub(crate) fn new(kind: &str, data: Value) -> Self {
        let data = if let Value::Object(data) = data { data } else { Map::new() };
        Event { kind: kind.to_owned(), data, payload: Vec::new() }
    }

    /// A text of its data.
    pub(crate) fn text(&self, key: &str) -> Option<&str> {
        self.data.get(key)?.as_str().filter(|text| !text.trim().is_empty())
    }

    /// The next event; none where the other side has ended. It may be waited for as long as `idle`, and has to come whole in
    /// `pace`.
    pub(crate) async fn read(
        reader: &mut (impl AsyncBufRead + Unpin),
        idle: Duration,
        pace: Duration,
    ) -> Result<Option<Self>, EventError> {
        let first = timeout(idle, reader.fill_buf()).await.map_err(|_| EventError::Idle(idle.as_secs()))??;
        if first.is_empty() {
            return Ok(None);
        }
        timeout(pace, Self::take(reader)).await.map_err(|_| EventError::Slow(pace.as_secs()))?.map(Some)
    }

    async fn take(reader: &mut (impl AsyncBufRead + Unpin)) -> Result<Self, EventError> {
        let mut line = Vec::new();
        (&mut *reader).take(MOST_LINE as u64).read_until(b'\n', &mut line).await?;
        if line.last() != Some(&b'\n') {
            return Err(match line.len() {
                MOST_LINE => EventError::TooLong { what: "line", most: MOST_LINE },
                _ => EventError::NotAnEvent("the connection ended in the middle of its line".to_owned()),
            });
        }
        // The parser's own words may repeat what was said.
        let wrong = |error: serde_json::Error| {
            EventError::NotAnEvent(format!("its JSON is wrong in line {}, column {}", error.line(), error.column()))
        };
        let Line { kind, data, data_length, payload_length } = serde_json::from_slice(&line).map_err(wrong)?;
        let mut data = data.unwrap_or_default();
        let more = bytes(reader, "data", data_length, MOST_DATA).await?;
        if !more.is_empty() {
            data.append(&mut serde_json::from_slice(&more).map_err(wrong)?);
        }
        let payload = bytes(reader, "payload", payload_length, MOST_PAYLOAD).await?;
        Ok(Event { kind, data, payload })
    }

    pub(crate) async fn write(&self, writer: &mut (impl AsyncWrite + Unpin)) -> std::io::Result<()> {
        let data = serde_json::to_vec(&self.data)?;
        let mut line = json!({ "type": self.kind, "version": VERSION, "data_length": data.len() });
        if !self.payload.is_empty() {
            line["payload_length"] = self.payload.len().into();
        }
        let mut bytes = serde_json::to_vec(&line)?;
        bytes.push(b'\n');
        bytes.extend_from_slice(&data);
        bytes.extend_from_slice(&self.payload);
        writer.write_all(&bytes).await?;
        writer.flush().await
    }
}

/// The version of the protocol whose events are told here.
const VERSION: &str = "1.7.2";

async fn bytes(
    reader: &mut (impl AsyncBufRead + Unpin),
    what: &'static str,
    length: Option<u64>,
    most: usize,
) -> Result<Vec<u8>, EventError> {
    let length = usize::try_from(length.unwrap_or(0)).unwrap_or(usize::MAX);
    if length > most {
        return Err(EventError::TooLong { what, most });
    }
    let mut bytes = vec![0; length];
    reader.read_exact(&mut bytes).await?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Result<Option<Event>, EventError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let second = Duration::from_secs(1);
        runtime.block_on(async { Event::read(&mut &bytes[..], second, second).await })
    }

    #[test]
    fn events_are_read_as_they_are_written() {
        let event = Event { payload: vec![1, 2, b'\n'], ..Event::new("audio-chunk", json!({ "rate": 16000 })) };
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let mut bytes = Vec::new();
        runtime.block_on(event.write(&mut bytes)).unwrap();
        assert_eq!(read(&bytes).unwrap(), Some(event));
        let inline = read(b"{\"type\":\"x\",\"data\":{\"a\":1},\"data_length\":7}\n{\"b\":2}").unwrap().unwrap();
        assert_eq!(Value::Object(inline.data), json!({ "a": 1, "b": 2 }));
        assert!(read(b"").unwrap().is_none());
    }

    #[test]
    fn what_is_no_event_ends_it() {
        for bytes in [
            &b"POST / HTTP/1.1\r\nHost: localhost\r\n\r\n"[..],
            b"{\"type\":3}\n",
            b"{\"data\":{}}\n",
            b"{\"type\":\"x\"",
            b"{\"type\":\"x\",\"data_length\":3}\n[1]",
            b"{\"type\":\"x\",\"payload_length\":-1}\n",
            b"\xff\n",
        ] {
            assert!(matches!(read(bytes), Err(EventError::NotAnEvent(_))), "{bytes:?}");
        }
        assert!(matches!(read(b"{\"type\":\"x\",\"payload_length\":9}\nabc"), Err(EventError::Io(_))));
        for length in ["data_length\":262145", "payload_length\":1048577", "payload_length\":18446744073709551615"] {
            let line = format!("{{\"type\":\"x\",\"{length}}}\n");
            assert!(matches!(read(line.as_bytes()), Err(EventError::TooLong { .. })), "{length}");
        }
        assert!(matches!(read(&vec![b' '; MOST_LINE + 1]), Err(EventError::TooLong { what: "line", .. })));
    }
}
