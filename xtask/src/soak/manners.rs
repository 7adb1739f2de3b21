//! How a request is made: at once, slowly, broken off in its middle, or as a job with all that belongs to it.

use std::io::Read;
use std::net::Shutdown;
use std::thread::sleep;
use std::time::Duration;

use serde_json::Value;

use super::kinds::Case;
use crate::figures::Random;
use crate::serving::Served;
use crate::serving::http::{Answer, Connection, Request};

/// How long a job may take.
const JOB: Duration = Duration::from_secs(300);

/// How a request is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Manner {
    Whole,
    SentSlowly,
    ReadSlowly,
    GoneSending,
    GoneWaiting,
    Job,
    JobWatched,
    JobCancelled,
}

/// What of an answer is the same whenever it is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Same {
    /// The status only.
    Status,
    /// All bytes.
    Body,
    /// What was said and when, of a verbose_json.
    Spoken,
    /// The text that the deltas of a stream make.
    Deltas,
}

/// What came of a request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Seen {
    /// The status; none where the client has gone.
    pub(super) status: Option<u16>,
    /// What is to be the same.
    pub(super) same: Option<Vec<u8>>,
}

impl Manner {
    /// Makes a request. An error is something that nobody deserves.
    pub(super) fn perform(self, case: &Case, server: &Served, random: &mut Random) -> Result<Seen, String> {
        // A key that the case brings is the one to be refused.
        let request = match case.deserves {
            [401] => case.request.clone(),
            _ => server.keyed(case.request.clone()),
        };
        match self {
            Manner::Whole => seen(request.ask(server.address), case),
            Manner::SentSlowly => seen(sent_slowly(&request, server), case),
            Manner::ReadSlowly => seen(read_slowly(&request, server), case),
            Manner::GoneSending => Ok(gone_sending(&request, server, random)),
            Manner::GoneWaiting => Ok(gone_waiting(&request, server, random)),
            Manner::Job | Manner::JobWatched | Manner::JobCancelled => self.job(case, server, random),
        }
    }

    /// A job from its beginning to its end.
    fn job(self, case: &Case, server: &Served, random: &mut Random) -> Result<Seen, String> {
        let ask = |request: &Request, deserves: &[u16]| {
            let answer = server.ask(request).map_err(|error| format!("{}: {error}", request.path))?;
            if !deserves.contains(&answer.status) {
                return Err(format!("{}: {} {}", request.path, answer.status, answer.text()));
            }
            Ok(answer)
        };
        let made = ask(&case.request, case.deserves)?;
        let id = made.json()["id"].as_str().ok_or("a job without an id")?.to_owned();
        let path = |behind: &str| format!("/v1/jobs/{id}{behind}");
        let mut same = None;
        if self == Manner::JobCancelled {
            sleep(Duration::from_millis(random.below(200)));
            // One that was over before is not cancelled any more.
            ask(&Request::new("POST", &path("/cancel")), &[200, 409])?;
            server.job(&id, JOB).map_err(|error| format!("{error:#}"))?;
        } else {
            let job = if self == Manner::JobWatched {
                let events = ask(&Request::get(&path("/events")), &[200])?.events();
                let last = events.last().cloned().unwrap_or(Value::Null);
                if last["type"] != "job.done" {
                    return Err(format!("the events of a job end with {last}"));
                }
                last["job"].clone()
            } else {
                server.job(&id, JOB).map_err(|error| format!("{error:#}"))?
            };
            if job["status"] != "succeeded" {
                return Err(format!("a job ended so: {job}"));
            }
            same = Some(ask(&Request::get(&path("/result?format=srt")), &[200])?.body);
            ask(&Request::get(&path("/audio")), &[200])?;
        }
        ask(&Request::new("DELETE", &path("")), &[200])?;
        ask(&Request::get(&path("")), &[404])?;
        Ok(Seen { status: Some(made.status), same })
    }
}

