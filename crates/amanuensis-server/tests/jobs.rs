//! Jobs from outside: over a socket, through a server in a process of its own that is killed.

use std::fs::OpenOptions;
use std::io::{Read, Write};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use amanuensis::Engine;
use amanuensis::backend::cpu::Cpu;
use amanuensis::backend::{Availability, Backend, BackendError, ComputeType, Decoding, Encoded, Model, Work};
use amanuensis::mel::Mel;
use amanuensis::model::{self, Dims, ModelFile, Source};
use amanuensis_server::{Keys, Library, LoadError, Server, Settings};
use rusqlite::Connection;
use serde_json::Value;

fn in_repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

/// A processor that writes down how many windows it has encoded, where a kill does not take it back.
struct Counting(PathBuf);

struct CountingModel {
    inner: Box<dyn Model>,
    log: PathBuf,
}

impl Backend for Counting {
    fn name(&self) -> &'static str {
        "counting"
    }

    fn probe(&self) -> Availability {
        Availability::Ready("a test".to_owned())
    }

    fn load(&self, file: &ModelFile) -> Result<Box<dyn Model>, BackendError> {
        let inner = Cpu::new(NonZeroUsize::new(1), ComputeType::default()).load(file)?;
        Ok(Box::new(CountingModel { inner, log: self.0.clone() }))
    }
}

impl Model for CountingModel {
    fn dims(&self) -> &Dims {
        self.inner.dims()
    }

    fn encode(&self, windows: &[Mel], work: &mut Work<'_>) -> Result<Encoded, BackendError> {
        let encoded = self.inner.encode(windows, work)?;
        let mut log = OpenOptions::new().create(true).append(true).open(&self.log).expect("the log opens");
        log.write_all("w".repeat(windows.len()).as_bytes()).expect("the log is written");
        Ok(encoded)
    }

    fn begin<'a>(&'a self, encoded: &Encoded, work: &mut Work<'_>) -> Result<Box<dyn Decoding + 'a>, BackendError> {
        self.inner.begin(encoded, work)
    }
}

struct Demo(PathBuf);

impl Library for Demo {
    fn names(&self) -> Vec<String> {
        vec!["demo".to_owned()]
    }

    fn load(&self, _: &str) -> Result<Engine, LoadError> {
        let file = model::open(&Source::Path(in_repository("models/demo"))).map_err(amanuensis::Error::from)?;
        Ok(Engine::with(file, &Counting(self.0.clone()))?)
    }
}

const FOLDER: &str = "AMANUENSIS_TEST_SERVER";

/// The server that the other tests start, in a process of its own.
#[test]
#[ignore = "the other tests run it"]
fn serve() {
    let Some(folder) = std::env::var_os(FOLDER).map(PathBuf::from) else { return };
    let settings = Settings {
        listen: "127.0.0.1:0".parse().expect("an address"),
        data: Some(folder.join("data")),
        together: 2,
        max_requests_per_minute: 1_000_000,
        drain: 1,
        // It would be counted among the windows.
        warm_up: false,
        ..Settings::default()
    };
    let server = Server::bind(settings, Keys::default(), Arc::new(Demo(folder.join("log")))).expect("it starts");
    std::fs::write(folder.join("address.new"), server.address().to_string()).expect("the address is written");
    std::fs::rename(folder.join("address.new"), folder.join("address")).expect("the address is written");
    let stop = folder.join("stop");
    server
        .run(async move {
            while !stop.exists() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        })
        .expect("it ends");
}

