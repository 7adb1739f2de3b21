//! A server and a client for it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use amanuensis_server::{Keys, Server, Settings};
use serde_json::Value;
use tokio::sync::oneshot;

use super::engine::{Mood, Shelf, in_repository};

pub(crate) struct Running {
    pub(crate) base: String,
    pub(crate) wyoming: Option<SocketAddr>,
    pub(crate) mood: Arc<Mood>,
    agent: ureq::Agent,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Starts a server with the demo model under these names.
pub(crate) fn start_with(names: &[&str], settings: Settings) -> Running {
    let mood = Arc::new(Mood::default());
    let names = names.iter().map(|name| (*name).to_owned()).collect();
    let settings = Settings { listen: "127.0.0.1:0".parse().expect("an address"), drain: 5, ..settings };
    let shelf = Shelf { names, mood: Arc::clone(&mood) };
    let server = Server::bind(settings, Keys::default(), Arc::new(shelf)).expect("it starts");
    let (base, wyoming) = (format!("http://{}", server.address()), server.wyoming_address());
    let (stop, stopped) = oneshot::channel();
    let run = move || {
        let stopped = async {
            let _ = stopped.await;
        };
        server.run(stopped).expect("it ends");
    };
    let thread = Some(std::thread::spawn(run));
    let config =
        ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(Duration::from_secs(120)));
    Running { base, wyoming, mood, agent: config.build().into(), stop: Some(stop), thread }
}

/// The same with one model, once it is ready.
pub(crate) fn start(settings: Settings) -> Running {
    let running = start_with(&["demo"], settings);
    running.until_ready();
    running
}

impl Drop for Running {
    fn drop(&mut self) {
        self.mood.hold(false);
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// A status and what was answered.
pub(crate) type Answer = (u16, Value);

fn read(answer: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> Answer {
    let mut answer = answer.expect("an answer");
    let text = answer.body_mut().read_to_string().expect("a text");
    (answer.status().as_u16(), serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

impl Running {
    pub(crate) fn get(&self, path: &str) -> Answer {
        read(self.agent.get(format!("{}{path}", self.base)).call())
    }

    pub(crate) fn post_json(&self, path: &str, body: &Value) -> Answer {
        read(self.agent.post(format!("{}{path}", self.base)).content_type("application/json").send(body.to_string()))
    }

    pub(crate) fn post(&self, path: &str, sound: &[u8], fields: &[(&str, &str)]) -> Answer {
        let mut body = Vec::new();
        for (name, value) in fields {
            let part = format!("--x\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
            body.extend_from_slice(part.as_bytes());
        }
        body.extend_from_slice(b"--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\n\r\n");
        body.extend_from_slice(sound);
        body.extend_from_slice(b"\r\n--x--\r\n");
        let request = self.agent.post(format!("{}{path}", self.base)).content_type("multipart/form-data; boundary=x");
        read(request.send(&body))
    }

    /// OpenAI's endpoint with a model.
    pub(crate) fn transcribe(&self, model: &str, sound: &[u8], fields: &[(&str, &str)]) -> Answer {
        let fields: Vec<(&str, &str)> = fields.iter().copied().chain([("model", model)]).collect();
        self.post("/v1/audio/transcriptions", sound, &fields)
    }

    /// Asks until the answer is as wanted.
    pub(crate) fn until(&self, path: &str, is_wanted: impl Fn(&Answer) -> bool) -> Answer {
        let begun = Instant::now();
        loop {
            let answer = self.get(path);
            if is_wanted(&answer) {
                return answer;
            }
            assert!(begun.elapsed() < Duration::from_secs(120), "{path}: {answer:?}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub(crate) fn until_ready(&self) {
        self.until("/readyz", |(status, _)| *status == 200);
    }
}

pub(crate) fn sample(name: &str) -> Vec<u8> {
    std::fs::read(in_repository("samples").join(name)).expect("a sample")
}

/// What is said in `english.wav`.
pub(crate) const ENGLISH: &str = "Please check the server every eleven weeks.";
/// What is said in `german.wav`.
pub(crate) const GERMAN: &str = "Maria und Laura arbeiten nächstes Jahr am Bahnhof.";
