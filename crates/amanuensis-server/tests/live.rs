//! Live sessions from outside: over sockets, with the demo model.

use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use amanuensis::model::Source;
use amanuensis::{Engine, Setup};
use amanuensis_server::{Keys, Library, LoadError, Server, Settings};
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tungstenite::stream::MaybeTlsStream;
use tungstenite::{Error, Message, WebSocket};

fn in_repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

struct Demo;

impl Library for Demo {
    fn names(&self) -> Vec<String> {
        vec!["demo".to_owned()]
    }

    fn load(&self, _: &str) -> Result<Engine, LoadError> {
        let source = Source::Path(in_repository("models/demo"));
        Ok(Engine::load(&source, &Setup::default())?)
    }
}

/// A server on a thread of this process.
struct Running {
    address: String,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    fn start(settings: Settings) -> Self {
        let settings = Settings { listen: "127.0.0.1:0".parse().expect("an address"), ..settings };
        let server = Server::bind(settings, Keys::default(), Arc::new(Demo)).expect("it starts");
        let address = server.address().to_string();
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = std::thread::spawn(move || {
            let stopped = async move {
                let _ = stopped.await;
            };
            server.run(stopped).expect("it ends");
        });
        let running = Running { address, stop: Some(stop), thread: Some(thread) };
        let begun = Instant::now();
        while ureq::get(format!("http://{}/readyz", running.address)).call().is_err() {
            assert!(begun.elapsed() < Duration::from_secs(120), "it is not ready");
            std::thread::sleep(Duration::from_millis(20));
        }
        running
    }

    fn connect(&self) -> Result<Line, Error> {
        let (mut socket, _) = tungstenite::connect(format!("ws://{}/v1/live", self.address))?;
        if let MaybeTlsStream::Plain(stream) = socket.get_mut() {
            stream.set_read_timeout(Some(Duration::from_secs(120))).expect("a socket has a timeout");
        }
        Ok(Line(socket))
    }

    fn stop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            thread.join().expect("the server ends");
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.stop.take());
    }
}

struct Line(WebSocket<MaybeTlsStream<TcpStream>>);

impl Line {
    fn say(&mut self, message: Value) {
        self.0.send(Message::text(message.to_string())).expect("it is taken");
    }

    /// As much of a sample as so many seconds hold.
    fn speak(&mut self, name: &str, seconds: f64) {
        let sound = std::fs::read(in_repository("samples").join(name)).expect("a sample");
        for piece in sound[44..].chunks(3200).take((10.0 * seconds) as usize) {
            self.0.send(Message::binary(piece.to_vec())).expect("it is taken");
        }
    }

    /// The next message; the code with which the server closes, where it does.
    fn next(&mut self) -> Result<Value, Option<u16>> {
        loop {
            match self.0.read() {
                Ok(Message::Text(text)) => return Ok(serde_json::from_str(text.as_str()).expect("a message is JSON")),
                Ok(Message::Close(frame)) => return Err(frame.map(|frame| frame.code.into())),
                Ok(_) => {}
                Err(error) => panic!("{error}"),
            }
        }
    }

    /// All messages until the server closes, and its code.
    fn rest(&mut self) -> (Vec<Value>, Option<u16>) {
        let mut all = Vec::new();
        loop {
            match self.next() {
                Ok(message) => all.push(message),
                Err(code) => return (all, code),
            }
        }
    }
}

fn text(messages: &[Value]) -> String {
    let finals = messages.iter().filter(|message| message["type"] == "final");
    finals.filter_map(|message| message["text"].as_str()).collect::<Vec<_>>().join(" ")
}

#[test]
fn a_session_that_the_server_ends_gets_its_finals() {
    let mut server = Running::start(Settings { drain: 60, ..Settings::default() });
    let mut line = server.connect().expect("there is room");
    line.say(json!({ "language": "en" }));
    // No silence behind it that would end the utterance: it is heard while more may come.
    line.speak("english.wav", 3.3);
    while line.next().expect("it goes on")["type"] != "partial" {}
    let reader = std::thread::spawn(move || line.rest());
    server.stop();
    let (messages, code) = reader.join().expect("it reads");
    assert_eq!(code, Some(1001), "{messages:?}");
    assert_eq!(messages.last().map(|message| &message["type"]), Some(&json!("done")));
    assert!(text(&messages).contains("weeks"), "{messages:?}");
}

#[test]
fn seats_are_counted_and_given_back() {
    let server = Running::start(Settings { max_live_sessions_of_one: 2, live_resume: 60, ..Settings::default() });
    let mut first = server.connect().expect("there is room");
    first.say(json!({}));
    let ready = first.next().expect("it is ready");
    let mut second = server.connect().expect("there is room");
    second.say(json!({}));
    assert_eq!(second.next().expect("it is ready")["type"], "ready");
    match server.connect() {
        Err(Error::Http(response)) => assert_eq!(response.status().as_u16(), 429),
        other => panic!("{:?}", other.err()),
    }
    // Its seat is kept for it, and given to somebody who is there.
    drop(first);
    let begun = Instant::now();
    let mut third = loop {
        match server.connect() {
            Ok(line) => break line,
            Err(_) => assert!(begun.elapsed() < Duration::from_secs(20), "the seat is not given back"),
        }
        std::thread::sleep(Duration::from_millis(50));
    };
    third.say(json!({}));
    assert_eq!(third.next().expect("it is ready")["type"], "ready");
    drop(second);
    let begun = Instant::now();
    let mut fourth = loop {
        match server.connect() {
            Ok(line) => break line,
            Err(_) => assert!(begun.elapsed() < Duration::from_secs(20), "the seat is not given back"),
        }
        std::thread::sleep(Duration::from_millis(50));
    };
    fourth.say(json!({ "resume": ready["session"] }));
    let refused = fourth.next().expect("an answer");
    assert_eq!(refused["error"]["code"], "session_not_found", "{refused}");
}

#[test]
fn what_comes_too_fast_is_an_error_and_not_memory() {
    let server = Running::start(Settings { max_live_lag: 2.0, ..Settings::default() });
    let mut line = server.connect().expect("there is room");
    line.say(json!({}));
    let noise: Vec<u8> = (0..40 * 32_000_u32).map(|place| (place.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    line.0.send(Message::binary(noise)).expect("it is taken");
    let (messages, code) = line.rest();
    assert_eq!(messages.last().map(|message| &message["error"]["code"]), Some(&json!("too_fast")), "{messages:?}");
    assert_eq!(code, Some(1013));
}
