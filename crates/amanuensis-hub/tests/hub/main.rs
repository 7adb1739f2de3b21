//! Fetching from a hub that is played, with everything that goes wrong between here and there.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod broken;
mod kept;
mod played;
mod python;
mod refused;
mod whole;

use std::ffi::OsString;
use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Duration;

use amanuensis::model::hub::HubName;
use amanuensis_hub::{Event, Hub, HubError, Pulled, Retries, Settings, Token, Wanted};
use played::{COMMIT, Played};

/// The repository of most tests.
const BASE: &str = "openai/whisper-base";

/// A played hub with one model, and a cache to fetch it into.
struct Stage {
    played: Played,
    folder: tempfile::TempDir,
    settings: Settings,
}

/// Weights whose bytes are all over the place.
fn weights() -> Vec<u8> {
    (0..300_000_u32).map(|place| (place.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
}

impl Stage {
    fn new() -> Self {
        let stage = Self::empty();
        stage.played.add_files(
            BASE,
            &[
                ("config.json", br#"{"model_type": "whisper"}"#),
                ("tokenizer.json", b"{}"),
                ("model.safetensors", &weights()),
                ("pytorch_model.bin", b"another form"),
                ("README.md", b"# Whisper"),
            ],
        );
        stage
    }

    fn empty() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let played = Played::start();
        let (home, endpoint) = (folder.path().as_os_str().to_owned(), OsString::from(&played.endpoint));
        let mut settings = Settings::from_variables(&move |name| match name {
            "HF_HOME" | "XDG_CONFIG_HOME" => Some(home.clone()),
            "HF_ENDPOINT" => Some(endpoint.clone()),
            _ => None,
        });
        settings.retries =
            Retries { attempts: 3, first_wait: Duration::from_millis(1), longest_wait: Duration::from_secs(2) };
        settings.silence_timeout = Duration::from_millis(500);
        Self { played, folder, settings }
    }

    fn hub(&self) -> Hub {
        Hub::new(self.settings.clone())
    }

    fn pull(&self) -> Result<Pulled, HubError> {
        self.pull_as(BASE, &Wanted::default())
    }

    fn pull_as(&self, name: &str, wanted: &Wanted) -> Result<Pulled, HubError> {
        self.hub().pull(&HubName::parse(name).unwrap(), wanted, &mut go_on)
    }

    /// What pulling ends with.
    fn error(&self) -> String {
        self.pull().unwrap_err().to_string()
    }

    fn repository(&self) -> PathBuf {
        self.folder.path().join("hub/models--openai--whisper-base")
    }

    fn snapshot(&self) -> PathBuf {
        self.repository().join("snapshots").join(COMMIT)
    }

    fn blob(&self, file: &str) -> PathBuf {
        self.repository().join("blobs").join(self.played.checksum(BASE, file))
    }

    fn partial(&self, file: &str) -> PathBuf {
        PathBuf::from(format!("{}.incomplete", self.blob(file).display()))
    }

    /// Nothing that could be taken for a model is here.
    fn assert_nothing_usable(&self) {
        assert_eq!(self.hub().find(BASE).unwrap(), None);
        assert!(!self.repository().join("refs/main").exists());
        assert!(!self.blob("model.safetensors").exists());
    }
}

fn go_on(_: Event<'_>) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

fn read(path: &Path) -> Vec<u8> {
    fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn with_token(stage: &mut Stage, token: &str) {
    stage.settings.token = Token::new(token);
}
