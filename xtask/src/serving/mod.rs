//! A server under test: a process of its own in a folder of its own, on a free port of this machine.

pub(crate) mod http;
pub(crate) mod process;
pub(crate) mod sounds;

use std::fs::{self, OpenOptions};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value;
use tempfile::TempDir;

use http::{Answer, Request};

/// How long a server may take to load its model.
const START: Duration = Duration::from_secs(120);
/// The words in front of the address in what the program says.
const LISTENING: &str = "listening on http://";

/// A folder in which servers keep their jobs, one after the other.
pub(crate) struct Place {
    folder: TempDir,
}

impl Place {
    pub(crate) fn new() -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("amanuensis-xtask-").tempdir().context("cannot make a folder")?;
        for name in ["tmp", "data"] {
            fs::create_dir(folder.path().join(name)).context("cannot make a folder")?;
        }
        Ok(Place { folder })
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Where jobs are kept.
    pub(crate) fn data(&self) -> PathBuf {
        self.path().join("data")
    }

    /// Where temporary files go.
    pub(crate) fn temporary(&self) -> PathBuf {
        self.path().join("tmp")
    }

    /// What servers have said here.
    pub(crate) fn log(&self) -> String {
        fs::read(self.path().join("log")).map(|log| String::from_utf8_lossy(&log).into_owned()).unwrap_or_default()
    }

    /// The files of the sounds of jobs, and temporary ones that have names.
    pub(crate) fn left_files(&self) -> Vec<String> {
        let folders = [self.temporary(), self.data().join("uploads")];
        let entries = folders.iter().filter_map(|folder| fs::read_dir(folder).ok()).flatten().flatten();
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
    }
}

/// How a server is started.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) program: PathBuf,
    pub(crate) models: Vec<String>,
    pub(crate) compute_type: String,
    /// Settings, as `--set` takes them.
    pub(crate) set: Vec<String>,
    /// A key for everything; none is asked for without it.
    pub(crate) key: Option<String>,
    /// Words of the shell in front of the program.
    pub(crate) before: String,
}

impl Plan {
    pub(crate) fn new(program: &Path, model: &str) -> Self {
        // Programs that measure ask more in a minute than a client should.
        let set = ["max_requests_per_minute=1000000", "max_concurrent=256"].map(str::to_owned).to_vec();
        let (program, models) = (program.to_owned(), vec![model.to_owned()]);
        Plan { program, models, compute_type: "auto".to_owned(), set, key: None, before: String::new() }
    }

    pub(crate) fn set(mut self, setting: &str) -> Self {
        self.set.push(setting.to_owned());
        self
    }

    /// The command, whose words go to the log of the place.
    fn command(&self, place: &Place) -> Result<Command> {
        let log = OpenOptions::new().create(true).append(true).open(place.path().join("log"));
        let log = log.context("cannot write a log")?;
        let mut command = Command::new("sh");
        command.arg("-c").arg(format!("{} exec \"$0\" \"$@\"", self.before)).arg(&self.program);
        command.args(["serve", "--listen", "127.0.0.1:0", "--compute-type", &self.compute_type]);
        command.arg("--data").arg(place.data());
        for model in &self.models {
            command.arg("--model").arg(model);
        }
        for setting in &self.set {
            command.arg("--set").arg(setting);
        }
        // What whoever calls has set would make another server of it.
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("AMANUENSIS_") {
                command.env_remove(name);
            }
        }
        if let Some(key) = &self.key {
            command.env("AMANUENSIS_API_KEY", key);
        }
        command.env("HF_HUB_OFFLINE", "1").env("TMPDIR", place.temporary()).env("RUST_LOG", "info");
        let said = log.try_clone().context("cannot write a log")?;
        command.stdin(Stdio::null()).stdout(said).stderr(log);
        Ok(command)
    }

    /// Starts it and waits until it takes work.
    pub(crate) fn start(&self, place: &Place) -> Result<Served> {
        let before = place.log().len();
        let process = self.command(place)?.spawn().context("the program could not be started")?;
        let mut served = Served { process, address: SocketAddr::from(([127, 0, 0, 1], 0)), key: self.key.clone() };
        let begun = Instant::now();
        let said = || place.log().get(before..).unwrap_or_default().to_owned();
        loop {
            if let Some(status) = served.process.try_wait().context("the program is lost")? {
                bail!("the server ended ({status}): {}", said().trim());
            }
            if begun.elapsed() > START {
                bail!("the server does not become ready: {}", said().trim());
            }
            if served.address.port() == 0 {
                let log = said();
                let address = log.lines().find_map(|line| line.strip_prefix(LISTENING));
                if let Some(address) = address.and_then(|address| address.split(',').next()?.parse().ok()) {
                    served.address = address;
                }
            } else if Request::get("/readyz").ask(served.address).is_ok_and(|answer| answer.status == 200) {
                return Ok(served);
            }
            sleep(Duration::from_millis(20));
        }
    }

    /// Starts it where it is not to start: how it ended, and what it said.
    pub(crate) fn refuses(&self, place: &Place) -> Result<(ExitStatus, String)> {
        let before = place.log().len();
        let process = self.command(place)?.spawn().context("the program could not be started")?;
        let mut served = Served { process, address: SocketAddr::from(([127, 0, 0, 1], 0)), key: None };
        let status = served.ended(START)?.context("the server started although it should not have")?;
        Ok((status, place.log().get(before..).unwrap_or_default().trim().to_owned()))
    }
}

