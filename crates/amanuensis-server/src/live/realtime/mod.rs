//! `/v1/realtime`: transcription sessions of OpenAI's Realtime API, in the form of the beta and the later one.

mod config;
mod events;

use std::collections::HashMap;

use amanuensis::live::{Update, text_of};
use serde_json::{Map, Value, json};

pub(crate) use config::{Config, Form};
use events::{Read, decoded};

use super::Ear;
use super::dialect::{Dialect, Frame};
use crate::answer::usage;
use crate::error::ApiError;
use crate::guard::random_name;
use crate::hear::Pieces;

/// The least sound that is committed, in seconds.
const LEAST: f64 = 0.1;
/// The longest name of an event that a client gives.
const LONGEST_ID: usize = 512;

/// An item of the conversation that is being written.
struct Item {
    id: String,
    /// The item before it, once it is committed.
    before: Option<String>,
    /// Its text as it was told.
    pieces: Pieces,
    /// Deltas that are told once it is committed; none are held back after that.
    held: Option<Vec<String>>,
}

/// A session of `/v1/realtime`.
pub(crate) struct Realtime {
    id: String,
    config: Config,
    form: Form,
    most_waiting: f64,
    expires_at: u64,
    /// By the numbers of their utterances.
    items: HashMap<u64, Item>,
    /// The last item that was committed.
    last: Option<String>,
    /// Why the last hearing failed.
    error: Option<ApiError>,
    events: u64,
}

impl Realtime {
    pub(crate) fn new(config: Config, form: Form, most_waiting: f64, expires_at: u64) -> Self {
        let id = format!("sess_{}", random_name());
        Realtime {
            id,
            config,
            form,
            most_waiting,
            expires_at,
            items: HashMap::new(),
            last: None,
            error: None,
            events: 0,
        }
    }

    /// The session's first message.
    pub(crate) fn greet(&mut self) -> Value {
        let session = self.config.shown(&self.id, self.expires_at, self.form);
        self.event(
            match self.form {
                Form::General => "session.created",
                Form::Beta => "transcription_session.created",
            },
            json!({ "session": session }),
        )
    }

    /// An event of this server.
    fn event(&mut self, kind: &str, mut content: Value) -> Value {
        self.events += 1;
        content["type"] = json!(kind);
        content["event_id"] = json!(format!("event_{}_{}", self.id.trim_start_matches("sess_"), self.events));
        content
    }

    /// An error that leaves the session open, with the name of the event that it is about.
    fn refused(&mut self, error: &ApiError, event: Option<&str>) -> Value {
        let inside = json!({
            "type": error.family,
            "code": error.code,
            "message": error.message,
            "param": error.param,
            "event_id": event,
        });
        self.event("error", json!({ "error": inside }))
    }

    fn heed(&mut self, ear: &mut Ear, event: &Map<String, Value>, out: &mut Vec<Value>) -> Result<(), ApiError> {
        let kind =
            event.get("type").and_then(Value::as_str).ok_or_else(|| ApiError::bad("type", "an event has a type"))?;
        let (members, form): (&[&str], Form) = match kind {
            "session.update" => (&["session"], Form::General),
            "transcription_session.update" => (&["session"], Form::Beta),
            "input_audio_buffer.append" => (&["audio"], self.form),
            "input_audio_buffer.commit" | "input_audio_buffer.clear" => (&[], self.form),
            other => {
                let message = format!("the event {other:?} is not known in transcription sessions of this server");
                return Err(ApiError { code: Some("unknown_event"), ..ApiError::bad("type", message) });
            }
        };
        let is_known = |name: &str| ["type", "event_id"].contains(&name) || members.contains(&name);
        if let Some(other) = event.keys().find(|name| !is_known(name)) {
            let message = format!("unknown parameter: '{other}'");
            return Err(ApiError { code: Some("unknown_parameter"), ..ApiError::bad(other, message) });
        }
        match kind {
            "input_audio_buffer.append" => ear.feed(&decoded(event.get("audio"))?),
            "input_audio_buffer.commit" => {
                if ear.uncommitted() < LEAST {
                    let message = format!(
                        "the buffer has {:.0} ms of sound to commit, and {:.0} are needed",
                        1e3 * ear.uncommitted(),
                        1e3 * LEAST
                    );
                    let error = ApiError::bad("audio", message);
                    return Err(ApiError { param: None, code: Some("input_audio_buffer_commit_empty"), ..error });
                }
                ear.commit();
                Ok(())
            }
            "input_audio_buffer.clear" => {
                ear.clear();
                out.push(self.event("input_audio_buffer.cleared", json!({})));
                Ok(())
            }
            _ => {
                let session = event.get("session").ok_or_else(|| ApiError::bad("session", "there is no session"))?;
                let config = self.config.updated(session, form)?;
                ear.configure(config.task(self.most_waiting))?;
                self.config = config;
                let session = self.config.shown(&self.id, self.expires_at, form);
                out.push(self.event(
                    match form {
                        Form::General => "session.updated",
                        Form::Beta => "transcription_session.updated",
                    },
                    json!({ "session": session }),
                ));
                Ok(())
            }
        }
    }

