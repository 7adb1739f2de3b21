//! A hub that is played: two servers on this machine, the hub and where its large files lie, which say what the real
//! ones say, remember who asked for what, and fail when they are told to.

#![allow(dead_code, reason = "every program that plays the hub uses its own part of this")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use sha1::Digest;

/// The commit that everything is at.
pub(crate) const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// A file as the hub has it.
#[derive(Clone)]
pub(crate) struct PlayedFile {
    pub(crate) content: Vec<u8>,
    /// Whether it is large, kept apart from git and sent by the other server.
    pub(crate) large: bool,
}

impl PlayedFile {
    fn checksum(&self) -> String {
        if self.large { hexadecimal(&sha2::Sha256::digest(&self.content)) } else { self.git() }
    }

    fn git(&self) -> String {
        let mut sum = sha1::Sha1::new();
        sum.update(format!("blob {}\0", self.content.len()));
        sum.update(&self.content);
        hexadecimal(&sum.finalize())
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A repository, and what is said of it besides.
#[derive(Clone, Default)]
pub(crate) struct PlayedRepository {
    pub(crate) files: BTreeMap<String, PlayedFile>,
    /// The commit of `main`; [`COMMIT`] where it is empty.
    pub(crate) commit: String,
    /// Added to the list of files as it is.
    pub(crate) more_siblings: Vec<Value>,
    /// Status and error code for whoever does not show this token.
    pub(crate) gate: Option<(u16, &'static str, &'static str)>,
    /// Whether the list says names only.
    pub(crate) names_only: bool,
}

/// How a request goes wrong.
#[derive(Clone)]
pub(crate) enum Fault {
    /// Another status, with these lines added to the head.
    Status(u16, &'static str),
    /// The connection ends after so many bytes of the body.
    Cut(usize),
    /// Nothing more comes after so many bytes.
    Stall(usize),
    /// The byte at this place is another one.
    Flip(usize),
    /// So many bytes more or fewer are announced than the file has; what is sent is the file.
    Announce(i64),
    /// So many bytes follow the file, without an announcement.
    Longer(usize),
    /// It is sent whole, whatever part was asked for.
    Whole,
    /// Another part is sent than was asked for.
    OtherPart,
    /// It leads there.
    Lead(String),
    /// It comes in pieces of so many bytes, with a pause after each.
    Slow(usize, Duration),
}

/// A request that came.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    /// `hub`, or `store` for where large files lie.
    pub(crate) server: &'static str,
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: HashMap<String, String>,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }
}

struct State {
    repositories: Mutex<BTreeMap<String, PlayedRepository>>,
    /// Part of a path, what goes wrong there, and how often.
    faults: Mutex<Vec<(String, Fault, usize)>>,
    seen: Mutex<Vec<Seen>>,
    connections: AtomicUsize,
    store: String,
}

/// The played hub. It goes on until the program ends.
pub(crate) struct Played {
    /// Its address, for `HF_ENDPOINT`.
    pub(crate) endpoint: String,
    state: Arc<State>,
}

impl Played {
    pub(crate) fn start() -> Self {
        Self::start_at("127.0.0.1:0")
    }

    pub(crate) fn start_at(address: &str) -> Self {
        let hub = TcpListener::bind(address).unwrap();
        let store = TcpListener::bind("127.0.0.1:0").unwrap();
        let state = Arc::new(State {
            repositories: Mutex::default(),
            faults: Mutex::default(),
            seen: Mutex::default(),
            connections: AtomicUsize::new(0),
            store: format!("http://{}", store.local_addr().unwrap()),
        });
        let endpoint = format!("http://{}", hub.local_addr().unwrap());
        for (listener, server) in [(hub, "hub"), (store, "store")] {
            let state = Arc::clone(&state);
            thread::spawn(move || {
                for stream in listener.incoming().flatten() {
                    state.connections.fetch_add(1, Ordering::SeqCst);
                    let state = Arc::clone(&state);
                    // A client that goes away in the middle is none of the server's business.
                    thread::spawn(move || drop(serve(&state, server, stream)));
                }
            });
        }
        Self { endpoint, state }
    }

