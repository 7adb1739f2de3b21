//! `--device` and `--npu`: what is asked for is used, refused or done without, and never claimed.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

fn sample() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../samples/english.wav")
}

/// The program with a cache of its own, and no packs: an NPU of this machine could not be used either.
fn program(cache: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_amanuensis"));
    command.args(words).stdin(Stdio::null());
    command.env("AMANUENSIS_NPU_PACKS", "/nowhere/packs").env("XDG_CACHE_HOME", cache);
    command
}

fn transcribe(flags: &[&str]) -> Output {
    let cache = tempfile::tempdir().unwrap();
    let words =
        [&["transcribe", "--model", "demo", "--verbose=false", "--output-dir", "-", "-f", "json"], flags].concat();
    program(cache.path(), &words).arg(sample()).output().unwrap()
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// The transcript as JSON.
fn transcript(output: &Output) -> Value {
    assert_eq!(output.status.code(), Some(0), "{}", err(output));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn check_10_an_npu_that_is_required_and_missing_is_an_error() {
    for flags in [&["--device", "npu"][..], &["--npu", "require"], &["--device", "npu", "--npu", "require"]] {
        let output = transcribe(flags);
        assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0), "{flags:?}");
        let error = err(&output);
        assert!(
            error.contains("cannot load the model demo: device npu: ") && error.contains("; "),
            "{flags:?}: {error}"
        );
    }
}

#[test]
fn check_10_auto_is_the_cpu_and_says_so() {
    let plain = transcript(&transcribe(&[]));
    assert!(plain["provenance"].get("shares").is_none(), "nobody else was asked: {plain}");
    for flags in [["--npu", "auto"], ["--device=npu", "--npu=auto"]] {
        let output = transcribe(&[&flags[..], &["--timings=json"]].concat());
        let (found, said) = (transcript(&output), err(&output));
        assert_eq!((&found["text"], &found["segments"]), (&plain["text"], &plain["segments"]));
        assert!(said.contains("note: the npu is not used: "), "{said}");
        let timings: Value =
            said.lines().find_map(|line| serde_json::from_str(line).ok()).expect("a line of JSON among the notes");
        let operations = timings["placement"]["operations"].as_object().unwrap();
        assert!(operations.len() == 1 && operations.keys().all(|device| device.starts_with("cpu (")), "{timings}");
        let reasons = timings["placement"]["fallbacks"]["npu"].as_object().unwrap();
        assert_eq!(reasons.values().map(Value::as_u64).collect::<Vec<_>>(), [timings["windows"].as_u64()]);
        let shares = found["provenance"]["shares"].as_array().unwrap();
        let npu = shares.iter().find(|share| share["device"] == "npu").unwrap();
        assert!(npu["share"] == 0.0 && npu["reasons"].as_array().is_some_and(|reasons| reasons.len() == 1), "{npu}");
        assert_eq!(found["provenance"]["devices"], plain["provenance"]["devices"]);
    }
}

#[test]
fn auto_that_is_asked_for_says_that_it_is_the_cpu_and_why() {
    let said = err(&transcribe(&["--device", "auto"]));
    assert!(said.contains("note: auto is the cpu: the speed of no GPU") && said.contains("--device cuda"), "{said}");
    for flags in [&[][..], &["--device", "cpu"], &["--device", "auto", "--npu", "auto"]] {
        assert!(!err(&transcribe(flags)).contains("auto is the cpu"), "{flags:?}");
    }
    let cache = tempfile::tempdir().unwrap();
    let help = program(cache.path(), &["transcribe", "--help"]).output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap().split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(help.contains("or auto, which is the cpu, whatever else is there"), "{help}");
    let server = Served::start(&["--device", "auto"]);
    let (_, status) = server.ask("GET /v1/status HTTP/1.1", b"");
    assert!(status.contains("\"device\":\"auto is the cpu: "), "{status}");
    let server = Served::start(&["--device", "cpu"]);
    let (_, status) = server.ask("GET /v1/status HTTP/1.1", b"");
    assert!(status.contains("\"device\":\"cpu\""), "{status}");
}

