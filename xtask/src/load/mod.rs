//! `cargo xtask load`: how much a server does for one client and for many, how long a short sound takes while a long one
//! is heard, and how many live sessions keep up; of this server, and but for the last of another with OpenAI's endpoints.

mod clients;
mod live;
mod report;

use std::io::{self, Write as _};
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::serving::process::circumstances;
use crate::serving::{Place, Plan, sounds};
use crate::{USAGE, built, page};
use clients::{Clip, Round, Target};
use live::Heard;
use report::{Beside, Measured, Report};

/// What was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Asked {
    program: Option<PathBuf>,
    model: String,
    seconds: u64,
    clients: Vec<usize>,
    live: Vec<usize>,
    compute_type: String,
    /// Other servers: their names in the table, and where they are.
    peers: Vec<(String, SocketAddr)>,
    peer_model: String,
    write: Option<PathBuf>,
    /// The marks of the page between which the table goes.
    place: String,
}

impl Asked {
    fn parse(arguments: &[&str]) -> Result<Asked> {
        let mut asked = Asked {
            program: None,
            model: "demo".to_owned(),
            seconds: 60,
            clients: vec![1, 8, 32],
            live: vec![1, 8],
            compute_type: "auto".to_owned(),
            peers: Vec::new(),
            peer_model: "whisper-1".to_owned(),
            write: None,
            place: "load".to_owned(),
        };
        let mut arguments = arguments.iter();
        while let Some(flag) = arguments.next() {
            let Some(value) = arguments.next() else { bail!("{flag} needs a value\n{USAGE}") };
            let number = |text: &str, most: u64| {
                let number = text.parse::<u64>().ok().filter(|number| (1..=most).contains(number));
                number.with_context(|| format!("{flag}: {text} is no number from 1 to {most}\n{USAGE}"))
            };
            match *flag {
                "--program" => asked.program = Some(value.into()),
                "--model" => asked.model = (*value).to_owned(),
                "--seconds" => asked.seconds = number(value, 3600)?,
                "--clients" | "--live" => {
                    let counts = value.split(',').map(|count| Ok(number(count, 256)? as usize));
                    let counts = counts.collect::<Result<_>>()?;
                    if *flag == "--live" { asked.live = counts } else { asked.clients = counts }
                }
                "--compute-type" => asked.compute_type = (*value).to_owned(),
                "--peer" => asked.peers.push(peer(value)?),
                "--peer-model" => asked.peer_model = (*value).to_owned(),
                "--place" => asked.place = (*value).to_owned(),
                "--write" => asked.write = Some(value.into()),
                _ => bail!("{flag} is no flag of load\n{USAGE}"),
            }
        }
        Ok(asked)
    }

    fn command(&self) -> String {
        let list = |counts: &[usize]| counts.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
        // A folder's name says which model it is; where it lies is nobody's concern.
        let model = self.model.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
        let peers = self.peers.iter().fold(String::new(), |list, (name, _)| format!("{list} --peer '{name}=URL'"));
        format!(
            "cargo xtask load --seconds {} --clients {} --live {} --model {model} --compute-type {}{peers}",
            self.seconds,
            list(&self.clients),
            list(&self.live),
            self.compute_type,
        )
    }
}

/// A name and the address of a server on this machine: others are not to be loaded by a test.
fn peer(value: &str) -> Result<(String, SocketAddr)> {
    let (name, url) = value.split_once('=').with_context(|| format!("--peer: {value} is not NAME=URL"))?;
    let host = url.strip_prefix("http://").with_context(|| format!("--peer: {url} does not begin with http://"))?;
    let host = host.trim_end_matches('/').trim_end_matches("/v1");
    let mut addresses = host.to_socket_addrs().with_context(|| format!("--peer: {host} is no address"))?;
    let address = addresses.next().with_context(|| format!("--peer: {host} is no address"))?;
    if !address.ip().is_loopback() {
        bail!("--peer: {address} is not this machine; only a server here may be loaded");
    }
    Ok((name.to_owned(), address))
}

