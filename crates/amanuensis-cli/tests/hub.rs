//! Models by name, from a hub that is played: fetched when they are not here, looked after when they are.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../../amanuensis-hub/tests/hub/played.rs"]
mod played;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use played::{COMMIT, Fault, Played};
use serde_json::Value;

const BASE: &str = "openai/whisper-base";

fn in_repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

/// A hub with the demo model under a published one's name, and a home with nothing in it.
struct Stage {
    played: Played,
    home: tempfile::TempDir,
}

impl Stage {
    fn new() -> Self {
        let played = Played::start();
        played.add_folder(BASE, &in_repository("models/demo"));
        Self { played, home: tempfile::tempdir().unwrap() }
    }

    fn amanuensis(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_amanuensis"));
        command.args(words).stdin(Stdio::null());
        for name in ["HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_TOKEN", "HF_HUB_OFFLINE", "XDG_CACHE_HOME"] {
            command.env_remove(name);
        }
        let home = self.home.path();
        command.env("HF_HOME", home).env("AMANUENSIS_CONFIG", home.join("config")).env("HOME", home);
        command.env("HF_ENDPOINT", &self.played.endpoint);
        command
    }

    fn run(&self, words: &[&str]) -> Output {
        self.amanuensis(words).output().unwrap()
    }

    /// Standard output of a run that succeeds.
    fn out(&self, words: &[&str]) -> String {
        let output = self.run(words);
        assert_eq!(output.status.code(), Some(0), "{words:?}: {}", text(&output.stderr));
        text(&output.stdout).to_owned()
    }

    fn json(&self, words: &[&str]) -> Value {
        serde_json::from_str(&self.out(words)).unwrap()
    }

    /// Standard error of a run that ends with this code.
    fn error(&self, words: &[&str], code: i32) -> String {
        let output = self.run(words);
        assert_eq!(output.status.code(), Some(code), "{words:?}: {}", text(&output.stderr));
        text(&output.stderr).to_owned()
    }

