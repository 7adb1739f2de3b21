//! Jobs: recordings that are heard although nobody waits for them, and although the process dies in between.

mod address;
pub(crate) mod codes;
mod runner;
mod store;
mod webhook;

use serde_json::{Map, Value, json};

pub(crate) use runner::{Jobs, deliver, look, tidy, work};
pub(crate) use store::{Added, Filter, Keeping, NewJob, Store, StoreError};
pub(crate) use webhook::Sender;

/// How far a job has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Status {
    Queued,
    Running,
    Succeeded,
    Failed,
    Cancelled,
}

impl Status {
    pub(crate) const ALL: [Status; 5] =
        [Status::Queued, Status::Running, Status::Succeeded, Status::Failed, Status::Cancelled];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Status::Queued => "queued",
            Status::Running => "running",
            Status::Succeeded => "succeeded",
            Status::Failed => "failed",
            Status::Cancelled => "cancelled",
        }
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        Status::ALL.into_iter().find(|status| status.name() == name)
    }

    /// Whether nothing more will come of it.
    pub(crate) fn is_over(self) -> bool {
        matches!(self, Status::Succeeded | Status::Failed | Status::Cancelled)
    }
}

/// A job, as the database has it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Job {
    /// Its place in the order in which jobs came: clocks are set, this is not.
    pub(crate) number: i64,
    pub(crate) id: String,
    /// Whose it is.
    pub(crate) client: String,
    pub(crate) status: Status,
    /// What the client calls the file.
    pub(crate) name: Option<String>,
    pub(crate) model: String,
    /// The other fields of the form, as they came.
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) webhook_url: Option<String>,
    /// Seconds of sound.
    pub(crate) duration: f64,
    /// Seconds of them that were heard.
    pub(crate) processed: f64,
    pub(crate) language: Option<String>,
    /// The inside of an error object.
    pub(crate) error: Option<Value>,
    /// Whether the sound is still there.
    pub(crate) has_sound: bool,
    pub(crate) created_at: i64,
    pub(crate) started_at: Option<i64>,
    pub(crate) finished_at: Option<i64>,
    /// When it will be forgotten, once it is over.
    pub(crate) expires_at: Option<i64>,
}

impl Job {
    /// It, as clients see it.
    pub(crate) fn object(&self) -> Value {
        json!({
            "id": self.id,
            "object": "transcription.job",
            "status": self.status.name(),
            "created_at": self.created_at,
            "started_at": self.started_at,
            "finished_at": self.finished_at,
            "expires_at": self.expires_at,
            "name": self.name,
            "model": self.model,
            "options": self.options(),
            "duration": self.duration,
            "processed": self.processed,
            "language": self.language,
            "error": self.error,
        })
    }

    /// The fields as an object; a field that came more than once is a list.
    fn options(&self) -> Value {
        let mut options: Map<String, Value> = Map::new();
        for (name, value) in &self.fields {
            let value = Value::from(value.as_str());
            match options.get_mut(name) {
                None => {
                    options.insert(name.clone(), value);
                }
                Some(Value::Array(values)) => values.push(value),
                Some(first) => *first = Value::Array(vec![first.take(), value]),
            }
        }
        Value::Object(options)
    }
}
