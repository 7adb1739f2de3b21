//! `cargo xtask soak`: some thousands of requests of all kinds at once, of which a tenth are broken, cancelled or slow; and
//! what the server was like afterwards.

mod kinds;
mod manners;
mod report;

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::figures::Random;
use crate::serving::process::{circumstances, descriptors, memory, open_files};
use crate::serving::{Place, Plan, Served};
use crate::{USAGE, built, page};
use kinds::Kind;
use manners::Seen;
use report::{Report, Row, Sample};

/// How long the server may take to come to rest.
const REST: Duration = Duration::from_secs(60);

/// What was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Asked {
    program: Option<PathBuf>,
    model: String,
    requests: usize,
    clients: usize,
    seed: u64,
    write: Option<PathBuf>,
}

impl Asked {
    fn parse(arguments: &[&str]) -> Result<Asked> {
        let mut asked =
            Asked { program: None, model: "demo".to_owned(), requests: 2000, clients: 8, seed: 1, write: None };
        let mut arguments = arguments.iter();
        while let Some(flag) = arguments.next() {
            let Some(value) = arguments.next() else { bail!("{flag} needs a value\n{USAGE}") };
            let number = || value.parse::<usize>().ok().filter(|number| (1..=1_000_000).contains(number));
            let number = || number().with_context(|| format!("{flag}: {value} is no number above 0\n{USAGE}"));
            match *flag {
                "--program" => asked.program = Some(value.into()),
                "--model" => asked.model = (*value).to_owned(),
                "--requests" => asked.requests = number()?,
                // More would be refused one by one, as they should.
                "--clients" => asked.clients = number()?.min(64),
                "--seed" => asked.seed = number()? as u64,
                "--write" => asked.write = Some(value.into()),
                _ => bail!("{flag} is no flag of soak\n{USAGE}"),
            }
        }
        Ok(asked)
    }
}

/// What all clients share.
struct Field<'a> {
    server: &'a Served,
    kinds: &'a [Kind],
    /// What each case gave alone, by kind and case.
    alone: &'a [Vec<Seen>],
    next: AtomicUsize,
    done: AtomicUsize,
    rows: Mutex<BTreeMap<usize, Row>>,
}

/// Runs the soak with the arguments behind its name.
pub(crate) fn run(arguments: &[&str]) -> Result<()> {
    let asked = Asked::parse(arguments)?;
    let program = built::program(asked.program.as_deref())?;
    let place = Place::new()?;
    let key = Some("a key that is asked for".to_owned());
    let plan = Plan { key, ..Plan::new(&program, &asked.model) };
    let mut server = plan.start(&place)?;
    let kinds = kinds::kinds(&server)?;
    let alone = alone(&server, &kinds, &mut Random(asked.seed))?;
    server.settle(REST)?;
    let at_rest = at_rest(&server, None)?;
    eprintln!("soak: {} requests by {} clients", asked.requests, asked.clients);
    let begun = Instant::now();
    let (rows, samples) = soak(&asked, &server, &kinds, &alone)?;
    let took = begun.elapsed();
    server.settle(REST)?;
    let left_descriptors = at_rest_again(&server, &at_rest)?;
    let is_ready = server.get("/readyz").is_ok();
    let left_files = place.left_files();
    server.terminate()?;
    let ended = server.ended(REST)?.is_some_and(|status| status.success());
    let log = place.log();
    let report = Report {
        rows,
        samples,
        took,
        clients: asked.clients,
        descriptors: at_rest.len(),
        left_descriptors,
        left_files,
        is_ready,
        ended,
        panics: log.lines().filter(|line| line.contains("panicked at")).map(str::to_owned).collect(),
        about: circumstances(&program),
        command: command(&asked),
    };
    let text = report.markdown();
    io::stdout().write_all(text.as_bytes()).context("cannot write to standard output")?;
    if let Some(path) = &asked.write {
        page::write(path, "soak", &text)?;
    }
    match report.faults() {
        faults if faults.is_empty() => Ok(()),
        faults => bail!("{}", faults.join("; ")),
    }
}

fn command(asked: &Asked) -> String {
    format!(
        "cargo xtask soak --requests {} --clients {} --seed {} --model {}",
        asked.requests, asked.clients, asked.seed, asked.model
    )
}

/// Asks for everything once, alone.
fn alone(server: &Served, kinds: &[Kind], random: &mut Random) -> Result<Vec<Vec<Seen>>> {
    let mut all = Vec::new();
    for kind in kinds {
        let mut seen = Vec::new();
        for (number, case) in kind.cases.iter().enumerate() {
            let outcome = kind.manner.perform(case, server, random);
            seen.push(outcome.map_err(|error| anyhow::anyhow!("{} {number}, alone: {error}", kind.name))?);
        }
        all.push(seen);
    }
    Ok(all)
}