/// A server that runs. It ends with this value.
pub(crate) struct Served {
    process: Child,
    pub(crate) address: SocketAddr,
    key: Option<String>,
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Served {
    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// A request, with the key where there is one.
    pub(crate) fn keyed(&self, request: Request) -> Request {
        match &self.key {
            Some(key) => request.with("authorization", &format!("Bearer {key}")),
            None => request,
        }
    }

    pub(crate) fn ask(&self, request: &Request) -> std::io::Result<Answer> {
        self.keyed(request.clone()).ask(self.address)
    }

    /// Asks for what has to be there.
    pub(crate) fn get(&self, path: &str) -> Result<Value> {
        let answer = self.ask(&Request::get(path)).with_context(|| format!("GET {path}"))?;
        if answer.status != 200 {
            bail!("GET {path}: {} {}", answer.status, answer.text());
        }
        Ok(answer.json())
    }

    /// Waits for the end of a job.
    pub(crate) fn job(&self, id: &str, patience: Duration) -> Result<Value> {
        let begun = Instant::now();
        loop {
            let job = self.get(&format!("/v1/jobs/{id}"))?;
            if !matches!(job["status"].as_str(), Some("queued" | "running")) {
                return Ok(job);
            }
            if begun.elapsed() > patience {
                bail!("the job is not done after {} s: {job}", patience.as_secs());
            }
            sleep(Duration::from_millis(20));
        }
    }

    /// Waits until nothing is heard or waits to be.
    pub(crate) fn settle(&self, patience: Duration) -> Result<()> {
        let begun = Instant::now();
        loop {
            let queue = self.get("/v1/status")?["queue"].clone();
            if queue["open"] == 0 && queue["queued_seconds"].as_f64() == Some(0.0) {
                return Ok(());
            }
            if begun.elapsed() > patience {
                bail!("it does not come to rest: {queue}");
            }
            sleep(Duration::from_millis(50));
        }
    }

    /// Asks it to end.
    pub(crate) fn terminate(&self) -> Result<()> {
        // The standard library sends no signal but the one that kills.
        let status = Command::new("kill").arg("-TERM").arg(self.pid().to_string()).status();
        if !status.context("there is no kill")?.success() {
            bail!("the server could not be asked to end");
        }
        Ok(())
    }

    /// Kills it.
    pub(crate) fn kill(&mut self) -> Result<()> {
        self.process.kill().context("the server could not be killed")?;
        self.process.wait().context("the program is lost").map(drop)
    }

    /// How it ended, if it did in that time.
    pub(crate) fn ended(&mut self, patience: Duration) -> Result<Option<ExitStatus>> {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.process.try_wait().context("the program is lost")? {
                return Ok(Some(status));
            }
            if begun.elapsed() > patience {
                return Ok(None);
            }
            sleep(Duration::from_millis(20));
        }
    }
}