#[test]
fn a_gpu_that_is_missing_is_an_error_that_says_what_to_do() {
    // A file that is no library: a GPU of this machine is not used.
    let cache = tempfile::tempdir().unwrap();
    let words =
        ["transcribe", "--model", "demo", "--device", "cuda", "-f", "txt", "--output-dir", "-", "--verbose=false"];
    let mut without = program(cache.path(), &words);
    let output = without.arg(sample()).env("AMANUENSIS_LIBCUDA", sample()).output().unwrap();
    assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0));
    assert!(err(&output).contains("cannot load the model demo: device cuda: "), "{}", err(&output));
    let devices = program(cache.path(), &["devices", "--json"]).env("AMANUENSIS_LIBCUDA", sample()).output().unwrap();
    let report: Value = serde_json::from_slice(&devices.stdout).unwrap();
    assert_eq!(report["cuda"]["devices"], serde_json::json!([]));
    assert!(report["cuda"]["missing"].is_string(), "{report}");
    for several in ["cuda:all", "cuda:0,1"] {
        let words = ["transcribe", "--device", several, "--verbose=false", "-f", "txt", "--output-dir", "-"];
        let output = program(cache.path(), &words).arg(sample()).env("AMANUENSIS_LIBCUDA", sample()).output().unwrap();
        assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0));
        assert!(err(&output).contains("device cuda: "), "{}", err(&output));
    }
    for (flags, word) in [
        (&["--device", "cuda:x"][..], "cuda:1"),
        (&["--device", "cuda:0,"], "cuda:0,1"),
        (&["--device", "cuda:1,0,1"], "named twice"),
        (&["--device", "gpu"], "auto, cpu, cuda"),
        (&["--device", "cuda", "--npu", "require"], "contradict each other"),
    ] {
        let output = transcribe(flags);
        assert!(output.status.code() == Some(2) && err(&output).contains(word), "{}", err(&output));
    }
}

#[test]
fn flags_that_contradict_each_other_are_refused() {
    for flags in [["--device", "cpu", "--npu", "require"], ["--device", "npu", "--npu", "off"]] {
        let output = transcribe(&flags);
        assert_eq!(output.status.code(), Some(2), "{}", err(&output));
        assert!(err(&output).contains("contradict each other"), "{}", err(&output));
    }
    let cache = tempfile::tempdir().unwrap();
    let bench = program(cache.path(), &["bench", "--npu", "auto", "--only", "mel"]).output().unwrap();
    assert_eq!(bench.status.code(), Some(2), "{}", err(&bench));
    let bench = program(cache.path(), &["bench", "--device", "npu", "--only", "mel"]).output().unwrap();
    assert_eq!(
        (bench.status.code(), bench.stdout.len()),
        (Some(1), 0),
        "no time is told of a device that is not there"
    );
}

/// A server that ends with the test.
struct Served {
    process: Child,
    address: String,
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Served {
    fn start(flags: &[&str]) -> Self {
        let cache = tempfile::tempdir().unwrap();
        let words = [&["serve", "--listen", "127.0.0.1:0"], flags].concat();
        let mut process = program(cache.path(), &words).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(process.stderr.take().unwrap()).lines();
        let address = lines.find_map(|line| Some(line.ok()?.strip_prefix("listening on http://")?.to_owned())).unwrap();
        // What it says later has room.
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
        Served { process, address }
    }

    fn ask(&self, head: &str, body: &[u8]) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let (host, length) = (&self.address, body.len());
        let head = format!("{head}\r\nhost: {host}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(body).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        (answer.split(' ').nth(1).unwrap().parse().unwrap(), answer)
    }

    fn transcribe(&self) -> (u16, String) {
        let sound = std::fs::read(sample()).unwrap();
        let model = b"--x\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nwhisper-1\r\n";
        let file = b"--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\n\r\n";
        let body = [&model[..], file, &sound, b"\r\n--x--\r\n"].concat();
        self.ask("POST /v1/audio/transcriptions HTTP/1.1\r\ncontent-type: multipart/form-data; boundary=x", &body)
    }
}

#[test]
fn check_10_a_server_that_requires_an_npu_answers_503() {
    let server = Served::start(&["--device", "npu", "--npu", "require"]);
    let (status, answer) = server.transcribe();
    assert!(status == 503 && answer.contains("\"device_unavailable\"") && answer.contains("npu"), "{answer}");
    assert!(!answer.contains("/nowhere"), "{answer}");
    let (status, answer) = server.ask("GET /readyz HTTP/1.1", b"");
    assert!(status == 503, "{answer}");
    let (_, answer) = server.ask("GET /v1/status HTTP/1.1", b"");
    assert!(answer.contains("\"devices\":[]") && answer.contains("\"operations\":{}"), "{answer}");
}

#[test]
fn check_10_a_server_whose_npu_may_be_missing_uses_the_cpu_and_says_so() {
    let server = Served::start(&["--npu", "auto"]);
    let (status, answer) = server.transcribe();
    assert!(status == 200 && answer.contains("eleven weeks"), "{answer}");
    let (_, status) = server.ask("GET /v1/status HTTP/1.1", b"");
    assert!(status.contains("\"devices\":[\"cpu (") && status.contains("\"operations\":{\"cpu ("), "{status}");
    assert!(status.contains("\"fallbacks\":{\"npu\":{"), "{status}");
    let (_, figures) = server.ask("GET /metrics HTTP/1.1", b"");
    assert!(figures.contains("amanuensis_device_fallbacks_total{device=\"npu\"} 1\n"), "{figures}");
    let claims = |line: &&str| !line.starts_with('#') && line.contains("npu") && !line.contains("fallbacks");
    assert_eq!(figures.lines().find(claims), None, "nothing is counted for a device that did nothing");
}

#[cfg(feature = "npu-emulated")]
mod emulated {
    use super::*;

