//! `gpu-report run`: every part of a report, from a kit and nothing else.

use std::env;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use super::findings::Findings;
use super::kit::{Kit, SAMPLES, place};
use super::pack;
use super::parts::{Outcome, Parts};
use super::table::PEERS;
use super::{long, report, tests_run, texts};

/// What can be asked for alone, in the order in which it is done; devices are always listed.
pub(super) const GROUPS: [&str; 5] = ["tests", "texts", "bench", "peers", "sanitizer"];

/// What was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) kit: Option<PathBuf>,
    /// How a kit is packed where none is named.
    pub(super) pack: pack::Asked,
    pub(super) out: PathBuf,
    /// Where models and what parts say are kept; for the time of the run only, if it is not named.
    pub(super) work: Option<PathBuf>,
    pub(super) limit: u64,
    pub(super) device: String,
    pub(super) models: Vec<String>,
    pub(super) python: String,
    pub(super) only: Vec<String>,
    /// Minutes of the long piece of work, at most.
    pub(super) minutes: u64,
    /// Windows of it together.
    pub(super) together: u64,
}

impl Default for Asked {
    fn default() -> Self {
        Asked {
            kit: None,
            pack: pack::Asked::default(),
            out: "target/gpu-report".into(),
            work: None,
            limit: 570,
            device: "cuda".to_owned(),
            models: ["base", "large-v3-turbo", "large-v3", "tiny"].map(str::to_owned).to_vec(),
            python: "python3".to_owned(),
            only: Vec::new(),
            minutes: 600,
            together: 64,
        }
    }
}

/// Pieces of work on a GPU, the long one apart; and elsewhere.
const ON_GPU: &str = "mel,encoder,encoder_batch16,cross_keys_values,greedy_step,greedy_step_batch8,greedy_step_batch64,\
                      greedy_step_batch256,first_token,window,window_beam5";
const ELSEWHERE: &str = "mel,encoder,cross_keys_values,greedy_step,greedy_step_batch8,window";

/// Random models whose transcripts are compared, beside that of the demo: the smallest shape, and the largest that the CPU decodes in
/// seconds. Their sentences are nothing, but hang on every number.
const COMPARED: [&str; 2] = ["tiny", "large-v3-turbo"];

/// What the longest parts may take, in seconds. Most take a part of it; all together would be more than the whole.
mod most {
    pub(super) const DEVICES: u64 = 30;
    pub(super) const MODEL: u64 = 60;
    pub(super) const TESTS: u64 = 180;
    pub(super) const TEXTS: u64 = 60;
    pub(super) const PIECES: u64 = 90;
    pub(super) const LONG: u64 = 90;
    pub(super) const PEER: u64 = 120;
    pub(super) const TOOL: u64 = 60;
}

/// A report as it comes to be.
struct Run<'a> {
    asked: &'a Asked,
    kit: Kit,
    work: PathBuf,
    parts: Parts,
    findings: Findings,
    /// Where the Python that was named has its packages: CUDA's libraries may be among them.
    environment: Option<String>,
}

/// Makes a report.
pub(super) fn run(asked: &Asked) -> Result<()> {
    let folder = match &asked.kit {
        Some(folder) => folder.clone(),
        None => {
            pack::pack(&asked.pack)?;
            asked.pack.out.clone()
        }
    };
    fs::create_dir_all(&asked.out).with_context(|| format!("cannot make {}", asked.out.display()))?;
    let temporary = tempfile::tempdir().context("no temporary folder can be made")?;
    let work = asked.work.as_deref().unwrap_or(temporary.path());
    let parts = Parts::new(Duration::from_secs(asked.limit), &work.join("said"))?;
    let work = work.canonicalize().with_context(|| format!("{} is not there", work.display()))?;
    let kit = Kit::open(&folder, &work.join("programs"))?;
    let findings = Findings {
        commit: kit.manifest.commit.clone(),
        version: kit.manifest.version.clone(),
        debug: kit.manifest.debug,
        device: asked.device.clone(),
        ..Findings::default()
    };
    let mut run = Run { asked, kit, work, parts, findings, environment: environment(&asked.python) };
    run.everything()?;
    let text = fs::read_to_string(asked.out.join("report.md")).context("the report has gone")?;
    io::stdout().write_all(text.as_bytes()).context("cannot write to standard output")?;
    if !run.findings.is_whole() {
        bail!("not everything was done; {} says what", asked.out.join("report.md").display());
    }
    Ok(())
}

