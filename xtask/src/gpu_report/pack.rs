//! `gpu-report pack`: builds what a report needs, and puts it into one folder.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use super::kit::{self, Manifest, SAMPLES, place};
use crate::built::cargo;

/// What was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) out: PathBuf,
    /// A program that is built already; its kit has this xtask.
    pub(super) program: Option<PathBuf>,
    /// The most that the kit may take, in MiB.
    pub(super) most: u64,
}

impl Default for Asked {
    fn default() -> Self {
        Asked { out: "target/gpu-kit".into(), program: None, most: 40 }
    }
}

/// Packs a kit, anew.
pub(super) fn pack(asked: &Asked) -> Result<()> {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let [program, xtask] = programs(asked.program.as_deref())?;
    let tests = tests()?;
    clear(&asked.out)?;
    let inside = |name: &str| asked.out.join(name);
    strip(&xtask, &inside(place::XTASK))?;
    let stripped = tempfile::NamedTempFile::new().context("no temporary file can be made")?;
    for (built, name) in [(&program, place::PROGRAM), (&tests, place::TESTS)] {
        strip(built, stripped.path())?;
        kit::pack(stripped.path(), &inside(&kit::packed(name)))?;
    }
    copy(&repository.join("benches/gpu/peers.py"), &inside(place::PEERS))?;
    fs::create_dir_all(inside(place::SAMPLES))?;
    for name in SAMPLES {
        copy(&repository.join("samples").join(name), &inside(place::SAMPLES).join(name))?;
    }
    let manifest = Manifest {
        commit: said(Command::new("git").arg("-C").arg(&repository).args(["describe", "--always", "--dirty"]))
            .unwrap_or_else(|| "unknown".to_owned()),
        version: said(Command::new(&program).arg("--version")).context("the program does not say its version")?,
        debug: program.components().any(|part| part.as_os_str() == "debug"),
    };
    fs::write(inside(place::MANIFEST), serde_json::to_string_pretty(&manifest)?)?;
    let bytes = kit::size(&asked.out)?;
    let mebibytes = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    eprintln!("gpu-report: {} has {:.1} MiB", asked.out.display(), mebibytes(bytes));
    if bytes > asked.most << 20 {
        let names = [kit::packed(place::PROGRAM), kit::packed(place::TESTS), place::XTASK.to_owned()];
        let of = |name: &String| fs::metadata(inside(name)).map_or(0, |found| found.len());
        let parts: Vec<String> = names.iter().map(|name| format!("{name} {:.1}", mebibytes(of(name)))).collect();
        bail!(
            "the kit has {:.1} MiB, more than {} ({}); --most allows more, and a program built for release takes less",
            mebibytes(bytes),
            asked.most,
            parts.join(", ")
        );
    }
    Ok(())
}

/// Makes a folder empty, if it is new, empty, or a kit.
fn clear(folder: &Path) -> Result<()> {
    let filled = fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some());
    if filled && !folder.join(place::MANIFEST).is_file() {
        bail!("{} holds something that is no kit; --out names another folder", folder.display());
    }
    if filled {
        fs::remove_dir_all(folder).with_context(|| format!("cannot empty {}", folder.display()))?;
    }
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))
}

/// The program and this one, as they are released.
fn programs(named: Option<&Path>) -> Result<[PathBuf; 2]> {
    if let Some(named) = named {
        let program = named.canonicalize().with_context(|| format!("{} is not there", named.display()))?;
        return Ok([program, env::current_exe().context("this program does not know where it lies")?]);
    }
    let status = cargo().args(["build", "--release", "--locked", "-p", "amanuensis-cli", "-p", "xtask"]).status();
    let status = status.context("cargo could not be started")?;
    if !status.success() {
        bail!("the program could not be built ({status})");
    }
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| PathBuf::from("target"), PathBuf::from);
    let built = |name: &str| {
        let path = target.join("release").join(name);
        path.canonicalize().with_context(|| format!("{} was not built", path.display()))
    };
    Ok([built("amanuensis")?, built("xtask")?])
}

/// A line of cargo's, as far as it matters here.
#[derive(Deserialize)]
struct Message {
    reason: String,
    target: Option<Target>,
    executable: Option<PathBuf>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
}

/// The tests of the GPU's crate.
fn tests() -> Result<PathBuf> {
    let arguments = ["test", "--locked", "-p", "amanuensis-cuda", "--lib", "--no-run", "--message-format=json"];
    let output = cargo().args(arguments).stderr(Stdio::inherit()).output().context("cargo could not be started")?;
    if !output.status.success() {
        bail!("the tests could not be built ({})", output.status);
    }
    test_program(&String::from_utf8_lossy(&output.stdout)).context("cargo does not say where the tests are")
}

fn test_program(messages: &str) -> Option<PathBuf> {
    let messages = messages.lines().filter_map(|line| serde_json::from_str::<Message>(line).ok());
    let of_tests = |message: Message| {
        let named = message.target.is_some_and(|target| target.name == "amanuensis_cuda");
        message.executable.filter(|_| named && message.reason == "compiler-artifact")
    };
    messages.filter_map(of_tests).next_back()
}

/// Copies a program without what only debuggers read; whole, where there is no tool for it.
fn strip(program: &Path, into: &Path) -> Result<()> {
    let stripped = Command::new("strip").arg("-o").arg(into).arg(program).status();
    if stripped.is_ok_and(|status| status.success()) {
        return Ok(());
    }
    eprintln!("gpu-report: {} is copied whole: there is no `strip`, or it failed", program.display());
    copy(program, into)
}

fn copy(from: &Path, into: &Path) -> Result<()> {
    fs::copy(from, into).with_context(|| format!("cannot copy {} to {}", from.display(), into.display()))?;
    Ok(())
}

/// What a program says, if it does well.
fn said(command: &mut Command) -> Option<String> {
    let output = command.output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tests_are_found_among_what_cargo_says() {
        let messages = r#"{"reason":"compiler-artifact","target":{"name":"half"},"executable":null}
{"reason":"compiler-artifact","target":{"name":"amanuensis_cuda"},"executable":null}
{"reason":"compiler-artifact","target":{"name":"amanuensis_cuda"},"executable":"/t/amanuensis_cuda-1"}
{"reason":"build-finished","success":true}"#;
        assert_eq!(test_program(messages), Some("/t/amanuensis_cuda-1".into()));
        assert_eq!(test_program("no json"), None);
    }

    #[test]
    fn only_kits_are_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("kit");
        clear(&place).unwrap();
        fs::write(place.join("letters"), "dear").unwrap();
        assert!(clear(&place).unwrap_err().to_string().contains("no kit"));
        fs::write(place.join(place::MANIFEST), "{}").unwrap();
        clear(&place).unwrap();
        assert_eq!(fs::read_dir(&place).unwrap().count(), 0);
    }
}