    #[test]
    fn check_9_the_text_is_that_of_the_cpu_and_the_receipts_say_emulated() {
        let plain = transcript(&transcribe(&[]));
        let found = transcript(&transcribe(&["--device", "npu-emulated"]));
        assert_eq!(found["text"], plain["text"]);
        let shares = found["provenance"]["shares"].as_array().unwrap();
        let emulated = shares.iter().find(|share| share["device"] == "npu-emulated").unwrap();
        assert!(emulated["share"].as_f64().is_some_and(|share| share > 0.4 && share < 1.0), "{found}");
        let named = found["provenance"].to_string().replace("npu-emulated", "");
        assert!(!named.contains("npu"), "nothing claims an NPU: {named}");
    }

    #[test]
    fn check_9_cores_that_round_down_are_found_out() {
        let output = transcribe(&["--device", "npu-emulated", "--npu-rounding", "floor"]);
        assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0));
        assert!(err(&output).contains("a pack that rounds down"), "{}", err(&output));
        let output = transcribe(&["--device", "npu-emulated", "--npu-rounding", "floor", "--npu", "auto"]);
        assert!(output.status.success() && err(&output).contains("the npu-emulated is not used"), "{}", err(&output));
    }

    #[test]
    fn what_is_emulated_is_not_timed() {
        let cache = tempfile::tempdir().unwrap();
        let bench = program(cache.path(), &["bench", "--device", "npu-emulated"]).output().unwrap();
        assert!(bench.status.code() == Some(2) && err(&bench).contains("no speed"), "{}", err(&bench));
    }
}

#[cfg(feature = "cuda-emulated")]
mod emulated_gpu {
    use super::*;

    #[test]
    fn the_text_its_times_and_its_captions_are_those_of_the_cpu() {
        let words = ["--word-timestamps", "true"];
        let plain = transcript(&transcribe(&words));
        let output = transcribe(&[&words[..], &["--device", "cuda-emulated", "--timings=json"]].concat());
        let (found, said) = (transcript(&output), err(&output));
        assert_eq!((&found["text"], &found["language"]), (&plain["text"], &plain["language"]));
        let tokens = |found: &Value| {
            let segments = found["segments"].as_array().unwrap();
            segments.iter().map(|segment| segment["tokens"].clone()).collect::<Vec<_>>()
        };
        assert_eq!(tokens(&found), tokens(&plain));
        let times = |found: &Value| -> Vec<f64> {
            let segments = found["segments"].as_array().unwrap().iter();
            let words = segments.flat_map(|segment| segment["words"].as_array().unwrap());
            words.flat_map(|word| [word["start"].as_f64().unwrap(), word["end"].as_f64().unwrap()]).collect()
        };
        let (found_times, plain_times) = (times(&found), times(&plain));
        assert!(found_times.len() == plain_times.len() && found_times.len() > 10, "{found_times:?}");
        // f16 may move what two positions share by one of them.
        let moved = found_times.iter().zip(&plain_times).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(moved < 0.021, "{found_times:?}, {plain_times:?}");
        assert_eq!(found["provenance"]["devices"], serde_json::json!(["cuda-emulated"]));
        assert!(said.contains("note: cuda-emulated is no device: the cpu computes in its place"), "{said}");
        let named = (found["provenance"].to_string() + &said).replace("cuda-emulated", "");
        assert!(!named.contains("cuda") && !named.contains("NVIDIA"), "nothing claims a GPU: {named}");
        let captions = |device: &str| {
            let cache = tempfile::tempdir().unwrap();
            let words = ["--model", "demo", "--verbose=false", "--output-dir", "-", "-f", "srt", "--device", device];
            let output = program(cache.path(), &[&["transcribe"], &words[..]].concat()).arg(sample()).output().unwrap();
            String::from_utf8(output.stdout).unwrap()
        };
        let srt = captions("cuda-emulated");
        assert!(srt.starts_with("1\n00:00:0") && srt == captions("cpu"), "{srt}");
    }

    #[test]
    fn a_server_on_it_says_so() {
        let server = Served::start(&["--device", "cuda-emulated"]);
        let (status, answer) = server.transcribe();
        assert!(status == 200 && answer.contains("eleven weeks"), "{answer}");
        let (_, status) = server.ask("GET /v1/status HTTP/1.1", b"");
        assert!(status.contains("\"devices\":[\"cuda-emulated\"]"), "{status}");
        assert!(status.contains("\"device\":\"cuda-emulated is no device: "), "{status}");
    }

    #[test]
    fn it_has_no_speed() {
        let cache = tempfile::tempdir().unwrap();
        let bench = program(cache.path(), &["bench", "--device", "cuda-emulated"]).output().unwrap();
        assert!(bench.status.code() == Some(2) && err(&bench).contains("no speed"), "{}", err(&bench));
        assert!(bench.stdout.is_empty());
        let output = transcribe(&["--device", "cuda-emulated", "--npu", "auto"]);
        assert!(output.status.code() == Some(2) && err(&output).contains("contradict each other"), "{}", err(&output));
    }
}