/// All requests, by clients that work side by side; and what was seen of the process meanwhile.
fn soak(asked: &Asked, server: &Served, kinds: &[Kind], alone: &[Vec<Seen>]) -> Result<(Vec<Row>, Vec<Sample>)> {
    let field = Field {
        server,
        kinds,
        alone,
        next: AtomicUsize::new(0),
        done: AtomicUsize::new(0),
        rows: Mutex::new(BTreeMap::new()),
    };
    let is_over = AtomicBool::new(false);
    let samples = thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            let mut samples = Vec::new();
            while !is_over.load(Ordering::Relaxed) {
                let done = field.done.load(Ordering::Relaxed);
                if let (Ok(memory), Ok(descriptors)) = (memory(server.pid()), descriptors(server.pid())) {
                    samples.push(Sample { done, memory, descriptors });
                }
                thread::sleep(Duration::from_millis(100));
            }
            samples
        });
        let clients: Vec<_> = (0..asked.clients).map(|_| scope.spawn(|| client(&field, asked))).collect();
        // All are waited for, also behind one that broke.
        let broken = clients.into_iter().filter_map(|client| client.join().err()).count();
        is_over.store(true, Ordering::Relaxed);
        match (broken, watcher.join()) {
            (0, Ok(samples)) => Ok(samples),
            _ => bail!("the soak itself broke"),
        }
    })?;
    let rows = field.rows.into_inner().unwrap_or_else(PoisonError::into_inner);
    Ok((rows.into_values().collect(), samples))
}

/// Makes one request after the other until all were made.
fn client(field: &Field<'_>, asked: &Asked) {
    let all: u64 = field.kinds.iter().map(|kind| kind.weight).sum();
    loop {
        let number = field.next.fetch_add(1, Ordering::Relaxed);
        if number >= asked.requests {
            return;
        }
        // What is asked depends on its number only, so that a run can be repeated.
        let mut random = Random(asked.seed.wrapping_add(number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let mut place = random.below(all);
        let index = field.kinds.iter().position(|kind| {
            let is_it = place < kind.weight;
            place = place.saturating_sub(kind.weight);
            is_it
        });
        let index = index.unwrap_or_default();
        let kind = &field.kinds[index];
        let which = random.below(kind.cases.len() as u64) as usize;
        let outcome = kind.manner.perform(&kind.cases[which], field.server, &mut random);
        let mut rows = field.rows.lock().unwrap_or_else(PoisonError::into_inner);
        let row = rows.entry(index).or_insert_with(|| Row::new(kind.name));
        match outcome {
            Err(error) => row.undeserved.push(format!("case {which}: {error}")),
            Ok(seen) => {
                let alone = &field.alone[index][which];
                row.count(seen.status);
                if seen.status.is_some() && seen.same != alone.same {
                    let text =
                        |seen: &Seen| String::from_utf8_lossy(seen.same.as_deref().unwrap_or_default()).into_owned();
                    row.others.push(format!("case {which}: {:?} and alone {:?}", text(&seen), text(alone)));
                }
            }
        }
        drop(rows);
        field.done.fetch_add(1, Ordering::Relaxed);
    }
}

/// What the server has open when nothing is asked; waits for it to become no more than `before`.
fn at_rest(server: &Served, before: Option<&[String]>) -> Result<Vec<String>> {
    let begun = Instant::now();
    let mut least = open_files(server.pid());
    // A connection is closed a little after its answer.
    while begun.elapsed() < Duration::from_secs(if before.is_some() { 20 } else { 2 }) {
        let now = open_files(server.pid());
        if now.len() <= least.len() {
            least = now;
        }
        if before.is_some_and(|before| least.len() <= before.len()) {
            break;
        }
        thread::sleep(Duration::from_millis(100));
    }
    Ok(least)
}

/// What it has open that it had not before.
fn at_rest_again(server: &Served, before: &[String]) -> Result<Vec<String>> {
    let mut now = at_rest(server, Some(before))?;
    if now.len() <= before.len() {
        return Ok(Vec::new());
    }
    for name in before {
        if let Some(place) = now.iter().position(|other| other == name) {
            now.swap_remove(place);
        }
    }
    Ok(now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_have_values_within_bounds() {
        let asked = Asked::parse(&["--requests", "300", "--clients", "900", "--seed", "7"]).unwrap();
        assert_eq!((asked.requests, asked.clients, asked.seed), (300, 64, 7));
        assert!(command(&asked).contains("--requests 300"));
        for wrong in [&["--requests"][..], &["--requests", "0"], &["--slow", "1"]] {
            assert!(Asked::parse(wrong).is_err());
        }
    }
}