/// What is to be seen of an answer.
fn seen(answer: std::io::Result<Answer>, case: &Case) -> Result<Seen, String> {
    let answer = answer.map_err(|error| error.to_string())?;
    if !case.deserves.contains(&answer.status) {
        return Err(format!("{} {}", answer.status, answer.text()));
    }
    // What is no success says so in the way of its dialect.
    if answer.status >= 400 && answer.json()["error"].is_null() {
        return Err(format!("{} without an error object: {}", answer.status, answer.text()));
    }
    let same = match case.same {
        Same::Status => None,
        Same::Body => Some(answer.body),
        Same::Spoken => Some(spoken(&answer.json()).into_bytes()),
        Same::Deltas => Some(deltas(&answer.events())?.into_bytes()),
    };
    Ok(Seen { status: Some(answer.status), same })
}

/// What was said and when; how sure the model was may differ in the last digit with the company a window has in its batch.
fn spoken(document: &Value) -> String {
    let pick = |list: &Value, names: &[&str]| -> Vec<Value> {
        let items = list.as_array().cloned().unwrap_or_default();
        items.iter().map(|item| names.iter().map(|name| item[*name].clone()).collect()).collect()
    };
    let segments = pick(&document["segments"], &["start", "end", "text", "tokens", "temperature"]);
    let words = pick(&document["words"], &["word", "start", "end"]);
    serde_json::json!([document["text"], document["language"], document["duration"], segments, words]).to_string()
}

/// The text of a stream, whose deltas have to be what its last event says.
fn deltas(events: &[Value]) -> Result<String, String> {
    let text: String = events.iter().filter_map(|event| event["delta"].as_str()).collect();
    match events.last() {
        Some(last) if last["type"] == "transcript.text.done" && last["text"] == text.as_str() => Ok(text),
        last => Err(format!("the deltas make {text:?} and the stream ends with {last:?}")),
    }
}

/// Sends a request in twenty pieces.
fn sent_slowly(request: &Request, server: &Served) -> std::io::Result<Answer> {
    let mut connection = Connection::open(server.address)?;
    let bytes = request.bytes(server.address);
    for piece in bytes.chunks(bytes.len().div_ceil(20)) {
        connection.send(piece)?;
        sleep(Duration::from_millis(100));
    }
    connection.answer()
}

/// Reads an answer a little at a time.
fn read_slowly(request: &Request, server: &Served) -> std::io::Result<Answer> {
    let mut connection = Connection::open(server.address)?;
    connection.send(&request.bytes(server.address))?;
    let mut answer = connection.answer_head()?;
    loop {
        match connection.line() {
            Ok(line) => answer.body.extend_from_slice(format!("{line}\n").as_bytes()),
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(answer),
            Err(error) => return Err(error),
        }
        sleep(Duration::from_millis(50));
    }
}

/// Sends a part of a request and goes.
fn gone_sending(request: &Request, server: &Served, random: &mut Random) -> Seen {
    let bytes = request.bytes(server.address);
    if let Ok(mut connection) = Connection::open(server.address) {
        let _ = connection.send(&bytes[..random.below(bytes.len() as u64) as usize]);
    }
    Seen::default()
}

/// Sends a request and goes before its answer has come, in one of several ways.
fn gone_waiting(request: &Request, server: &Served, random: &mut Random) -> Seen {
    if let Ok(mut connection) = Connection::open(server.address) {
        let _ = connection.send(&request.bytes(server.address));
        sleep(Duration::from_millis(random.below(300)));
        let _ = match random.below(3) {
            // Says that it sends no more, but would read: to a server that is the same as going.
            0 => connection.socket().shutdown(Shutdown::Write),
            // Takes the first byte of the answer.
            1 => connection.socket().read(&mut [0]).map(drop),
            _ => Ok(()),
        };
    }
    Seen::default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn deltas_have_to_be_the_text() {
        let delta = |text: &str| json!({"type": "transcript.text.delta", "delta": text});
        let done = |text: &str| json!({"type": "transcript.text.done", "text": text});
        assert_eq!(deltas(&[delta("a"), delta(" b"), done("a b")]).unwrap(), "a b");
        assert!(deltas(&[delta("a"), done("a b")]).is_err());
        assert!(deltas(&[delta("a")]).is_err());
    }

    #[test]
    fn what_was_said_leaves_out_how_sure_the_model_was() {
        let document = |sure: f64| json!({"text": "a", "segments": [{"text": "a", "start": 0.0, "avg_logprob": sure}]});
        assert_eq!(spoken(&document(-0.1)), spoken(&document(-0.2)));
    }
}