impl Run<'_> {
    fn everything(&mut self) -> Result<()> {
        if let Some(reason) = self.devices()? {
            self.parts.fail("devices", reason);
            for group in GROUPS {
                if self.wants(group) {
                    self.parts.leave_out(group, "there is no GPU");
                }
            }
            return self.tell();
        }
        if ["bench", "peers"].iter().any(|group| self.wants(group)) {
            self.findings.models.clone_from(&self.asked.models);
        }
        for group in GROUPS {
            if self.wants(group) {
                let done = match group {
                    "tests" => self.tests(),
                    "texts" => self.texts(),
                    "bench" => self.bench(),
                    "peers" => self.peers(),
                    _ => self.sanitizer(),
                };
                // The others are tried all the same.
                if let Err(error) = done {
                    self.parts.fail(group, format!("{error:#}"));
                }
                self.tell()?;
            }
        }
        Ok(())
    }

    fn wants(&self, group: &str) -> bool {
        self.asked.only.is_empty() || self.asked.only.iter().any(|only| only == group)
    }

    fn on_gpu(&self) -> bool {
        self.asked.device.starts_with("cuda")
    }

    /// Writes down what there is so far.
    fn tell(&mut self) -> Result<()> {
        self.findings.seconds = self.parts.seconds();
        self.findings.parts.clone_from(&self.parts.over);
        fs::write(self.asked.out.join("log.txt"), self.parts.log()).context("cannot write the log")?;
        report::write(&self.findings, &self.asked.out)
    }

    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        if let Some(folder) = &self.environment {
            command.env("VIRTUAL_ENV", folder);
        }
        command
    }

    fn program(&self, verb: &str) -> Command {
        let mut command = self.command(&self.kit.program(place::PROGRAM));
        command.arg(verb);
        command
    }

    fn model(&self, name: &str) -> PathBuf {
        self.work.join("models").join(name)
    }

    /// Lists the devices. Says why nothing else can be done, where no GPU is there and one is asked for.
    fn devices(&mut self) -> Result<Option<String>> {
        let mut command = self.program("devices");
        let said = self.parts.run("devices", seconds(most::DEVICES), command.arg("--json"));
        self.findings.devices = serde_json::from_str(&said.out).ok();
        self.tell()?;
        Ok(self.findings.devices.as_ref().filter(|_| self.on_gpu()).and_then(without_gpu))
    }

    /// The demo model as a folder, as the tests want it, and the samples where they look for them.
    fn demo(&mut self) -> Result<bool> {
        let (model, samples) = (self.model("demo"), self.work.join("samples"));
        if model.is_dir() {
            return Ok(true);
        }
        fs::create_dir_all(&samples).with_context(|| format!("cannot make {}", samples.display()))?;
        for sample in self.kit.samples() {
            let into = samples.join(sample.file_name().unwrap_or_default());
            fs::copy(&sample, &into).with_context(|| format!("cannot copy {}", sample.display()))?;
        }
        let mut command = self.program("convert");
        command.args(["demo", "--to", "safetensors", "-o"]).arg(&model);
        Ok(self.parts.run("demo-model", seconds(most::MODEL), &mut command).outcome == Outcome::Done)
    }

    /// The tests of the GPU's crate.
    fn test_program(&self, arguments: &[&str], under: &[&str]) -> Command {
        let tests = self.kit.program(place::TESTS);
        let mut command = match under.split_first() {
            Some((tool, rest)) => {
                let mut command = self.command(Path::new(tool));
                command.args(rest).arg(tests);
                command
            }
            None => self.command(&tests),
        };
        // They look for models and samples two folders above that of their crate.
        command.args(arguments).arg("--nocapture").env("CARGO_MANIFEST_DIR", self.model("demo"));
        command
    }

    fn tests(&mut self) -> Result<()> {
        const NAME: &str = "tests";
        if !self.demo()? {
            self.parts.leave_out(NAME, "there is no demo model");
            return Ok(());
        }
        let mut command = self.test_program(&[], &[]);
        let said = self.parts.run(NAME, seconds(most::TESTS), &mut command);
        self.findings.tests = tests_run::read(&said.out, &said.err);
        if let Some(reason) = self.findings.tests.as_ref().and_then(|tests| tests.without_gpu.clone())
            && self.on_gpu()
        {
            self.parts.fail(NAME, format!("the tests were not on a GPU: {reason}"));
        }
        Ok(())
    }

    /// Some tests under each tool of compute-sanitizer.
    fn sanitizer(&mut self) -> Result<()> {
        const SANITIZER: &str = "compute-sanitizer";
        let missing = match self.on_gpu() {
            false => Some(format!("{SANITIZER} is for GPUs")),
            true if !installed(SANITIZER) => Some(format!("{SANITIZER} is not installed")),
            true if !self.demo()? => Some("there is no demo model".to_owned()),
            true => None,
        };
        for tool in tests_run::TOOLS {
            if let Some(reason) = &missing {
                self.parts.leave_out(tool, reason);
                continue;
            }
            let under = [SANITIZER, "--tool", tool, "--error-exitcode", "9", "--print-limit", "20"];
            let mut command = self.test_program(&tests_run::UNDER_TOOLS, &under);
            // Kernels on the host have other tests, and no time here.
            command.arg("--test-threads=1").env("CXX", "none");
            let said = self.parts.run(tool, seconds(most::TOOL), &mut command);
            let without = tests_run::read(&said.out, &said.err).and_then(|tests| tests.without_gpu);
            match (tests_run::sum(&said.out, &said.err), without) {
                (_, Some(reason)) => self.parts.fail(tool, format!("the tests were not on a GPU: {reason}")),
                (Some(sum), None) => {
                    self.findings.sanitizer.insert(tool.to_owned(), sum);
                }
                (None, None) if said.outcome == Outcome::Done => {
                    self.parts.fail(tool, "it summed nothing up".to_owned());
                }
                (None, None) => {}
            }
            self.tell()?;
        }
        Ok(())
    }

    /// Transcripts on the device and on the CPU in f32, which is what they are to be.
    fn texts(&mut self) -> Result<()> {
        self.compare("demo", "demo", &[])?;
        for name in COMPARED {
            if self.asked.models.iter().any(|model| model == name) && self.make(name)? {
                let folder = self.model(name).display().to_string();
                // Every language is as good to it, and it says no end.
                self.compare(name, &folder, &["--language", "en", "--max-new-tokens", "100"])?;
            }
        }
        Ok(())
    }

    fn compare(&mut self, name: &str, model: &str, more: &[&str]) -> Result<()> {
        let device = self.asked.device.clone();
        let places = [("cpu", "f32", "right"), (&device, "auto", "found")];
        let mut folders = Vec::new();
        for (device, compute, end) in places {
            let (part, folder) = (format!("text-{name}-{end}"), self.work.join(format!("text-{name}-{end}")));
            let mut command = self.program("transcribe");
            command.args(["--model", model, "--device", device, "--compute-type", compute, "--verbose=false"]);
            command.args(["--temperature", "0", "--temperature-increment-on-fallback", "None"]);
            command.args(more).args(["--output-format", "json", "-o"]).arg(&folder).args(self.kit.samples());
            folders.push((self.parts.run(&part, seconds(most::TEXTS), &mut command).outcome, folder));
        }
        let part = format!("text-{name}-found");
        if let [(Outcome::Done, right), (Outcome::Done, found)] = &folders[..] {
            match texts::compare(name, &SAMPLES, right, found) {
                Ok(compared) => {
                    let kind = device.split(':').next().unwrap_or_default();
                    if let Some(other) = compared.iter().find(|compared| !compared.device.starts_with(kind)) {
                        self.parts.fail(&part, format!("the receipt names {}", other.device));
                    }
                    self.findings.texts.extend(compared);
                }
                Err(error) => self.parts.fail(&part, format!("{error:#}")),
            }
        }
        self.tell()
    }

    /// Makes a model with random weights, unless it is there.
    fn make(&mut self, name: &str) -> Result<bool> {
        let folder = self.model(name);
        if folder.is_dir() {
            return Ok(true);
        }
        // Half a model is none.
        let half = self.model(&format!("{name}.part"));
        let mut command = self.command(&env::current_exe().context("this program does not know where it lies")?);
        command.args(["gpu-report", "model", name]).arg(&half);
        let said = self.parts.run(&format!("model-{name}"), seconds(most::MODEL), &mut command);
        if said.outcome == Outcome::Done {
            fs::rename(&half, &folder).with_context(|| format!("cannot move {}", half.display()))?;
        }
        Ok(said.outcome == Outcome::Done)
    }

    fn bench(&mut self) -> Result<()> {
        for name in &self.asked.models {
            if !self.make(name)? {
                self.parts.leave_out(&format!("bench-{name}"), "the model was not made");
                continue;
            }
            let pieces = if self.on_gpu() { ON_GPU } else { ELSEWHERE };
            let found = self.measure(name, "bench", most::PIECES, &["--iterations", "5", "--only", pieces]);
            self.tell()?;
            let part = format!("long-{name}");
            // What comes behind shall have its time as well.
            let behind = ["peers", "sanitizer"].iter().filter(|group| self.wants(group)).count() as u64;
            let left = self.parts.left().saturating_sub(seconds(60 * behind)).min(seconds(most::LONG));
            match found.as_ref().and_then(|found| long::minutes(found, left, self.asked.minutes)) {
                Some(minutes) => {
                    let (minutes, together) = (minutes.to_string(), self.asked.together.to_string());
                    let flags = ["--iterations", "1", "--only", "long", "--minutes", &minutes, "--together", &together];
                    self.measure(name, "long", most::LONG, &flags);
                }
                None => self.parts.leave_out(&part, "by the pieces, there is no time for a minute of sound"),
            }
            self.tell()?;
        }
        Ok(())
    }

    /// Runs `bench` and keeps what it says, also where some of it could not be measured.
    fn measure(&mut self, model: &str, part: &str, most: u64, flags: &[&str]) -> Option<Value> {
        let part = format!("{part}-{model}");
        let mut command = self.program("bench");
        command.args(["--device", &self.asked.device, "--json", "--model"]).arg(self.model(model)).args(flags);
        let said = self.parts.run(&part, seconds(most), &mut command);
        match serde_json::from_str::<Value>(&said.out) {
            Ok(found) => {
                self.findings.bench.entry(model.to_owned()).or_default().push(found.clone());
                Some(found)
            }
            Err(error) => {
                if said.outcome == Outcome::Done {
                    self.parts.fail(&part, format!("what it says is no JSON: {error}"));
                }
                None
            }
        }
    }

    /// The other programs, with the same models.
    fn peers(&mut self) -> Result<()> {
        for peer in PEERS {
            let mut folders = Vec::new();
            let module = peer.replace('-', "_");
            let mut command = self.command(Path::new(&self.asked.python));
            let there = self.parts.run(
                &format!("{peer}-there"),
                seconds(60),
                command.args(["-c", &format!("import {module}")]),
            );
            if there.outcome != Outcome::Done {
                let error = there.outcome.text();
                self.parts.leave_out(peer, "it is not there");
                self.findings.peers.push(json!({ "peer": peer, "error": error }));
                continue;
            }
            for name in &self.asked.models {
                if self.make(name)? && (peer != PEERS[1] || self.for_ctranslate2(name)) {
                    folders.push(self.model(name));
                }
            }
            let budget = self.parts.left().min(seconds(most::PEER)).as_secs().saturating_sub(5);
            let mut command = self.command(Path::new(&self.asked.python));
            command.arg(self.kit.path(place::PEERS)).args([peer, "--device"]);
            command.arg(self.asked.device.split(':').next().unwrap_or_default());
            command.args(["--seconds", &budget.to_string(), "--together", &self.asked.together.to_string()]);
            let said = self.parts.run(peer, seconds(most::PEER), command.args(&folders));
            let lines = said.out.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
            self.findings.peers.extend(lines.filter(Value::is_object));
            self.tell()?;
        }
        Ok(())
    }

    /// The model as files of CTranslate2, beside the others.
    fn for_ctranslate2(&mut self, name: &str) -> bool {
        let folder = self.model(&format!("{name}-ct2"));
        if folder.is_dir() {
            return true;
        }
        let mut command = self.program("convert");
        command.arg(self.model(name)).args(["--to", "ct2", "--type", "f16", "-o"]).arg(&folder);
        self.parts.run(&format!("ct2-{name}"), seconds(most::MODEL), &mut command).outcome == Outcome::Done
    }
}

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