    /// Adds a repository.
    pub(crate) fn add(&self, name: &str, repository: PlayedRepository) {
        self.state.repositories.lock().unwrap().insert(name.to_owned(), repository);
    }

    /// Adds a repository of small files, and large ones where the names end as weights do.
    pub(crate) fn add_files(&self, name: &str, files: &[(&str, &[u8])]) {
        let files = files.iter().map(|(name, content)| {
            let large = [".safetensors", ".bin", ".onnx", ".gguf"].iter().any(|ending| name.ends_with(ending));
            ((*name).to_owned(), PlayedFile { content: content.to_vec(), large })
        });
        self.add(name, PlayedRepository { files: files.collect(), ..PlayedRepository::default() });
    }

    /// Adds the files of a folder as a repository.
    pub(crate) fn add_folder(&self, name: &str, folder: &Path) {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
        let files: Vec<(String, Vec<u8>)> = entries
            .filter(|entry| entry.path().is_file())
            .map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap()))
            .collect();
        let files: Vec<(&str, &[u8])> = files.iter().map(|(name, content)| (name.as_str(), &content[..])).collect();
        self.add_files(name, &files);
    }

    /// Changes a repository.
    pub(crate) fn change(&self, name: &str, change: impl FnOnce(&mut PlayedRepository)) {
        change(self.state.repositories.lock().unwrap().get_mut(name).unwrap());
    }

    /// Makes the next requests go wrong whose path contains `path`; what is told first comes first.
    pub(crate) fn fail(&self, path: &str, fault: Fault, times: usize) {
        self.state.faults.lock().unwrap().push((path.to_owned(), fault, times));
    }

    /// What was asked for so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.state.seen.lock().unwrap().clone()
    }

    /// What was asked for so far whose path contains this.
    pub(crate) fn seen_of(&self, path: &str) -> Vec<Seen> {
        self.seen().into_iter().filter(|seen| seen.path.contains(path)).collect()
    }

    /// How many connections were opened to either server.
    pub(crate) fn connections(&self) -> usize {
        self.state.connections.load(Ordering::SeqCst)
    }

    /// The checksum of a file, which is the name of its blob.
    pub(crate) fn checksum(&self, repository: &str, file: &str) -> String {
        self.state.repositories.lock().unwrap()[repository].files[file].checksum()
    }
}

/// A request, an answer, the end of the connection.
fn serve(state: &State, server: &'static str, mut stream: TcpStream) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut words = line.split_whitespace();
    let (method, path) = (words.next().unwrap_or_default().to_owned(), words.next().unwrap_or_default().to_owned());
    let mut headers = HashMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        match line.trim_end().split_once(": ").or_else(|| line.trim_end().split_once(':')) {
            Some((name, value)) => headers.insert(name.to_ascii_lowercase(), value.to_owned()),
            None => break,
        };
    }
    let seen = Seen { server, method, path, headers };
    state.seen.lock().unwrap().push(seen.clone());
    let fault = take_fault(state, &seen.path);
    match &fault {
        Some(Fault::Status(status, more)) => {
            let head = format!("HTTP/1.1 {status} Other\r\n{more}content-length: 0\r\nconnection: close\r\n\r\n");
            return stream.write_all(head.as_bytes());
        }
        Some(Fault::Lead(location)) => {
            let head =
                format!("HTTP/1.1 302 Found\r\nlocation: {location}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            return stream.write_all(head.as_bytes());
        }
        _ => {}
    }
    let answer = if server == "hub" { of_the_hub(state, &seen) } else { of_the_store(state, &seen) };
    send(&mut stream, &seen, answer, fault)?;
    stream.shutdown(Shutdown::Both)
}

