//! `cargo xtask check`: everything a change must pass.

use std::env;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::USAGE;

/// One command of the check: `cargo` with these arguments and environment.
struct Step {
    title: &'static str,
    arguments: &'static [&'static str],
    environment: &'static [(&'static str, &'static str)],
    /// Said when the command fails.
    remedy: &'static str,
}

const STEPS: &[Step] = &[
    Step {
        title: "formatting",
        arguments: &["fmt", "--all", "--check"],
        environment: &[],
        remedy: "`cargo fmt --all` rewrites the files",
    },
    Step {
        title: "clippy",
        arguments: &["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"],
        environment: &[],
        remedy: "every warning counts as an error; an `allow` needs its reason beside it",
    },
    Step {
        title: "documentation",
        arguments: &["doc", "--workspace", "--no-deps", "--locked"],
        environment: &[("RUSTDOCFLAGS", "-D warnings")],
        remedy: "a broken link or a missing sentence in a doc comment",
    },
    Step {
        title: "licences, duplicate crates, sources",
        arguments: &["deny", "check", "licenses", "bans", "sources"],
        environment: &[],
        remedy: "see deny.toml; the tool comes by `cargo install --locked cargo-deny`",
    },
];

const TESTS: Step =
    Step { title: "tests", arguments: &["test", "--workspace", "--locked"], environment: &[], remedy: "" };

/// Runs the check with the arguments behind its name.
pub(crate) fn run(arguments: &[&str]) -> Result<()> {
    for step in plan(arguments)? {
        perform(step)?;
    }
    Ok(())
}

/// The steps that the arguments ask for.
fn plan(arguments: &[&str]) -> Result<Vec<&'static Step>> {
    match arguments {
        [] => Ok(STEPS.iter().chain([&TESTS]).collect()),
        ["--fast"] => Ok(STEPS.iter().collect()),
        _ => bail!("{USAGE}"),
    }
}

fn perform(step: &Step) -> Result<()> {
    eprintln!("\n== {}: cargo {}", step.title, step.arguments.join(" "));
    let started = Instant::now();
    // Cargo names itself in CARGO, so the same toolchain runs that started xtask.
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(step.arguments)
        .envs(step.environment.iter().copied())
        .status()
        .context("cargo could not be started")?;
    if !status.success() {
        let remedy = if step.remedy.is_empty() { String::new() } else { format!(": {}", step.remedy) };
        bail!("{} failed ({status}){remedy}", step.title);
    }
    eprintln!("== {}: passed in {:.1} s", step.title, started.elapsed().as_secs_f64());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn titles(arguments: &[&str]) -> Vec<&'static str> {
        plan(arguments).unwrap().into_iter().map(|step| step.title).collect()
    }

    #[test]
    fn tests_run_last_and_fast_leaves_them_out() {
        let all = titles(&[]);
        assert_eq!(all.last(), Some(&"tests"));
        assert_eq!(titles(&["--fast"]), all[..all.len() - 1]);
    }

    #[test]
    fn anything_else_is_refused_with_the_usage() {
        for arguments in [&["--slow"][..], &["--fast", "more"]] {
            let error = plan(arguments).err().unwrap().to_string();
            assert!(error.starts_with("usage:"), "{error}");
        }
    }
}