/// Whether a program is in one of the folders of PATH.
fn installed(name: &str) -> bool {
    env::var_os("PATH").is_some_and(|path| env::split_paths(&path).any(|folder| folder.join(name).is_file()))
}

/// The folder of a Python's environment, if it has one of its own and no other is active.
fn environment(python: &str) -> Option<String> {
    if env::var_os("VIRTUAL_ENV").is_some() {
        return None;
    }
    let script = "import sys; print(sys.prefix if sys.prefix != sys.base_prefix else '')";
    let output = Command::new(python).args(["-c", script]).output().ok()?;
    let folder = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    (output.status.success() && !folder.is_empty()).then_some(folder)
}

/// Why no GPU can be used of what `devices` lists, if none can: what stands in the way of the first, or of seeing any.
fn without_gpu(found: &Value) -> Option<String> {
    let cuda = &found["cuda"];
    let gpus = cuda["devices"].as_array().map_or(&[][..], Vec::as_slice);
    if gpus.iter().any(|gpu| gpu["usable"] == true) {
        return None;
    }
    let missing = gpus.iter().chain([cuda]).find_map(|gpu| gpu["missing"].as_str());
    Some(format!("no GPU: {}", missing.unwrap_or("none is listed")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpu_report::kit;

    /// A kit whose program lists devices as one did on a machine without a GPU, and can do nothing else.
    fn kit(folder: &Path) -> PathBuf {
        let script = folder.join("script");
        let listed = r#"{"cpu": {"model": "A"}, "cuda": {"devices": [], "missing": "the NVIDIA driver is missing"}}"#;
        let text = format!("#!/bin/sh\nif [ \"$1\" = devices ]; then echo '{listed}'; else echo no >&2; exit 1; fi\n");
        fs::write(&script, text).unwrap();
        let place = folder.join("kit");
        fs::create_dir(&place).unwrap();
        for name in [place::PROGRAM, place::TESTS] {
            kit::pack(&script, &place.join(kit::packed(name))).unwrap();
        }
        let manifest = r#"{"commit": "abc", "version": "amanuensis 0", "debug": false}"#;
        fs::write(place.join(place::MANIFEST), manifest).unwrap();
        place
    }

    fn report(device: &str, only: &[&str]) -> (String, String, Value) {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("out");
        let asked = Asked {
            kit: Some(kit(folder.path())),
            out: out.clone(),
            device: device.to_owned(),
            only: only.iter().map(|&only| only.to_owned()).collect(),
            models: Vec::new(),
            python: "none".to_owned(),
            limit: 60,
            ..Asked::default()
        };
        let error = run(&asked).unwrap_err().to_string();
        let read = |name: &str| fs::read_to_string(out.join(name)).unwrap();
        (error, read("report.md"), serde_json::from_str(&read("report.json")).unwrap())
    }

    #[test]
    fn where_there_is_no_gpu_the_report_says_so_and_ends() {
        let (error, page, json) = report("cuda", &[]);
        assert!(error.contains("not everything was done"), "{error}");
        assert!(page.contains("| devices | failed: no GPU: the NVIDIA driver is missing |"), "{page}");
        let outcomes: Vec<&str> =
            json["parts"].as_array().unwrap().iter().map(|part| part["outcome"].as_str().unwrap()).collect();
        assert_eq!(outcomes[1..], ["not run: there is no GPU"; GROUPS.len()]);
        assert!(page.contains("Nothing was measured."), "{page}");
    }

    #[test]
    fn parts_that_fail_do_not_keep_the_others_from_being_tried() {
        let (_, page, json) = report("cpu", &["tests", "texts", "sanitizer"]);
        for line in [
            "| devices | done |",
            "| tests | failed: cannot copy ",
            "| text-demo-right | failed: exit status: 1: no |",
            "| memcheck | not run: compute-sanitizer is for GPUs |",
        ] {
            assert!(page.contains(line), "{line}: {page}");
        }
        assert_eq!((&json["tests"], &json["device"]), (&Value::Null, &"cpu".into()));
    }

    #[test]
    fn a_gpu_that_cannot_be_used_is_none() {
        let told = |cuda: Value| without_gpu(&json!({ "cuda": cuda }));
        let (old, good) = (json!({ "usable": false, "missing": "it is too old" }), json!({ "usable": true }));
        assert_eq!(told(json!({ "devices": [old, good] })), None);
        assert_eq!(told(json!({ "devices": [old] })).as_deref(), Some("no GPU: it is too old"));
        let unseen = json!({ "devices": [], "missing": "there is no driver" });
        assert_eq!(told(unseen).as_deref(), Some("no GPU: there is no driver"));
        assert_eq!(told(json!({ "devices": [] })).as_deref(), Some("no GPU: none is listed"));
        assert_eq!(without_gpu(&json!({})).as_deref(), Some("no GPU: none is listed"));
    }
}
