//! `cargo xtask gpu-report`: all that is to be known of a GPU, in one go: its crate's tests, some of them under compute-sanitizer,
//! transcripts beside the CPU's, benchmarks, other programs, and one table.
//!
//! What it needs is packed into a folder, the kit, which runs on a machine that has neither Rust nor a network. Every part has a
//! limit of its own within that of the whole, and what failed or is missing is in the report in the place of a number.

mod findings;
mod kit;
mod long;
mod pack;
mod parts;
mod random_model;
mod report;
mod run;
mod shapes;
mod table;
mod tests_run;
mod texts;

use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::USAGE;

/// What random models are drawn with.
const SEED: u64 = 1;

/// What was asked for.
#[derive(Debug, PartialEq, Eq)]
enum Asked {
    Pack(pack::Asked),
    Run(Box<run::Asked>),
    /// A shape, and where its model goes.
    Model(String, String),
}

/// Does what the arguments behind its name ask for.
pub(crate) fn run(arguments: &[&str]) -> Result<()> {
    match parse(arguments)? {
        Asked::Pack(asked) => pack::pack(&asked),
        Asked::Run(asked) => run::run(&asked),
        Asked::Model(shape, folder) => random_model::write(Path::new(&folder), &shapes::dims(&shape)?, SEED),
    }
}

fn parse(arguments: &[&str]) -> Result<Asked> {
    match arguments {
        ["pack", flags @ ..] => {
            let mut asked = pack::Asked::default();
            each(flags, |flag, value| {
                match flag {
                    "--out" => asked.out = value.into(),
                    _ => return packing(&mut asked, flag, value),
                }
                Ok(())
            })?;
            Ok(Asked::Pack(asked))
        }
        ["run", flags @ ..] => {
            let mut asked = run::Asked::default();
            each(flags, |flag, value| running(&mut asked, flag, value))?;
            Ok(Asked::Run(Box::new(asked)))
        }
        ["model", shape, folder] => Ok(Asked::Model((*shape).to_owned(), (*folder).to_owned())),
        _ => bail!("{USAGE}"),
    }
}

/// Flags and their values.
fn each(flags: &[&str], mut take: impl FnMut(&str, &str) -> Result<()>) -> Result<()> {
    flags.chunks(2).try_for_each(|pair| match pair {
        [flag, value] => take(flag, value),
        _ => bail!("{} needs a value\n{USAGE}", pair[0]),
    })
}

fn packing(asked: &mut pack::Asked, flag: &str, value: &str) -> Result<()> {
    match flag {
        "--program" => asked.program = Some(value.into()),
        "--most" => asked.most = number(flag, value, 1 << 20)?,
        _ => bail!("{flag} is no flag of gpu-report\n{USAGE}"),
    }
    Ok(())
}

fn running(asked: &mut run::Asked, flag: &str, value: &str) -> Result<()> {
    let names = || value.split(',').map(str::to_owned).collect::<Vec<_>>();
    match flag {
        "--kit" => asked.kit = Some(value.into()),
        "--out" => asked.out = value.into(),
        "--work" => asked.work = Some(value.into()),
        "--limit" => asked.limit = number(flag, value, 86_400)?,
        "--device" => asked.device = value.to_owned(),
        "--models" => asked.models = names(),
        "--python" => asked.python = value.to_owned(),
        "--minutes" => asked.minutes = number(flag, value, 6000)?,
        "--together" => asked.together = number(flag, value, 4096)?,
        "--only" => asked.only = names(),
        _ => return packing(&mut asked.pack, flag, value),
    }
    asked.models.iter().try_for_each(|name| shapes::dims(name).map(|_| ()))?;
    if let Some(unknown) = asked.only.iter().find(|only| !run::GROUPS.contains(&only.as_str())) {
        bail!("--only: {unknown} is none of {}\n{USAGE}", run::GROUPS.join(", "));
    }
    Ok(())
}

fn number(flag: &str, value: &str, most: u64) -> Result<u64> {
    let number = value.parse::<u64>().ok().filter(|number| (1..=most).contains(number));
    number.with_context(|| format!("{flag}: {value} is no number from 1 to {most}\n{USAGE}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_have_values_that_can_be() {
        let Asked::Run(asked) =
            parse(&["run", "--kit", "k", "--limit", "60", "--only", "tests,bench", "--most", "50"]).unwrap()
        else {
            panic!("something else was asked for");
        };
        assert_eq!((asked.kit, asked.limit, asked.pack.most), (Some("k".into()), 60, 50));
        assert_eq!((&asked.only[..], &asked.device[..]), (&["tests".to_owned(), "bench".to_owned()][..], "cuda"));
        let Asked::Pack(asked) = parse(&["pack", "--out", "o", "--program", "p"]).unwrap() else {
            panic!("something else was asked for");
        };
        assert_eq!((asked.out, asked.program, asked.most), ("o".into(), Some("p".into()), 40));
        for (wrong, said) in [
            (&["run", "--limit", "0"][..], "0 is no number"),
            (&["run", "--limit"], "--limit needs a value"),
            (&["run", "--only", "dance"], "dance is none of tests"),
            (&["run", "--models", "huge"], "huge is the shape of no published model"),
            (&["pack", "--kit", "k"], "--kit is no flag"),
            (&["unpack"], "usage:"),
        ] {
            let error = parse(wrong).err().unwrap().to_string();
            assert!(error.contains(said), "{wrong:?}: {error}");
        }
    }
}