    fn repository(&self) -> PathBuf {
        self.home.path().join("hub/models--openai--whisper-base")
    }
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

fn sample() -> String {
    in_repository("samples/english.wav").to_str().unwrap().to_owned()
}

#[test]
fn a_model_by_name_is_fetched_once_and_used() {
    let stage = Stage::new();
    let by_name = stage.run(&["transcribe", "--model", "base", &sample()]);
    let errors = text(&by_name.stderr);
    assert_eq!(by_name.status.code(), Some(0), "{errors}");
    let expected = ["openai/whisper-base: fetching 7 files (safetensors)", " MB, from http://127.0.0.1:", "/hub"];
    assert!(expected.iter().all(|part| errors.contains(part)), "{errors}");
    assert_eq!(by_name.stdout, stage.run(&["transcribe", "--model", "demo", &sample()]).stdout);
    let connections = stage.played.connections();
    let again = stage.run(&["transcribe", "--model", BASE, &sample()]);
    assert_eq!(again.stdout, by_name.stdout);
    assert!(!text(&again.stderr).contains("fetch"), "{}", text(&again.stderr));
    assert_eq!(stage.played.connections(), connections);
    // Every verb takes names.
    let summary = stage.json(&["inspect", "--json", "base"]);
    assert_eq!(summary["name"], BASE);
}

#[test]
fn where_nothing_may_be_fetched_nothing_is() {
    let stage = Stage::new();
    let transcribe = ["transcribe", "--model", "base", &sample()];
    for error in [
        stage.error(&[&transcribe[..], &["--offline"]].concat(), 1),
        stage.error(&[&transcribe[..], &["--local_files_only", "True"]].concat(), 1),
        stage.error(&["inspect", "base", "--offline"], 1),
        stage.error(&["models", "pull", "base", "--offline"], 1),
    ] {
        assert!(error.contains("nothing is fetched while offline"), "{error}");
    }
    let output = stage.amanuensis(&transcribe).env("HF_HUB_OFFLINE", "1").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(stage.played.connections(), 0);
    // With a model that is here, nobody is asked either.
    stage.out(&["models", "pull", "base"]);
    let connections = stage.played.connections();
    stage.out(&[&transcribe[..], &["--offline"]].concat());
    stage.out(&transcribe);
    assert!(stage.error(&["models", "info", "base", "--offline"], 0).is_empty());
    assert_eq!(stage.played.connections(), connections);
}

/// What the system sees: no socket is made, of whatever kind. Left out where there is no strace, or it may not trace.
#[cfg(target_os = "linux")]
#[test]
fn no_socket_is_made_for_what_is_here_or_must_not_be_fetched() {
    let stage = Stage::new();
    let trace = stage.home.path().join("trace");
    let traced = |words: &[&str], offline: bool| -> Option<(Option<i32>, String)> {
        let plain = stage.amanuensis(words);
        let mut command = Command::new("strace");
        command.args(["-f", "-qq", "-e", "trace=network", "-o"]).arg(&trace).arg(plain.get_program());
        command.args(plain.get_args()).stdin(Stdio::null()).stderr(Stdio::piped());
        for (name, value) in plain.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        if offline {
            command.env("HF_HUB_OFFLINE", "1");
        }
        let output = command.output().ok()?;
        let sockets = fs::read_to_string(&trace).ok()?;
        Some((output.status.code(), sockets.lines().filter(|line| line.contains("AF_")).collect()))
    };
    // A pull makes sockets: the trace works.
    match traced(&["models", "pull", "base"], false) {
        Some((Some(0), sockets)) if sockets.contains("AF_INET") => {}
        other => return eprintln!("not run: strace does not trace here ({other:?})"),
    }
    let transcribe = |model: &str| ["transcribe", "--model", model].map(str::to_owned).to_vec();
    for (model, offline, code) in [("base", false, 0), ("base", true, 0), ("demo", false, 0), ("tiny", true, 1)] {
        let sample = sample();
        let words: Vec<String> = transcribe(model).into_iter().chain([sample]).collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let traced = traced(&words, offline).unwrap();
        assert_eq!(traced, (Some(code), String::new()), "{model}");
    }
}

#[test]
fn two_processes_that_want_the_same_fetch_it_once() {
    let stage = Stage::new();
    stage.played.fail("Signature", Fault::Slow(100_000, Duration::from_millis(20)), 1);
    let begin = || -> Child {
        stage.amanuensis(&["models", "pull", "base"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let both = [begin(), begin()].map(|child| child.wait_with_output().unwrap());
    for output in &both {
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    }
    assert_eq!(stage.played.seen().iter().filter(|seen| seen.server == "store").count(), 1);
    let said: String = both.iter().map(|output| text(&output.stderr)).collect();
    assert!(said.contains("another process fetches"), "{said}");
    assert!(stage.out(&["models", "verify", "base"]).lines().all(|line| line.starts_with("sound")));
}

#[cfg(unix)]
#[test]
fn ctrl_c_keeps_what_has_come() {
    let stage = Stage::new();
    // Slow enough to be stopped in the middle, then silent: a read that blocks is ended too.
    stage.played.fail("Signature", Fault::Stall(700_000), 1);
    let child = stage.amanuensis(&["transcribe", "--model", "base", &sample()]).stderr(Stdio::piped()).spawn().unwrap();
    let blob = stage.played.checksum(BASE, "model.safetensors");
    let partial = stage.repository().join(format!("blobs/{blob}.incomplete"));
    let begun = Instant::now();
    while partial.metadata().map_or(0, |file| file.len()) < 700_000 {
        assert!(begun.elapsed() < Duration::from_secs(30), "nothing comes");
        std::thread::sleep(Duration::from_millis(20));
    }
    let interrupted = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(interrupted.success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{}", text(&output.stderr));
    assert_eq!(partial.metadata().unwrap().len(), 700_000);
    stage.out(&["transcribe", "--model", "base", &sample()]);
    let seen = stage.played.seen();
    let last = seen.iter().rfind(|seen| seen.server == "store").unwrap();
    assert_eq!(last.header("range"), Some("bytes=700000-"));
}

#[test]
fn programs_read_how_far_it_is() {
    let stage = Stage::new();
    let output = stage.run(&["models", "pull", "base", "--json", "--progress", "json"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let lines: Vec<Value> = text(&output.stderr).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(
        (&lines[0]["event"], &lines[0]["model"], &lines[0]["files"]),
        (&"fetch".into(), &BASE.into(), &7.into())
    );
    let last = lines.iter().rfind(|line| line["event"] == "fetching").unwrap();
    assert_eq!((&last["bytes"], &last["fraction"]), (&last["total"], &1.0.into()));
    let pulled: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&pulled["commit"], &pulled["fetched_bytes"]), (&COMMIT.into(), &last["total"]));
}

#[test]
fn what_is_here_is_listed_checked_copied_and_removed() {
    let stage = Stage::new();
    stage.out(&["models", "pull", "base"]);
    stage.out(&["models", "alias", "mine", "openai/whisper-base@main"]);
    assert_eq!(stage.out(&["models", "alias"]), "mine  openai/whisper-base@main\n");
    let list = stage.out(&["models", "list"]);
    let row = list.lines().find(|line| line.starts_with(BASE)).unwrap();
    assert!(
        ["base, mine", "main (0123456789ab)", "safetensors", "usable"].iter().all(|cell| row.contains(cell)),
        "{list}"
    );
    let list = stage.json(&["models", "list", "--json"]);
    assert_eq!(
        (&list["models"][0]["snapshots"][0]["usable"], &list["aliases"]["mine"]),
        (&true.into(), &"openai/whisper-base@main".into())
    );

    let info = stage.json(&["models", "info", "mine", "--json"]);
    assert_eq!((&info["hub"]["license"], &info["hub"]["commit"]), (&"mit".into(), &COMMIT.into()));
    assert!(info["here"]["description"].as_str().unwrap().contains("parameters"), "{info}");
    assert!(stage.out(&["models", "info", "base"]).contains("(the one that is here)"));
    assert!(stage.error(&["models", "info", "tiny"], 1).is_empty());

    let folder = stage.home.path().join("bundle");
    let bundle = stage.out(&["models", "bundle", "mine", "--offline", "-o", folder.to_str().unwrap()]);
    assert_eq!(bundle.trim_end(), folder.to_str().unwrap());
    let of_bundle = stage.out(&["transcribe", "--model", folder.to_str().unwrap(), &sample()]);
    assert_eq!(of_bundle, stage.out(&["transcribe", "--model", "mine", &sample()]));

    let blob = stage.repository().join("blobs").join(stage.played.checksum(BASE, "config.json"));
    fs::write(&blob, "damage").unwrap();
    let output = stage.run(&["models", "verify", "base"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stdout).contains("damaged    config.json"), "{}", text(&output.stdout));
    assert!(text(&output.stderr).contains("models verify --clean base"), "{}", text(&output.stderr));
    assert_eq!(stage.run(&["models", "verify", "--clean", "base"]).status.code(), Some(1));
    stage.out(&["models", "pull", "base"]);
    stage.out(&["models", "verify", "base"]);

    assert!(stage.error(&["models", "rm", "base"], 2).contains("--yes says so"));
    stage.out(&["models", "rm", "base", "--yes"]);
    assert!(!stage.repository().exists());
    assert!(stage.error(&["models", "rm", "base", "--yes"], 1).contains("is not in the cache"));
    stage.out(&["models", "alias", "--remove", "mine"]);
    assert!(stage.error(&["models", "pull", "mine"], 1).contains("no model \"mine\""));
}

#[test]
fn what_cannot_be_is_said_with_the_right_code() {
    let stage = Stage::new();
    for (words, code, word) in [
        (&["models"][..], 2, "Usage"),
        (&["models", "pull"], 2, "NAME"),
        (&["models", "pull", "demo"], 2, "inside this program"),
        (&["models", "rm", "."], 2, "nothing to remove"),
        (&["models", "bundle", "demo", "-o", "x"], 2, "inside this program"),
        (&["models", "alias", "demo", "base"], 1, "inside the program"),
        (&["models", "alias", "x", "--remove"], 1, "no alias x"),
        (&["models", "verify", "tiny"], 1, "`amanuensis models pull openai/whisper-tiny` fetches it"),
        (&["models", "pull", "bsae"], 1, "did you mean base?"),
        (&["models", "pull", "tiny"], 1, "is not on http://127.0.0.1"),
        (&["models", "pull", "base@v9"], 1, "no revision \"v9\""),
        (&["models", "pull", "base", "--include", "*.onnx"], 1, "no file that fits *.onnx"),
        (&["transcribe", "--model", "a/b", "x.wav"], 1, "a/b is not on"),
    ] {
        let error = stage.error(words, code);
        assert!(error.contains(word), "{words:?}: {error}");
    }
}

#[test]
fn models_are_kept_where_a_flag_says() {
    let stage = Stage::new();
    let folder = stage.home.path().join("elsewhere");
    let folder = folder.to_str().unwrap();
    stage.out(&["transcribe", "--model", "base", "--model_dir", folder, &sample()]);
    assert!(!stage.home.path().join("hub").exists());
    let list = stage.json(&["models", "list", "--json", "--model-dir", folder]);
    assert_eq!(list["models"][0]["repository"], BASE);
}
