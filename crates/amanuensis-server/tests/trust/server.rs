//! A server of this process, whose model can be made to fail.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use amanuensis::Engine;
use amanuensis::backend::cpu::Cpu;
use amanuensis::backend::{Availability, Backend, BackendError, ComputeType, Decoding, Encoded, Model, Work};
use amanuensis::mel::Mel;
use amanuensis::model::{self, Dims, ModelFile, Source};
use amanuensis_server::{Keys, Library, LoadError, Server, ServerError, Settings};
use serde_json::Value;

fn in_repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

/// Works as the processor does.
pub(crate) const SOUND: usize = 0;
/// Panics instead of encoding.
pub(crate) const PANICS: usize = 1;
/// Encodes into what is no number.
pub(crate) const NO_NUMBERS: usize = 2;
/// Takes more than a second for a round.
pub(crate) const SLOW: usize = 3;
/// Says that its device is gone.
pub(crate) const NO_DEVICE: usize = 4;

/// What goes wrong now, and how often the model was loaded.
#[derive(Default)]
pub(crate) struct Trouble {
    mode: AtomicUsize,
    pub(crate) loads: AtomicUsize,
}

impl Trouble {
    pub(crate) fn set(&self, mode: usize) {
        self.mode.store(mode, Ordering::SeqCst);
    }
}

/// A processor that can be made to fail.
struct Failing(Arc<Trouble>);

struct FailingModel {
    inner: Box<dyn Model>,
    trouble: Arc<Trouble>,
}

impl Backend for Failing {
    fn name(&self) -> &'static str {
        "failing"
    }

    fn probe(&self) -> Availability {
        Availability::Ready("a test".to_owned())
    }

    fn load(&self, file: &ModelFile) -> Result<Box<dyn Model>, BackendError> {
        self.0.loads.fetch_add(1, Ordering::SeqCst);
        let inner = Cpu::new(NonZeroUsize::new(1), ComputeType::default()).load(file)?;
        Ok(Box::new(FailingModel { inner, trouble: Arc::clone(&self.0) }))
    }
}

impl Model for FailingModel {
    fn dims(&self) -> &Dims {
        self.inner.dims()
    }

    fn encode(&self, windows: &[Mel], work: &mut Work<'_>) -> Result<Encoded, BackendError> {
        let mut encoded = self.inner.encode(windows, work)?;
        match self.trouble.mode.load(Ordering::SeqCst) {
            PANICS => panic!("the model was made to panic"),
            NO_NUMBERS => {
                let count = encoded.values()?.len();
                encoded = Encoded::new(encoded.positions, vec![f32::NAN; count]);
            }
            NO_DEVICE => {
                let reason = "it did not answer in /dev/accel; see what the kernel's log says".to_owned();
                return Err(BackendError::Device { device: "failing", reason });
            }
            SLOW => std::thread::sleep(Duration::from_millis(1200)),
            _ => {}
        }
        Ok(encoded)
    }

    fn begin<'a>(&'a self, encoded: &Encoded, work: &mut Work<'_>) -> Result<Box<dyn Decoding + 'a>, BackendError> {
        self.inner.begin(encoded, work)
    }
}

impl Library for Failing {
    fn names(&self) -> Vec<String> {
        vec!["demo".to_owned()]
    }

    fn load(&self, _: &str) -> Result<Engine, LoadError> {
        let file = model::open(&Source::Path(in_repository("models/demo"))).map_err(amanuensis::Error::from)?;
        Ok(Engine::with(file, &Failing(Arc::clone(&self.0)))?)
    }
}

/// A server of this process.
pub(crate) struct Running {
    address: String,
    agent: ureq::Agent,
    pub(crate) trouble: Arc<Trouble>,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<JoinHandle<Result<(), ServerError>>>,
}

impl Running {
    pub(crate) fn start(settings: Settings) -> Self {
        let trouble = Arc::new(Trouble::default());
        let settings = Settings { listen: "127.0.0.1:0".parse().expect("an address"), drain: 5, ..settings };
        let library = Arc::new(Failing(Arc::clone(&trouble)));
        let server = Server::bind(settings, Keys::default(), library).expect("it starts");
        let address = server.address().to_string();
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let thread = std::thread::spawn(move || server.run(async move { drop(stopped.await) }));
        let config =
            ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(Duration::from_secs(60)));
        let agent = config.build().into();
        Running { address, agent, trouble, stop: Some(stop), thread: Some(thread) }
    }

    pub(crate) fn get(&self, path: &str) -> (u16, Value) {
        read(self.agent.get(format!("http://{}{path}", self.address)).call())
    }

    pub(crate) fn post(&self, path: &str, sound: &[u8]) -> (u16, Value) {
        let mut body = b"--x\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\ndemo\r\n".to_vec();
        body.extend_from_slice(b"--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\n");
        body.extend_from_slice(sound);
        body.extend_from_slice(b"\r\n--x--\r\n");
        let request =
            self.agent.post(format!("http://{}{path}", self.address)).content_type("multipart/form-data; boundary=x");
        read(request.send(&body))
    }

    /// The status and all of the answer to a request whose head is written by hand.
    pub(crate) fn raw(&self, head: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.address).expect("a connection");
        stream.write_all(format!("{head}\r\nconnection: close\r\n\r\n").as_bytes()).expect("it is sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        (answer.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status"), answer)
    }

    /// A connection to it.
    pub(crate) fn connect(&self) -> TcpStream {
        TcpStream::connect(&self.address).expect("a connection")
    }

    pub(crate) fn transcribe(&self) -> (u16, Value) {
        self.post("/v1/audio/transcriptions", &sample("english.wav"))
    }
}

/// A status and what was answered.
fn read(answer: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> (u16, Value) {
    let mut answer = answer.expect("an answer");
    let text = answer.body_mut().read_to_string().expect("a text");
    (answer.status().as_u16(), serde_json::from_str(&text).expect("JSON"))
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

pub(crate) fn sample(name: &str) -> Vec<u8> {
    std::fs::read(in_repository("samples").join(name)).expect("a sample")
}
