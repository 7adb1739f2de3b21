//! Parts of a report: programs that are run, each with a limit of its own within the limit of the whole.

use std::fs::{self, File};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process_group};
use serde::{Serialize, Serializer};

/// How often a program is asked whether it has ended.
const LOOK: Duration = Duration::from_millis(20);
/// The most of what a part said that is kept, from its end.
const KEPT: usize = 64 << 10;

/// How a part ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    Done,
    Failed(String),
    /// It took longer than so many seconds, and was ended.
    NotFinished(u64),
    NotRun(String),
}

impl Outcome {
    /// In words, as a cell of a table.
    pub(super) fn text(&self) -> String {
        match self {
            Outcome::Done => "done".to_owned(),
            Outcome::Failed(reason) => format!("failed: {reason}"),
            Outcome::NotFinished(seconds) => format!("not finished in {seconds} s"),
            Outcome::NotRun(reason) => format!("not run: {reason}"),
        }
    }
}

impl Serialize for Outcome {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text())
    }
}

/// A part that is over.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Part {
    pub(super) name: String,
    pub(super) outcome: Outcome,
    pub(super) seconds: f64,
}

/// What a part said.
#[derive(Debug, Clone)]
pub(super) struct Said {
    pub(super) outcome: Outcome,
    pub(super) out: String,
    pub(super) err: String,
}

/// All parts so far, and the time that is left.
pub(super) struct Parts {
    began: Instant,
    limit: Duration,
    /// Where what they say is kept while they run.
    folder: PathBuf,
    pub(super) over: Vec<Part>,
}

impl Parts {
    pub(super) fn new(limit: Duration, folder: &Path) -> Result<Parts> {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        Ok(Parts { began: Instant::now(), limit, folder: folder.to_owned(), over: Vec::new() })
    }

    /// Time until the limit of the whole.
    pub(super) fn left(&self) -> Duration {
        self.limit.saturating_sub(self.began.elapsed())
    }

    pub(super) fn seconds(&self) -> f64 {
        self.began.elapsed().as_secs_f64()
    }

    /// Notes a part that cannot be run.
    pub(super) fn leave_out(&mut self, name: &str, reason: &str) {
        self.note(name, Outcome::NotRun(reason.to_owned()), Duration::ZERO);
    }

    fn note(&mut self, name: &str, outcome: Outcome, time: Duration) {
        eprintln!("gpu-report: {name}: {}", outcome.text());
        self.over.push(Part { name: name.to_owned(), outcome, seconds: time.as_secs_f64() });
    }

    /// A part turned out to have failed although its program did not say so, or came to nothing before there was one.
    pub(super) fn fail(&mut self, name: &str, reason: String) {
        match self.over.iter_mut().rev().find(|part| part.name == name) {
            Some(part) => {
                eprintln!("gpu-report: {name}: {reason}");
                part.outcome = Outcome::Failed(reason);
            }
            None => self.note(name, Outcome::Failed(reason), Duration::ZERO),
        }
    }

    /// Runs a program with its limit, or with what is left of the whole.
    pub(super) fn run(&mut self, name: &str, most: Duration, command: &mut Command) -> Said {
        let most = most.min(self.left());
        if most.is_zero() {
            let outcome = Outcome::NotRun("no time was left".to_owned());
            self.note(name, outcome.clone(), Duration::ZERO);
            return Said { outcome, out: String::new(), err: String::new() };
        }
        let began = Instant::now();
        let [out, err] = ["out", "err"].map(|end| self.folder.join(format!("{name}.{end}")));
        let ended = ended(command, &out, &err, most);
        let [out, err] =
            [out, err].map(|path| String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned());
        let outcome = match ended {
            Ok(Some(status)) if status.success() => Outcome::Done,
            Ok(Some(status)) => Outcome::Failed(reason(status, &err)),
            Ok(None) => Outcome::NotFinished(most.as_secs_f64().ceil() as u64),
            Err(error) => Outcome::Failed(format!("{error:#}")),
        };
        self.note(name, outcome.clone(), began.elapsed());
        Said { outcome, out, err }
    }

    /// All that was said, part for part.
    pub(super) fn log(&self) -> String {
        let mut log = String::new();
        for part in &self.over {
            log += &format!("== {}: {} ({:.1} s)\n", part.name, part.outcome.text(), part.seconds);
            for end in ["out", "err"] {
                let said = fs::read(self.folder.join(format!("{}.{end}", part.name))).unwrap_or_default();
                if !said.is_empty() {
                    let kept = said.len().saturating_sub(KEPT);
                    log += &format!("-- {end}, {} bytes of {}\n", said.len() - kept, said.len());
                    log += &String::from_utf8_lossy(&said[kept..]);
                    log += "\n";
                }
            }
        }
        log
    }
}

