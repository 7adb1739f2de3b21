//! The program under test: named, or built here.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

/// The program that is named, or else the one built for debugging: all but its speed is the same.
pub(crate) fn program(named: Option<&Path>) -> Result<PathBuf> {
    if let Some(path) = named {
        // Programs are started in other folders than this one.
        return path.canonicalize().with_context(|| format!("{} is not there", path.display()));
    }
    let status = cargo().args(["build", "--locked", "-p", "amanuensis-cli"]).status();
    let status = status.context("cargo could not be started")?;
    if !status.success() {
        bail!("the program could not be built ({status})");
    }
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| PathBuf::from("target"), PathBuf::from);
    let path = target.join("debug").join(format!("amanuensis{}", env::consts::EXE_SUFFIX));
    path.canonicalize().with_context(|| format!("{} was not built", path.display()))
}

/// The cargo that started this.
pub(crate) fn cargo() -> Command {
    Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}