/// What is measured of a server.
fn measure(name: &str, target: &Target, asked: &Asked) -> Result<Measured> {
    let time = Duration::from_secs(asked.seconds);
    let clip = Clip::new("english-numbers.wav", sounds::sample("english-numbers.wav")?);
    let long = Clip::new("ten minutes", sounds::long(&["english.wav", "two-voices.wav", "english-numbers.wav"], 600)?);
    target.check(&clip)?;
    let mut rounds: Vec<Round> = Vec::new();
    for &clients in &asked.clients {
        eprintln!("load: {name}, {clients} clients for {} s", asked.seconds);
        rounds.push(target.round(&clip, clients, time));
    }
    eprintln!("load: {name}, a short sound while a long one is heard");
    let alone = target.round(&clip, 1, time / 3);
    let (beside, whole) = target.beside(&clip, &long, time)?;
    Ok(Measured { name: name.to_owned(), clip: clip.seconds, rounds, beside: Beside { alone, beside, whole } })
}

/// What is measured of live sessions, which only this server has.
fn listen(target: &Target, asked: &Asked) -> Result<Vec<Heard>> {
    let speech = ["english.wav", "two-voices.wav", "english-numbers.wav"];
    let samples = sounds::samples(&speech, 2, asked.seconds as usize)?;
    let sessions = |&count: &usize| {
        eprintln!("load: {count} live sessions of {} s", asked.seconds);
        let heard = live::sessions(target.address, &samples, count);
        eprintln!("load: {:.1} s most lag, the last word {:.1} s behind the sound", heard.most_lag, heard.tail);
        heard
    };
    Ok(asked.live.iter().map(sessions).collect())
}

/// Measures with the arguments behind its name.
pub(crate) fn run(arguments: &[&str]) -> Result<()> {
    let asked = Asked::parse(arguments)?;
    let program = built::program(asked.program.as_deref())?;
    let (mut measured, live);
    {
        let place = Place::new()?;
        let plan = Plan { compute_type: asked.compute_type.clone(), ..Plan::new(&program, &asked.model) };
        let server = plan.start(&place)?;
        let target = Target { address: server.address, model: "whisper-1".to_owned() };
        live = listen(&target, &asked)?;
        measured = vec![measure("amanuensis", &target, &asked)?];
    }
    for (name, address) in &asked.peers {
        let target = Target { address: *address, model: asked.peer_model.clone() };
        measured.push(measure(name, &target, &asked)?);
    }
    let report = Report { measured, live, about: circumstances(&program), command: asked.command() };
    let text = report.markdown();
    io::stdout().write_all(text.as_bytes()).context("cannot write to standard output")?;
    if let Some(path) = &asked.write {
        page::write(path, &asked.place, &text)?;
    }
    match report.faults() {
        faults if faults.is_empty() => Ok(()),
        faults => bail!("{}", faults.join("; ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_clients_are_a_list() {
        let asked = Asked::parse(&["--clients", "1,4", "--seconds", "10"]).unwrap();
        assert_eq!((asked.clients.as_slice(), asked.seconds), (&[1, 4][..], 10));
        for wrong in [["--clients", "1,x"], ["--seconds", "0"], ["--slow", "1"]] {
            assert!(Asked::parse(&wrong).is_err());
        }
    }

    #[test]
    fn only_this_machine_is_loaded() {
        assert_eq!(peer("a=http://127.0.0.1:9000/v1/").unwrap(), ("a".to_owned(), "127.0.0.1:9000".parse().unwrap()));
        for wrong in
            ["http://127.0.0.1:9000", "a=https://127.0.0.1:9000", "a=http://192.0.2.1:80", "a=http://127.0.0.1"]
        {
            assert!(peer(wrong).is_err(), "{wrong}");
        }
    }
}