fn take_fault(state: &State, path: &str) -> Option<Fault> {
    let mut faults = state.faults.lock().unwrap();
    let place = faults.iter().position(|(part, _, times)| *times > 0 && path.contains(part.as_str()))?;
    faults[place].2 -= 1;
    Some(faults[place].1.clone())
}

/// Status, lines of the head, body, whether it may be sent in parts.
struct Answer {
    status: u16,
    head: String,
    body: Vec<u8>,
    in_parts: bool,
}

impl Answer {
    fn error(status: u16, code: &str) -> Self {
        let body = json!({"error": format!("played {code}")}).to_string().into_bytes();
        Self { status, head: format!("x-error-code: {code}\r\n"), body, in_parts: false }
    }

    fn json(value: &Value) -> Self {
        let head = "content-type: application/json\r\n".to_owned();
        Self { status: 200, head, body: value.to_string().into_bytes(), in_parts: false }
    }
}

fn of_the_hub(state: &State, seen: &Seen) -> Answer {
    let path = seen.path.split('?').next().unwrap_or_default();
    let repositories = state.repositories.lock().unwrap();
    let of_api = path.strip_prefix("/api/models/");
    let parts: Vec<&str> = of_api.or_else(|| path.strip_prefix('/')).unwrap_or_default().splitn(4, '/').collect();
    let name = format!("{}/{}", parts.first().unwrap_or(&""), parts.get(1).unwrap_or(&""));
    let Some(repository) = repositories.get(&name) else { return Answer::error(404, "RepoNotFound") };
    if let Some((status, code, token)) = repository.gate
        && seen.header("authorization") != Some(&format!("Bearer {token}"))
    {
        return Answer::error(status, code);
    }
    let commit = if repository.commit.is_empty() { COMMIT } else { &repository.commit };
    let (what, revision, file) = match (of_api, &parts[2..]) {
        (Some(_), []) => ("revision", "main", String::new()),
        (Some(_), [what, revision]) => (*what, *revision, String::new()),
        (None, ["resolve", rest]) => {
            let (revision, file) = rest.split_once('/').unwrap_or((rest, ""));
            ("resolve", revision, unquoted(file))
        }
        _ => return Answer::error(404, "EntryNotFound"),
    };
    if ![commit, "main", "refs%2Fpr%2F1"].contains(&revision) {
        return Answer::error(404, "RevisionNotFound");
    }
    match what {
        "revision" => Answer::json(&described(&name, repository, commit)),
        "tree" => Answer::json(&tree(repository)),
        "resolve" => match repository.files.get(&file) {
            Some(file) => resolved(state, &name, file, commit),
            None => Answer::error(404, "EntryNotFound"),
        },
        _ => Answer::error(404, "EntryNotFound"),
    }
}

fn described(name: &str, repository: &PlayedRepository, commit: &str) -> Value {
    let siblings = repository.files.iter().map(|(name, file)| {
        let size = file.content.len();
        match (repository.names_only, file.large) {
            (true, _) => json!({"rfilename": name}),
            (false, false) => json!({"rfilename": name, "size": size, "blobId": file.git()}),
            (false, true) => json!({"rfilename": name, "size": size, "blobId": file.git(),
                                    "lfs": {"sha256": file.checksum(), "size": size, "pointerSize": 134}}),
        }
    });
    let siblings: Vec<Value> = siblings.chain(repository.more_siblings.iter().cloned()).collect();
    json!({"id": name, "modelId": name, "sha": commit, "siblings": siblings, "private": false, "gated": false,
           "lastModified": "2024-02-29T10:57:33.000Z", "downloads": 7, "tags": ["license:mit"]})
}

fn tree(repository: &PlayedRepository) -> Value {
    let entries = repository.files.iter().map(|(name, file)| {
        let size = file.content.len();
        let mut entry = json!({"type": "file", "path": name, "size": size, "oid": file.git()});
        if file.large {
            entry["lfs"] = json!({"oid": file.checksum(), "size": size, "pointerSize": 134});
        }
        entry
    });
    Value::Array(entries.collect())
}

