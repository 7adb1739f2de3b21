//! Live sessions: each is fed as fast as somebody speaks, all at once.

use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use tungstenite::{Error, Message, WebSocket};

/// Bytes of 100 ms: 16 kHz, 16 bits.
const PIECE: usize = 3200;
const PIECE_SECONDS: f64 = 0.1;
/// How long the end of a session is waited for.
const LAST: Duration = Duration::from_secs(300);

/// What some sessions saw.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Heard {
    pub(super) sessions: usize,
    /// Seconds of sound of each.
    pub(super) seconds: f64,
    /// For every final: seconds since the moment at which its last word was over.
    pub(super) delays: Vec<f64>,
    /// The most seconds of sound of which nothing was told yet, as the server told.
    pub(super) most_lag: f64,
    /// Seconds from the end of the sound until all was told, of the slowest.
    pub(super) tail: f64,
    /// The text of each.
    pub(super) texts: Vec<String>,
    pub(super) errors: Vec<String>,
}

/// Feeds so many sessions with a sound in real time.
pub(super) fn sessions(address: SocketAddr, samples: &[u8], count: usize) -> Heard {
    let mut heard =
        Heard { sessions: count, seconds: samples.len() as f64 / PIECE as f64 * PIECE_SECONDS, ..Heard::default() };
    thread::scope(|scope| {
        let start = |number: usize| {
            scope.spawn(move || {
                // People do not begin to speak in the same instant.
                thread::sleep(Duration::from_secs_f64(number as f64 / count as f64));
                session(address, samples)
            })
        };
        let running: Vec<_> = (0..count).map(start).collect();
        for session in running {
            match session.join() {
                Ok(Ok(one)) => {
                    heard.delays.extend(one.delays);
                    heard.most_lag = heard.most_lag.max(one.most_lag);
                    heard.tail = heard.tail.max(one.tail);
                    heard.texts.extend(one.texts);
                }
                Ok(Err(error)) => heard.errors.push(format!("{error:#}")),
                Err(_) => heard.errors.push("a client broke".to_owned()),
            }
        }
    });
    heard
}

/// One session from beginning to end.
fn session(address: SocketAddr, samples: &[u8]) -> Result<Heard> {
    let stream = TcpStream::connect(address).context("cannot connect")?;
    let (mut socket, _) = tungstenite::client(format!("ws://{address}/v1/live"), stream)
        .map_err(|error| anyhow::anyhow!("there is no session: {error}"))?;
    socket.send(Message::text(json!({ "type": "start", "language": "en" }).to_string()))?;
    let mut heard = Heard::default();
    let began = Instant::now();
    for (index, piece) in samples.chunks(PIECE).enumerate() {
        let due = began + Duration::from_secs_f64(index as f64 * PIECE_SECONDS);
        while let Some(left) =
            due.checked_duration_since(Instant::now()).filter(|left| *left > Duration::from_millis(1))
        {
            if let Some(message) = receive(&mut socket, left)? {
                heard.take(&message, began)?;
            }
        }
        socket.send(Message::binary(piece.to_vec()))?;
    }
    socket.send(Message::text(json!({ "type": "finish" }).to_string()))?;
    let finished = Instant::now();
    while finished.elapsed() < LAST {
        let Some(message) = receive(&mut socket, LAST)? else { continue };
        if message["type"] == "done" {
            heard.tail = finished.elapsed().as_secs_f64();
            let text = std::mem::take(&mut heard.texts).join(" ");
            heard.texts.push(text);
            return Ok(heard);
        }
        heard.take(&message, began)?;
    }
    bail!("it did not come to its end in {} s", LAST.as_secs())
}

/// The next message, if one comes in time.
fn receive(socket: &mut WebSocket<TcpStream>, time: Duration) -> Result<Option<Value>> {
    socket.get_ref().set_read_timeout(Some(time))?;
    match socket.read() {
        Ok(Message::Text(text)) => Ok(Some(serde_json::from_str(text.as_str()).context("a message is not JSON")?)),
        Ok(Message::Close(frame)) => bail!("the server closed it: {frame:?}"),
        Ok(_) => Ok(None),
        Err(Error::Io(error))
            if matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut) =>
        {
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

impl Heard {
    fn take(&mut self, message: &Value, began: Instant) -> Result<()> {
        self.most_lag = self.most_lag.max(message["lag"].as_f64().unwrap_or(0.0));
        match message["type"].as_str() {
            Some("final") => {
                let end = message["end"].as_f64().context("a final without its end")?;
                self.delays.push(began.elapsed().as_secs_f64() - end);
                self.texts.push(message["text"].as_str().unwrap_or_default().to_owned());
            }
            Some("error") => bail!("{}", message["error"]["message"]),
            _ => {}
        }
        Ok(())
    }

    /// How many different texts there are: one, where sessions do not disturb each other.
    pub(super) fn different(&self) -> usize {
        let mut texts = self.texts.clone();
        texts.sort_unstable();
        texts.dedup();
        texts.len()
    }
}