/// A server in a folder.
struct Running {
    process: Child,
    base: String,
    agent: ureq::Agent,
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Starts a server behind `before`, words of the shell.
fn start_behind(before: &str, folder: &Path) -> Running {
    let _ = std::fs::remove_file(folder.join("address"));
    let program = std::env::current_exe().expect("this program");
    let log = OpenOptions::new().create(true).append(true).open(folder.join("output")).expect("a file");
    let process = Command::new("sh")
        .args(["-c", &format!("{before} exec \"$0\" --ignored --exact serve --nocapture")])
        .arg(program)
        .env(FOLDER, folder)
        .stdout(log.try_clone().expect("a file"))
        .stderr(log)
        .stdin(Stdio::null())
        .spawn()
        .expect("it starts");
    let config =
        ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(Duration::from_secs(60)));
    let mut running = Running { process, base: String::new(), agent: config.build().into() };
    let begun = Instant::now();
    while running.base.is_empty() {
        assert!(begun.elapsed() < Duration::from_secs(60), "it does not start: {}", output(folder));
        if let Ok(address) = std::fs::read_to_string(folder.join("address")) {
            running.base = format!("http://{address}");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    running
}

fn start(folder: &Path) -> Running {
    start_behind("", folder)
}

fn output(folder: &Path) -> String {
    std::fs::read_to_string(folder.join("output")).unwrap_or_default()
}

/// A status and what was answered.
type Answer = (u16, Value);

fn read(answer: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> Answer {
    let mut answer = answer.expect("an answer");
    let text = answer.body_mut().read_to_string().expect("a text");
    (answer.status().as_u16(), serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

impl Running {
    fn get(&self, path: &str) -> Answer {
        read(self.agent.get(format!("{}{path}", self.base)).call())
    }

    fn post(&self, path: &str, sound: &[u8], fields: &[(&str, &str)], key: Option<&str>) -> Answer {
        let mut body = Vec::new();
        for (name, value) in fields.iter().chain(&[("model", "demo")]) {
            let part = format!("--x\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
            body.extend_from_slice(part.as_bytes());
        }
        body.extend_from_slice(b"--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\n\r\n");
        body.extend_from_slice(sound);
        body.extend_from_slice(b"\r\n--x--\r\n");
        let request = self.agent.post(format!("{}{path}", self.base)).content_type("multipart/form-data; boundary=x");
        let request = match key {
            Some(key) => request.header("idempotency-key", key),
            None => request,
        };
        read(request.send(&body))
    }

    fn job(&self, sound: &[u8], fields: &[(&str, &str)]) -> String {
        let (status, job) = self.post("/v1/jobs", sound, fields, None);
        assert_eq!(status, 202, "{job}");
        job["id"].as_str().expect("an id").to_owned()
    }

    fn finished(&self, id: &str) -> Value {
        let begun = Instant::now();
        loop {
            let (status, job) = self.get(&format!("/v1/jobs/{id}"));
            assert_eq!(status, 200, "{job}");
            if !["queued", "running"].contains(&job["status"].as_str().expect("a status")) {
                return job;
            }
            assert!(begun.elapsed() < Duration::from_secs(300), "{job}");
            std::thread::sleep(Duration::from_millis(30));
        }
    }

    fn result(&self, id: &str) -> Value {
        let (status, result) = self.get(&format!("/v1/jobs/{id}/result"));
        assert_eq!(status, 200, "{result}");
        result
    }
}

fn sample(name: &str) -> Vec<u8> {
    std::fs::read(in_repository("samples").join(name)).expect("a sample")
}

/// A sample so many times over.
fn long(name: &str, times: usize) -> Vec<u8> {
    let sample = sample(name);
    let (head, data) = sample.split_at(44);
    let mut sound = head.to_vec();
    let bytes = (data.len() * times) as u32;
    sound[4..8].copy_from_slice(&(bytes + 36).to_le_bytes());
    sound[40..44].copy_from_slice(&bytes.to_le_bytes());
    (0..times).for_each(|_| sound.extend_from_slice(data));
    sound
}

fn heard(folder: &Path) -> u64 {
    std::fs::metadata(folder.join("log")).map_or(0, |log| log.len())
}

/// The windows that the database knows to have been heard.
fn kept(folder: &Path) -> u64 {
    let database = Connection::open(folder.join("data/jobs.db")).expect("a database");
    let sum = |sql: &str, pointer: &str| -> u64 {
        let mut statement = database.prepare(sql).expect("a table");
        let rows = statement.query_map([], |row| row.get::<_, String>(0)).expect("rows");
        let windows = |text: String| {
            let value: Value = serde_json::from_str(&text).expect("JSON");
            value.pointer(pointer).and_then(Value::as_u64).unwrap_or_else(|| panic!("{pointer}: {value}"))
        };
        rows.map(|text| windows(text.expect("a text"))).sum()
    };
    sum("SELECT saved FROM progress", "/contexts/windows")
        + sum("SELECT result FROM results", "/transcript/provenance/contexts/windows")
}

#[test]
fn a_job_gives_what_a_request_gives() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = start(folder.path());
    let sound = long("two-voices.wav", 4);
    let options = [("timestamp_granularities[]", "word"), ("language", "en")];
    let id = server.job(&sound, &options);
    let (status, events) = server.get(&format!("/v1/jobs/{id}/events"));
    assert_eq!(status, 200);
    let events: Vec<Value> = events
        .as_str()
        .expect("events")
        .lines()
        .filter_map(|line| line.strip_prefix("data: "))
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert_eq!((&events[0]["type"], &events[events.len() - 1]["type"]), (&"job.status".into(), &"job.done".into()));
    let job = server.finished(&id);
    assert_eq!((&job["status"], &job["options"]["language"]), (&"succeeded".into(), &"en".into()), "{job}");
    let verbose = [options[0], options[1], ("response_format", "verbose_json")];
    let (_, direct) = server.post("/v1/audio/transcriptions", &sound, &verbose, None);
    assert_eq!(server.result(&id), direct);
    let told: Vec<&Value> =
        events.iter().filter(|event| event["type"] == "job.segment").map(|event| &event["segment"]["text"]).collect();
    // With words: windows are cut otherwise where words have times.
    let both = [("timestamp_granularities[]", "segment,word"), options[1], verbose[2]];
    let (_, segments) = server.post("/v1/audio/transcriptions", &sound, &both, None);
    let expected: Vec<&Value> = segments["segments"].as_array().expect("segments").iter().map(|s| &s["text"]).collect();
    assert_eq!(told, expected);
    let (status, srt) = server.get(&format!("/v1/jobs/{id}/result?format=srt"));
    assert!(status == 200 && srt.as_str().is_some_and(|srt| srt.starts_with("1\n00:00:")), "{srt}");
    let mut part = server
        .agent
        .get(format!("{}/v1/jobs/{id}/audio", server.base))
        .header("range", "bytes=44-99")
        .call()
        .expect("a part");
    assert_eq!(part.status(), 206);
    let mut bytes = Vec::new();
    part.body_mut().as_reader().read_to_end(&mut bytes).expect("bytes");
    assert_eq!(bytes, sound[44..100]);
}

#[test]
fn accepted_jobs_survive_kills_and_hear_nothing_twice() {
    let folder = tempfile::tempdir().expect("a folder");
    let sounds =
        [long("two-voices.wav", 5), long("english.wav", 8), long("german.wav", 9), long("english-numbers.wav", 8)];
    let options: [&[(&str, &str)]; 4] = [
        &[("condition_on_previous_text", "true")],
        &[("word_timestamps", "true"), ("prompt", "Ferrer")],
        &[("batch_size", "2")],
        &[("vad_filter", "true"), ("hotwords", "seven")],
    ];
    let whole = tempfile::tempdir().expect("a folder");
    let (expected, windows) = {
        let server = start(whole.path());
        let ids: Vec<String> = sounds.iter().zip(options).map(|(sound, options)| server.job(sound, options)).collect();
        let results: Vec<Value> = ids
            .iter()
            .map(|id| {
                assert_eq!(server.finished(id)["status"], "succeeded");
                server.result(id)
            })
            .collect();
        (results, heard(whole.path()))
    };
    assert_eq!(kept(whole.path()), windows, "what is kept is what was heard");
    let mut random =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("a time").as_nanos() as u64;
    let mut pause = |most: u64| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        std::thread::sleep(Duration::from_millis((random >> 33) % most));
    };
    let mut ids = Vec::new();
    let (mut lost, mut kills) = (0, 0);
    for round in 0..12 {
        let before = heard(folder.path());
        let server = start(folder.path());
        if ids.is_empty() {
            ids = sounds.iter().zip(options).map(|(sound, options)| server.job(sound, options)).collect();
        }
        if round % 3 != 2 {
            let begun = Instant::now();
            while heard(folder.path()) < before + 3 && begun.elapsed() < Duration::from_secs(60) {
                std::thread::sleep(Duration::from_millis(2));
            }
        }
        pause(300);
        drop(server);
        kills += 1;
        let now = heard(folder.path()) - kept(folder.path());
        assert!(now - lost <= 8, "{} windows were under way when it was killed", now - lost);
        lost = now;
        if kept(folder.path()) == windows {
            break;
        }
    }
    let server = start(folder.path());
    for (id, expected) in ids.iter().zip(&expected) {
        let job = server.finished(id);
        assert_eq!(job["status"], "succeeded", "{job}");
        assert_eq!(server.result(id), *expected);
    }
    eprintln!("{kills} kills; {windows} windows; {} heard, {lost} of them under way at a kill", heard(folder.path()));
    assert_eq!(heard(folder.path()) - windows, lost, "what was kept was not heard again");
    assert!(kills >= 3, "{kills} kills");
}

#[test]
fn a_server_that_is_stopped_goes_on_later() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut server = start(folder.path());
    let id = server.job(&long("two-voices.wav", 14), &[]);
    while heard(folder.path()) < 3 {
        std::thread::sleep(Duration::from_millis(2));
    }
    std::fs::write(folder.path().join("stop"), b"").expect("a file");
    assert!(server.process.wait().expect("it ends").success(), "{}", output(folder.path()));
    let (before, saved) = (heard(folder.path()), kept(folder.path()));
    assert!(before - saved <= 2, "{before} heard, {saved} kept");
    std::fs::remove_file(folder.path().join("stop")).expect("the file");
    let server = start(folder.path());
    assert_eq!(server.finished(&id)["status"], "succeeded");
    let windows = kept(folder.path());
    assert_eq!(heard(folder.path()) - before, windows - saved);
}

#[test]
fn a_full_disk_is_an_error_and_leaves_nothing_behind() {
    let folder = tempfile::tempdir().expect("a folder");
    // Files of half a megabyte at most, and an error instead of a signal.
    let server = start_behind("trap '' XFSZ; ulimit -f 1024;", folder.path());
    let (status, error) = server.post("/v1/jobs", &long("two-voices.wav", 10), &[], None);
    assert!(status == 500 && error["error"]["type"] == "server_error", "{status} {error}");
    let (_, list) = server.get("/v1/jobs");
    assert_eq!(list["data"].as_array().map(Vec::len), Some(0));
    assert_eq!(std::fs::read_dir(folder.path().join("data/uploads")).expect("a folder").count(), 0);
    let id = server.job(&sample("english.wav"), &[]);
    assert_eq!(server.finished(&id)["status"], "succeeded", "there is room for a smaller one");
}

#[test]
fn a_damaged_database_is_told_of_and_work_goes_on() {
    let folder = tempfile::tempdir().expect("a folder");
    drop(start(folder.path()));
    std::fs::write(folder.path().join("data/jobs.db"), [7; 9000]).expect("damage");
    // Out of its log the database would mend itself.
    std::fs::remove_file(folder.path().join("data/jobs.db-wal")).expect("the log of the database");
    let server = start(folder.path());
    let kept = std::fs::read_dir(folder.path().join("data")).expect("a folder");
    let kept: Vec<_> = kept.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
    assert!(kept.iter().any(|name| name.starts_with("damaged-")), "{kept:?}");
    let id = server.job(&sample("english.wav"), &[]);
    assert_eq!(server.finished(&id)["status"], "succeeded");
}

#[test]
fn the_same_request_twice_is_one_job() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = start(folder.path());
    let sound = sample("english.wav");
    let (_, first) = server.post("/v1/jobs", &sound, &[], Some("one"));
    let (status, again) = server.post("/v1/jobs", &sound, &[], Some("one"));
    assert_eq!((status, &again["id"]), (202, &first["id"]));
    let (status, other) = server.post("/v1/jobs", &sound, &[("language", "de")], Some("one"));
    assert_eq!((status, &other["error"]["type"]), (409, &"conflict".into()));
    let (status, error) = server.post("/v1/jobs", b"no sound at all", &[], None);
    assert!(status == 400 || status == 415, "{error}");
    let (status, error) = server.post("/v1/jobs", &sound, &[("webhook_url", "https://example.org/")], None);
    assert_eq!((status, &error["error"]["param"]), (400, &"webhook_url".into()), "no secret signs it");
}