/// A small file, or where a large one lies.
fn resolved(state: &State, name: &str, file: &PlayedFile, commit: &str) -> Answer {
    let mut head = format!("x-repo-commit: {commit}\r\naccept-ranges: bytes\r\n");
    if !file.large {
        head.push_str(&format!("etag: \"{}\"\r\n", file.checksum()));
        return Answer { status: 200, head, body: file.content.clone(), in_parts: true };
    }
    let (store, sum, size) = (&state.store, file.checksum(), file.content.len());
    head.push_str(&format!("x-linked-etag: \"{sum}\"\r\nx-linked-size: {size}\r\n"));
    head.push_str(&format!("location: {store}/{name}/{sum}?Signature=secret\r\n"));
    Answer { status: 302, head, body: Vec::new(), in_parts: false }
}

fn of_the_store(state: &State, seen: &Seen) -> Answer {
    let repositories = state.repositories.lock().unwrap();
    let files = repositories.values().flat_map(|repository| repository.files.values());
    match files.filter(|file| file.large).find(|file| seen.path.contains(&file.checksum())) {
        // The tag of a store says nothing about the content.
        Some(file) => Answer {
            status: 200,
            head: "etag: \"deadbeef-2\"\r\naccept-ranges: bytes\r\n".to_owned(),
            body: file.content.clone(),
            in_parts: true,
        },
        None => Answer { status: 403, head: String::new(), body: b"<Error>expired</Error>".to_vec(), in_parts: false },
    }
}

fn send(stream: &mut TcpStream, seen: &Seen, mut answer: Answer, fault: Option<Fault>) -> std::io::Result<()> {
    let size = answer.body.len();
    let start = seen.header("range").and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok());
    let whole = matches!(fault, Some(Fault::Whole));
    if let Some(start) = start.filter(|_: &usize| answer.in_parts && !whole && answer.status == 200) {
        if start >= size {
            answer = Answer { head: format!("content-range: bytes */{size}\r\n"), ..Answer::error(416, "") };
        } else {
            let start = if matches!(fault, Some(Fault::OtherPart)) { start + 1 } else { start };
            answer.status = 206;
            answer.head.push_str(&format!("content-range: bytes {start}-{}/{size}\r\n", size - 1));
            answer.body.drain(..start);
        }
    }
    let mut announced = answer.body.len() as i64;
    match fault {
        Some(Fault::Flip(place)) => answer.body[place] ^= 1,
        Some(Fault::Announce(more)) => announced += more,
        Some(Fault::Longer(more)) => answer.body.extend(vec![7; more]),
        _ => {}
    }
    let length = match fault {
        // The end of the connection is the end of the body.
        Some(Fault::Longer(_)) => String::new(),
        _ => format!("content-length: {announced}\r\n"),
    };
    let (status, head) = (answer.status, &answer.head);
    stream.write_all(format!("HTTP/1.1 {status} Played\r\n{head}{length}connection: close\r\n\r\n").as_bytes())?;
    if seen.method == "HEAD" {
        return Ok(());
    }
    match fault {
        Some(Fault::Cut(after)) => stream.write_all(&answer.body[..after.min(answer.body.len())]),
        Some(Fault::Stall(after)) => {
            stream.write_all(&answer.body[..after.min(answer.body.len())])?;
            stream.flush()?;
            thread::sleep(Duration::from_secs(20));
            Ok(())
        }
        Some(Fault::Slow(bytes, pause)) => answer.body.chunks(bytes).try_for_each(|piece| {
            thread::sleep(pause);
            stream.write_all(piece)
        }),
        _ => stream.write_all(&answer.body),
    }
}

fn unquoted(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'%' => {
                let digits = [rest.next().unwrap_or(b'0'), rest.next().unwrap_or(b'0')];
                bytes.push(u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap());
            }
            byte => bytes.push(byte),
        }
    }
    String::from_utf8(bytes).unwrap()
}
