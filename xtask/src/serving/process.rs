//! What the system says of a process, and of the machine.

use std::env::consts::{ARCH, OS};
use std::fs;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context, Result};

/// Bytes of memory that a process holds.
pub(crate) fn memory(pid: u32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).context("the process has gone")?;
    resident(&status).context("the system does not say how much memory a process holds")
}

fn resident(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? << 10)
}

/// Files and sockets that a process has open.
pub(crate) fn descriptors(pid: u32) -> Result<usize> {
    Ok(fs::read_dir(format!("/proc/{pid}/fd")).context("the process has gone")?.count())
}

/// What descriptors are of, for those that should not be there.
pub(crate) fn open_files(pid: u32) -> Vec<String> {
    let entries = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    entries.filter_map(|entry| Some(fs::read_link(entry.path()).ok()?.display().to_string())).collect()
}

/// The most memory that a process holds while something is done, looked at often.
pub(crate) struct Peak {
    most: Arc<AtomicU64>,
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Peak {
    pub(crate) fn watch(pid: u32) -> Self {
        let (most, is_over) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let (seen, over) = (Arc::clone(&most), Arc::clone(&is_over));
        let thread = thread::spawn(move || {
            while !over.load(Ordering::Relaxed) {
                if let Ok(bytes) = memory(pid) {
                    seen.fetch_max(bytes, Ordering::Relaxed);
                }
                thread::sleep(Duration::from_millis(20));
            }
        });
        Peak { most, is_over, thread: Some(thread) }
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.most.load(Ordering::Relaxed)
    }
}

impl Drop for Peak {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The machine, the program and the commit, as a line below a table.
pub(crate) fn circumstances(program: &std::path::Path) -> String {
    let said = |command: &mut Command| {
        let output = command.output().ok().filter(|output| output.status.success())?;
        Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let folder = env!("CARGO_MANIFEST_DIR");
    let commit = said(Command::new("git").args(["-C", folder, "describe", "--always", "--dirty", "--abbrev=10"]));
    let version = said(Command::new(program).arg("--version")).unwrap_or_else(|| "unknown".to_owned());
    let processor = fs::read_to_string("/proc/cpuinfo").ok();
    let processor = processor.as_deref().and_then(processor_name).unwrap_or("unknown processor").to_owned();
    let cores = thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
    let built = if program.components().any(|part| part.as_os_str() == "debug") {
        "a debug build, whose times say little"
    } else {
        "a release build"
    };
    let commit = commit.unwrap_or_else(|| "unknown".to_owned());
    format!("{cores} cores of {processor}, {OS} {ARCH}; {version}, {built}; commit {commit}")
}

fn processor_name(cpuinfo: &str) -> Option<&str> {
    let line = cpuinfo.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_system_says_is_read() {
        assert_eq!(resident("Name:\tx\nVmRSS:\t    2048 kB\n"), Some(2 << 20));
        assert_eq!(resident("Name:\tx\n"), None);
        assert_eq!(processor_name("processor: 0\nmodel name\t: Some CPU @ 2 GHz\n"), Some("Some CPU @ 2 GHz"));
    }

    #[test]
    fn this_process_holds_something() {
        let pid = std::process::id();
        assert!(memory(pid).unwrap() > 1 << 20 && descriptors(pid).unwrap() > 2 && !open_files(pid).is_empty());
    }
}