    /// The item of an utterance.
    fn item(&mut self, utterance: u64) -> &mut Item {
        let holds = !self.config.detects();
        let session = self.id.trim_start_matches("sess_");
        self.items.entry(utterance).or_insert_with(|| Item {
            id: format!("item_{session}_{utterance}"),
            before: None,
            pieces: Pieces::default(),
            held: holds.then(Vec::new),
        })
    }

    fn commit(&mut self, utterance: u64, out: &mut Vec<Value>) {
        let last = self.last.take();
        let item = self.item(utterance);
        item.before.clone_from(&last);
        let (id, before, held) = (item.id.clone(), last, item.held.take().unwrap_or_default());
        self.last = Some(id.clone());
        out.push(self.event("input_audio_buffer.committed", json!({ "previous_item_id": before, "item_id": id })));
        let item = shown_item(&id, "in_progress", None);
        let kind = match self.form {
            Form::General => "conversation.item.added",
            Form::Beta => "conversation.item.created",
        };
        out.push(self.event(kind, json!({ "previous_item_id": before, "item": item })));
        for delta in held {
            out.push(self.delta(&id, &delta));
        }
    }

    fn delta(&mut self, item: &str, delta: &str) -> Value {
        let content = json!({ "item_id": item, "content_index": 0, "delta": delta });
        self.event("conversation.item.input_audio_transcription.delta", content)
    }

    fn end(&mut self, utterance: u64, seconds: f64, complete: bool, out: &mut Vec<Value>) {
        let Some(Item { id, before, pieces, .. }) = self.items.remove(&utterance) else { return };
        if complete {
            let content =
                json!({ "item_id": id, "content_index": 0, "transcript": pieces.text(), "usage": usage(seconds) });
            out.push(self.event("conversation.item.input_audio_transcription.completed", content));
            if self.form == Form::General {
                let item = shown_item(&id, "completed", Some(pieces.text()));
                out.push(self.event("conversation.item.done", json!({ "previous_item_id": before, "item": item })));
            }
        } else {
            let error = self.error.take().unwrap_or_else(|| ApiError::fault("the sound could not be heard"));
            let error =
                json!({ "type": error.family, "code": error.code, "message": error.message, "param": error.param });
            let content = json!({ "item_id": id, "content_index": 0, "error": error });
            out.push(self.event("conversation.item.input_audio_transcription.failed", content));
        }
    }
}

/// An item as it is told.
fn shown_item(id: &str, status: &str, transcript: Option<&str>) -> Value {
    json!({
        "id": id,
        "object": "realtime.item",
        "type": "message",
        "status": status,
        "role": "user",
        "content": [{ "type": "input_audio", "transcript": transcript }],
    })
}

impl Dialect for Realtime {
    fn receive(&mut self, ear: &mut Ear, frame: Frame, out: &mut Vec<Value>) -> Result<(), ApiError> {
        let Frame::Text(text) = frame else {
            let error = ApiError::bad(
                "type",
                "events are JSON in text messages; sound is their base64 in input_audio_buffer.append",
            );
            out.push(self.refused(&error, None));
            return Ok(());
        };
        let Read { event, error } = events::read(&text);
        let id =
            event.get("event_id").and_then(Value::as_str).map(|id| id.chars().take(LONGEST_ID).collect::<String>());
        let done = match error {
            Some(error) => Err(error),
            None => self.heed(ear, &event, out),
        };
        if let Err(error) = done {
            out.push(self.refused(&error, id.as_deref()));
        }
        Ok(())
    }

    fn tell(&mut self, _: &Ear, update: Update, out: &mut Vec<Value>) {
        match update {
            Update::Started { utterance, at } => {
                let id = self.item(utterance).id.clone();
                let content = json!({ "audio_start_ms": (1e3 * at) as u64, "item_id": id });
                out.push(self.event("input_audio_buffer.speech_started", content));
            }
            Update::Stopped { utterance, at } => {
                if self.config.detects() {
                    let id = self.item(utterance).id.clone();
                    let content = json!({ "audio_end_ms": (1e3 * at) as u64, "item_id": id });
                    out.push(self.event("input_audio_buffer.speech_stopped", content));
                }
                self.commit(utterance, out);
            }
            Update::Agreed { utterance, words } => {
                let item = self.item(utterance);
                let delta = item.pieces.next(&text_of(&words));
                match &mut item.held {
                    Some(held) => held.push(delta),
                    None => {
                        let id = item.id.clone();
                        out.push(self.delta(&id, &delta));
                    }
                }
            }
            Update::Ended { utterance, seconds, complete, .. } => self.end(utterance, seconds, complete, out),
            // What was told of it is no item.
            Update::Dropped { utterance } => drop(self.items.remove(&utterance)),
            Update::Partial { .. } | Update::Line(_) => {}
        }
    }

    fn failed(&mut self, error: &ApiError, _: &mut Vec<Value>) {
        // It is told of the item, once that is over without what failed.
        self.error = Some(error.clone());
    }

    fn error(&mut self, error: &ApiError) -> Value {
        self.refused(error, None)
    }

    fn is_done(&self) -> bool {
        false
    }

    fn last(&mut self, _: &Ear) -> Option<Value> {
        None
    }

    fn ends_when_idle(&self) -> bool {
        self.config.detects()
    }
}
