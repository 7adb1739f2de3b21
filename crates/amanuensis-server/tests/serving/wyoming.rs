//! Wyoming, with a client written here.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use amanuensis_server::Settings;
use serde_json::{Value, json};

use super::server::{ENGLISH, Running, sample, start};

fn spoken() -> Running {
    start(Settings { wyoming: Some("127.0.0.1:0".parse().expect("an address")), body_idle: 1, ..Settings::default() })
}

struct Client(BufReader<TcpStream>);

impl Client {
    fn new(server: &Running) -> Self {
        let stream = TcpStream::connect(server.wyoming.expect("it is spoken")).expect("a connection");
        stream.set_read_timeout(Some(Duration::from_secs(60))).expect("a limit");
        Client(BufReader::new(stream))
    }

    fn tell(&mut self, kind: &str, data: &Value, payload: &[u8]) {
        let data = data.to_string();
        let line = json!({ "type": kind, "data_length": data.len(), "payload_length": payload.len() });
        let mut bytes = format!("{line}\n{data}").into_bytes();
        bytes.extend_from_slice(payload);
        self.0.get_mut().write_all(&bytes).expect("it is taken");
    }

    /// The next event; none at the end.
    fn hear(&mut self) -> Option<(String, Value)> {
        let mut line = String::new();
        self.0.read_line(&mut line).expect("a line");
        let line: Value = serde_json::from_str(&line).ok()?;
        let mut data = vec![0; line["data_length"].as_u64().unwrap_or(0) as usize];
        self.0.read_exact(&mut data).expect("data");
        Some((line["type"].as_str()?.to_owned(), serde_json::from_slice(&data).expect("JSON")))
    }

    fn say(&mut self, sound: &[u8]) {
        let format = json!({ "rate": 16000, "width": 2, "channels": 1 });
        self.tell("audio-start", &format, b"");
        for chunk in sound.chunks(2048) {
            self.tell("audio-chunk", &format, chunk);
        }
        self.tell("audio-stop", &json!({ "timestamp": 0 }), b"");
    }
}

#[test]
fn home_assistant_is_served() {
    let server = spoken();
    let mut client = Client::new(&server);
    client.tell("describe", &json!({}), b"");
    let (kind, info) = client.hear().expect("an answer");
    let model = &info["asr"][0]["models"][0];
    assert_eq!((kind.as_str(), &model["name"], &model["languages"]), ("info", &"demo".into(), &json!(["en", "de"])));
    client.tell("ping", &json!({ "text": "there?" }), b"");
    assert_eq!(client.hear(), Some(("pong".to_owned(), json!({ "text": "there?" }))));
    let sound = &sample("english.wav")[44..];
    for asked in [json!({ "language": "en-US" }), json!({ "name": "demo" }), json!({ "language": null })] {
        client.tell("transcribe", &asked, b"");
        client.say(sound);
        let (kind, heard) = client.hear().expect("an answer");
        assert_eq!((kind.as_str(), &heard["text"], &heard["language"]), ("transcript", &ENGLISH.into(), &"en".into()));
    }
    // Something that is meant for somebody else.
    client.tell("synthesize", &json!({ "text": "Hello." }), b"");
    client.say(b"");
    let (kind, error) = client.hear().expect("an answer");
    assert!(kind == "error" && error["text"].as_str().is_some_and(|text| text.contains("empty")), "{error}");
    let (_, page) = server.get("/metrics");
    let counted = "amanuensis_requests_total{endpoint=\"wyoming\",status=\"200\"} 3";
    assert!(page.as_str().is_some_and(|page| page.contains(counted)), "{page}");
}

#[test]
fn what_cannot_be_is_an_error_and_the_next_sound_is_heard() {
    let server = spoken();
    let mut client = Client::new(&server);
    let refused = |client: &mut Client, what: &str| {
        let (kind, error) = client.hear().expect("an answer");
        assert!(kind == "error" && error["text"].as_str().is_some_and(|text| text.contains(what)), "{kind}: {error}");
    };
    client.tell("transcribe", &json!({ "name": "large" }), b"");
    refused(&mut client, "large");
    client.tell("transcribe", &json!({ "language": "klingon" }), b"");
    refused(&mut client, "klingon");
    client.tell("audio-stop", &json!({}), b"");
    refused(&mut client, "audio-start");
    client.tell("audio-start", &json!({ "rate": 16000, "width": 1, "channels": 1 }), b"");
    refused(&mut client, "width");
    client.tell("audio-chunk", &json!({ "rate": 16000, "width": 1, "channels": 1 }), b"xx");
    client.tell("audio-stop", &json!({}), b"");
    client.tell("audio-start", &json!({ "rate": 16000, "width": 2, "channels": 1 }), b"");
    client.tell("audio-chunk", &json!({ "rate": 8000, "width": 2, "channels": 1 }), b"xx");
    refused(&mut client, "another shape");
    client.tell("audio-stop", &json!({}), b"");
    client.say(&sample("english.wav")[44..]);
    assert_eq!(client.hear().expect("an answer").1["text"], ENGLISH);
}

#[test]
fn who_speaks_no_wyoming_or_nothing_at_all_is_sent_away() {
    let server = spoken();
    let mut client = Client::new(&server);
    client.0.get_mut().write_all(b"POST / HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("it is taken");
    let (kind, _) = client.hear().expect("an answer");
    assert_eq!((kind.as_str(), client.hear()), ("error", None));
    let mut client = Client::new(&server);
    client.tell("audio-start", &json!({ "rate": 16000, "width": 2, "channels": 1 }), b"");
    let (kind, error) = client.hear().expect("an answer, after a second");
    assert!(kind == "error" && error["text"].as_str().is_some_and(|text| text.contains("1 seconds")), "{error}");
    assert_eq!(client.hear(), None);
}