/// Runs a program until it ends; nothing where it had to be ended, and with it whatever it had started.
fn ended(command: &mut Command, out: &Path, err: &Path, most: Duration) -> Result<Option<ExitStatus>> {
    let file = |path: &Path| File::create(path).with_context(|| format!("cannot write {}", path.display()));
    let program = command.get_program().to_string_lossy().into_owned();
    command.stdin(Stdio::null()).stdout(file(out)?).stderr(file(err)?).process_group(0);
    let mut child = command.spawn().with_context(|| format!("{program} cannot be started"))?;
    let began = Instant::now();
    loop {
        if let Some(status) = child.try_wait().context("it cannot be waited for")? {
            return Ok(Some(status));
        }
        if began.elapsed() >= most {
            end(&mut child);
            return Ok(None);
        }
        thread::sleep(LOOK);
    }
}

/// Ends a program and all that it started. Whether it could be ended does not matter, as it is not asked again.
fn end(child: &mut Child) {
    if let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        let _ = kill_process_group(group, Signal::KILL);
    }
    let _ = child.kill();
    let _ = child.wait();
}

/// Why a program failed: its status, and the last line it said.
fn reason(status: ExitStatus, err: &str) -> String {
    let last = err.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("it said nothing").trim();
    let last: String = last.chars().take(300).collect();
    format!("{status}: {last}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    fn parts(folder: &Path, seconds: f64) -> Parts {
        Parts::new(Duration::from_secs_f64(seconds), folder).unwrap()
    }

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn parts_end_as_they_end_and_what_they_said_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let mut parts = parts(folder.path(), 60.0);
        let said = parts.run("good", LONG, &mut shell("echo one; echo two >&2"));
        assert_eq!((said.outcome, said.out.trim(), said.err.trim()), (Outcome::Done, "one", "two"));
        let said = parts.run("bad", LONG, &mut shell("echo the reason >&2; exit 3"));
        assert_eq!(said.outcome, Outcome::Failed("exit status: 3: the reason".to_owned()));
        let said = parts.run("absent", LONG, &mut Command::new("/nowhere/at-all"));
        assert!(said.outcome.text().starts_with("failed: /nowhere/at-all cannot be started"), "{:?}", said.outcome);
        parts.leave_out("left", "there is none");
        parts.fail("good", "it lied".to_owned());
        parts.fail("new", "it never was".to_owned());
        assert_eq!(parts.over.last().unwrap().outcome.text(), "failed: it never was");
        let texts: Vec<String> = parts.over.iter().map(|part| part.outcome.text()).collect();
        assert_eq!((&texts[0][..], &texts[3][..]), ("failed: it lied", "not run: there is none"));
        let log = parts.log();
        assert!(
            log.contains("== bad: failed: exit status: 3") && log.contains("-- err, 11 bytes of 11\nthe reason"),
            "{log}"
        );
    }

    #[test]
    fn a_part_is_ended_at_its_limit_with_all_that_it_started() {
        let folder = tempfile::tempdir().unwrap();
        let mut parts = parts(folder.path(), 60.0);
        let began = Instant::now();
        let script = "sleep 50 & echo $!; sleep 50";
        let said = parts.run("slow", Duration::from_millis(300), &mut shell(script));
        assert_eq!(said.outcome, Outcome::NotFinished(1));
        assert!(began.elapsed() < Duration::from_secs(10));
        // The one that it started is gone too, or about to go.
        let started = format!("/proc/{}/stat", said.out.trim());
        let gone = |stat: std::io::Result<String>| stat.map_or(true, |stat| stat.contains(") Z "));
        let ended = (0..100).any(|_| {
            gone(fs::read_to_string(&started)) || {
                thread::sleep(LOOK);
                false
            }
        });
        assert!(ended || !cfg!(target_os = "linux"), "{started}");
    }

    #[test]
    fn the_limit_of_the_whole_ends_the_last_part_and_leaves_out_the_others() {
        let folder = tempfile::tempdir().unwrap();
        let mut parts = parts(folder.path(), 0.3);
        let said = parts.run("first", LONG, &mut shell("sleep 50"));
        assert_eq!(said.outcome, Outcome::NotFinished(1));
        let said = parts.run("second", LONG, &mut shell("echo no"));
        assert_eq!(said.outcome, Outcome::NotRun("no time was left".to_owned()));
        assert_eq!((said.out.as_str(), parts.over.len(), parts.left()), ("", 2, Duration::ZERO));
    }
}
