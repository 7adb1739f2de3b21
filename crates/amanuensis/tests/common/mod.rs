//! What the tests of the engine share.

#![allow(dead_code, reason = "every test program uses its own part of this")]

use std::path::{Path, PathBuf};

use amanuensis::audio::{self, AudioError, FfmpegPolicy, Input, OpenOptions, Recording};
use amanuensis::model::Source;
use amanuensis::{Engine, Setup};
use serde_json::Value;

/// The folder of shared test data, if there is one: `AMANUENSIS_SHARED`.
///
/// Tests that need it pass without it, but say so.
pub(crate) fn shared() -> Option<PathBuf> {
    let folder = std::env::var_os("AMANUENSIS_SHARED").map(PathBuf::from);
    match &folder {
        Some(folder) => assert!(folder.is_dir(), "AMANUENSIS_SHARED is not a folder: {}", folder.display()),
        None => eprintln!("not run: AMANUENSIS_SHARED is not set"),
    }
    folder
}

/// A file of this repository, by its path from the root.
pub(crate) fn in_repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

/// A golden file, `demo/openai.json` for one.
pub(crate) fn golden(path: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/golden").join(path);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The folder of a model: the demo model of this repository, or the one of the shared data.
pub(crate) fn model_folder(name: &str, shared: Option<&Path>) -> PathBuf {
    match (name, shared) {
        ("demo", _) => in_repository("models/demo"),
        ("std", Some(shared)) => shared.join("models/espeak-whisper-std"),
        _ => panic!("no model {name}"),
    }
}

/// An engine for the model in `folder`.
pub(crate) fn engine(folder: PathBuf) -> Engine {
    Engine::load(&Source::Path(folder), &Setup::default()).unwrap_or_else(|error| panic!("{error}"))
}

/// A recording, opened as a program would open it.
pub(crate) fn open(path: &Path) -> Recording {
    let input = Input::Path(path.to_owned());
    audio::open(&input, &OpenOptions::default(), &mut |_| std::ops::ControlFlow::Continue(()))
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The numbers of a JSON array.
pub(crate) fn numbers<T: serde::de::DeserializeOwned>(value: &Value) -> Vec<T> {
    serde_json::from_value(value.clone()).unwrap_or_else(|error| panic!("{error}: {value}"))
}

/// The f32 tensors of a safetensors file, by name: shape and values.
pub(crate) fn tensors(path: &Path) -> std::collections::BTreeMap<String, (Vec<usize>, Vec<f32>)> {
    let bytes = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let (length, rest) = bytes.split_first_chunk::<8>().expect("a length");
    let (header, data) = rest.split_at(u64::from_le_bytes(*length) as usize);
    let header: Value = serde_json::from_slice(header).expect("a header");
    let f32s = header.as_object().expect("tensors by name").iter().filter(|(_, tensor)| tensor["dtype"] == "F32");
    let read = |tensor: &Value| {
        let [start, end] = numbers::<usize>(&tensor["data_offsets"])[..] else { panic!("offsets") };
        let values = data[start..end].as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
        (numbers(&tensor["shape"]), values)
    };
    f32s.map(|(name, tensor)| (name.clone(), read(tensor))).collect()
}

/// Only what is built in: no ffmpeg.
pub(crate) fn built_in() -> OpenOptions {
    OpenOptions { ffmpeg: FfmpegPolicy::Never, ..OpenOptions::default() }
}

/// Opens a file that lies in memory.
pub(crate) fn open_bytes_with(bytes: Vec<u8>, options: &OpenOptions) -> Result<Recording, AudioError> {
    audio::open(&Input::from(bytes), options, &mut |_| std::ops::ControlFlow::Continue(()))
}

/// Opens a file that lies in memory with what is built in.
pub(crate) fn open_bytes(bytes: Vec<u8>) -> Result<Recording, AudioError> {
    open_bytes_with(bytes, &built_in())
}

/// All samples of a recording.
pub(crate) fn samples(recording: &Recording) -> Vec<f32> {
    let mut out = vec![0.0; recording.len() as usize];
    recording.read(0, &mut out).expect("a recording is readable");
    out
}

/// The English samples one behind the other, with pauses of a second: nearly two minutes.
pub(crate) fn joined() -> Recording {
    let files = ["ten-sentences.opus", "two-voices.wav", "english.wav", "ten-sentences.opus", "english-numbers.wav"];
    let mut sound = Vec::new();
    for file in files.into_iter().chain(["two-voices.wav"]) {
        sound.extend(samples(&open(&in_repository("samples").join(file))));
        sound.extend([0.0; 16_000]);
    }
    Recording::from_samples(&sound)
}
