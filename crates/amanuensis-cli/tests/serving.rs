//! `serve`, as a process: what it says in its log, and how it ends.
#![cfg(unix)]

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const KEY: &str = "key-4f1c9a";

/// A server in a folder.
struct Running {
    process: Child,
    address: String,
    folder: PathBuf,
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn start(folder: &Path) -> Running {
    for name in ["tmp", "data"] {
        fs::create_dir(folder.join(name)).expect("a folder");
    }
    let log = File::create(folder.join("log")).expect("a log");
    let process = Command::new(env!("CARGO_BIN_EXE_amanuensis"))
        .args(["serve", "--listen", "127.0.0.1:0", "--data"])
        .arg(folder.join("data"))
        .env("AMANUENSIS_API_KEY", KEY)
        .env("TMPDIR", folder.join("tmp"))
        // All that the program itself has to say, and what its libraries say to an operator.
        .env("RUST_LOG", "info,amanuensis=trace,amanuensis_server=trace,amanuensis_hub=trace")
        .stdin(Stdio::null())
        .stdout(log.try_clone().expect("a log"))
        .stderr(log)
        .spawn()
        .expect("it starts");
    let mut running = Running { process, address: String::new(), folder: folder.to_owned() };
    let begun = Instant::now();
    while running.address.is_empty() || running.get("/readyz").0 != 200 {
        assert!(begun.elapsed() < Duration::from_secs(60), "it does not start: {}", running.log());
        let log = running.log();
        let address = log.lines().find_map(|line| line.strip_prefix("listening on http://"));
        running.address = address.and_then(|address| address.split(',').next()).unwrap_or_default().to_owned();
        std::thread::sleep(Duration::from_millis(20));
    }
    running
}

impl Running {
    fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).expect("a log")
    }

    /// The status and all of the answer.
    fn ask(&self, head: &str, body: &[u8]) -> (u16, String) {
        let Ok(mut stream) = TcpStream::connect(&self.address) else { return (0, String::new()) };
        let length = body.len();
        let host = &self.address;
        let head = format!("{head}\r\nhost: {host}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n");
        stream.write_all(head.as_bytes()).expect("it is sent");
        stream.write_all(body).expect("it is sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        (answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default(), answer)
    }

    fn get(&self, path: &str) -> (u16, String) {
        self.ask(&format!("GET {path} HTTP/1.1\r\nauthorization: Bearer {KEY}"), b"")
    }

    fn post(&self, path: &str, key: &str, file: &str, sound: &[u8], fields: &[(&str, &str)]) -> (u16, String) {
        let mut body = Vec::new();
        for (name, value) in fields {
            let part = format!("--x\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
            body.extend_from_slice(part.as_bytes());
        }
        let part = format!("--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{file}\"\r\n\r\n");
        body.extend_from_slice(part.as_bytes());
        body.extend_from_slice(sound);
        body.extend_from_slice(b"\r\n--x--\r\n");
        let head = format!(
            "POST {path} HTTP/1.1\r\nauthorization: Bearer {key}\r\ncontent-type: multipart/form-data; boundary=x"
        );
        self.ask(&head, &body)
    }
}

fn sample(name: &str) -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../samples").join(name)).expect("a sample")
}

#[test]
fn the_log_names_neither_speech_nor_prompts_nor_files_nor_keys() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = start(folder.path());
    let (file, sound) = ("filename-7d2e.wav", sample("english.wav"));
    let fields = [("model", "whisper-1"), ("prompt", "prompt-quux"), ("hotwords", "hotword-zyzzy")];
    let (status, answer) = server.post("/v1/audio/transcriptions", KEY, file, &sound, &fields);
    assert!(status == 200 && answer.contains("eleven weeks"), "{answer}");
    let (status, answer) = server.post("/v1/jobs", KEY, file, &sound, &fields);
    assert_eq!(status, 202, "{answer}");
    let (_, path) = answer.split_once("\"id\":\"").expect("an id");
    let path = format!("/v1/jobs/{}", path.split('"').next().expect("an id"));
    let begun = Instant::now();
    while !server.get(&path).1.contains("\"succeeded\"") {
        assert!(begun.elapsed() < Duration::from_secs(60), "{}", server.log());
        std::thread::sleep(Duration::from_millis(20));
    }
    let (status, answer) = server.get(&format!("{path}/result?format=text"));
    assert!(status == 200 && answer.contains("eleven weeks"), "{answer}");
    // What is refused is told to the client and to nobody else.
    let wrong = [("model", "whisper-1"), ("language", "language-xylo")];
    assert_eq!(server.post("/v1/audio/transcriptions", KEY, file, &sound, &wrong).0, 400);
    assert_eq!(server.post("/v1/audio/transcriptions", KEY, file, b"no sound", &fields).0, 415);
    assert_eq!(server.post("/v1/audio/transcriptions", "wrong-key-wombat", file, &sound, &fields).0, 401);
    let log = server.log();
    assert!(log.matches("answered").count() >= 6, "requests are logged: {log}");
    // None of them is made of hexadecimal digits, as the ids of requests are.
    for secret in [KEY, file, "eleven", "quux", "zyzzy", "xylo", "wombat"] {
        assert!(!log.contains(secret), "{secret} stands in the log: {log}");
    }
}

#[test]
fn asked_to_end_it_ends_and_leaves_no_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut server = start(folder.path());
    let sound = sample("english.wav");
    assert_eq!(server.post("/v1/audio/transcriptions", KEY, "a.wav", &sound, &[("model", "demo")]).0, 200);
    // Somebody who has connected and says nothing does not hold it up.
    let _silent = TcpStream::connect(&server.address).expect("a connection");
    let begun = Instant::now();
    let killed = Command::new("kill").arg(server.process.id().to_string()).status().expect("kill");
    assert!(killed.success());
    let status = server.process.wait().expect("it ends");
    assert!(status.success(), "{status}: {}", server.log());
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    let left: Vec<_> = fs::read_dir(folder.path().join("tmp")).expect("a folder").flatten().collect();
    assert!(left.is_empty(), "{left:?}");
}
