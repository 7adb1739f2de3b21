//! The process ends: killed, or asked to.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use super::Fault;
use super::bench::{Bench, PATIENCE, TRANSCRIPTIONS, add_job, expect, form, text, wait_until};
use crate::figures::Random;
use crate::serving::http::{Connection, Request};
use crate::serving::{Place, Served, sounds};

pub(super) const FAULTS: [Fault; 2] = [
    Fault::new(
        "kill in the middle of 20 jobs",
        "20 jobs are accepted; the process is killed (SIGKILL) four times while they are heard, and started again; after each start all 20 are sent again \
         with their idempotency keys",
        "all end right, with the text that the sound has without a kill; each is there once",
        kill,
    ),
    Fault::new(
        "asked to end while busy",
        "SIGTERM while an answer, a stream and a job are under way",
        "what was asked is answered to its end, new connections are refused, the process ends with 0; the job goes on at the next start",
        terminate,
    ),
];

const JOBS: usize = 20;
const KILLS: u32 = 4;

/// Sounds that are all different.
fn sounds() -> Result<Vec<Vec<u8>>> {
    let names = ["english.wav", "two-voices.wav", "english-numbers.wav"];
    (0..JOBS)
        .map(|number| {
            let first = number % names.len();
            let names: Vec<&str> = names.iter().cycle().skip(first).take(2 + number % 2).copied().collect();
            sounds::long(&names, 40 + number)
        })
        .collect()
}

fn kill(bench: &Bench) -> Result<String> {
    let sounds = sounds()?;
    let fields = [("language", "en")];
    let expected: Vec<String> = {
        let place = Place::new()?;
        let server = bench.plan().start(&place)?;
        let heard = |sound: &Vec<u8>| {
            let answer = server.ask(&form(TRANSCRIPTIONS, sound, &fields)).context("a transcription")?;
            expect(&answer, 200)?;
            Ok(answer.json()["text"].as_str().unwrap_or_default().to_owned())
        };
        sounds.iter().map(heard).collect::<Result<_>>()?
    };
    let place = Place::new()?;
    let mut random = Random(u64::from(std::process::id()));
    let add_all = |server: &Served| -> Result<Vec<String>> {
        let add = |(number, sound): (usize, &Vec<u8>)| add_job(server, sound, &fields, &format!("job {number}"));
        sounds.iter().enumerate().map(add).collect()
    };
    let done = |server: &Served| -> Result<usize> {
        let list = server.get("/v1/jobs?limit=100&status=succeeded")?;
        Ok(list["data"].as_array().map_or(0, Vec::len))
    };
    let mut ids: Option<Vec<String>> = None;
    let mut ended_before = Vec::new();
    for _ in 0..KILLS {
        let mut server = bench.plan().start(&place)?;
        let now = add_all(&server)?;
        let before = ids.get_or_insert_with(|| now.clone());
        ensure!(*before == now, "jobs that were sent again became others");
        // A kill is to fall into work, behind some of it that was saved.
        let ended = done(&server)?;
        wait_until("a job comes to its end", PATIENCE, || Ok(done(&server)? > ended || ended == JOBS))?;
        thread::sleep(Duration::from_millis(random.below(400)));
        ended_before.push(done(&server)?);
        server.kill()?;
    }
    let server = bench.plan().start(&place)?;
    let ids = ids.unwrap_or_default();
    ensure!(add_all(&server)? == ids, "jobs that were sent again became others");
    for (id, expected) in ids.iter().zip(&expected) {
        let job = server.job(id, PATIENCE)?;
        ensure!(job["status"] == "succeeded", "a job ended so: {job}");
        let result = server.get(&format!("/v1/jobs/{id}/result?format=json"))?;
        ensure!(result["text"] == expected.as_str(), "a job gave {} instead of {expected:?}", result["text"]);
    }
    let list = server.get("/v1/jobs?limit=100")?;
    let count = list["data"].as_array().map_or(0, Vec::len);
    ensure!(count == JOBS, "there are {count} jobs");
    Ok(format!("{JOBS} of {JOBS} right, each there once; at the kills {ended_before:?} of them were done"))
}

fn terminate(bench: &Bench) -> Result<String> {
    let place = Place::new()?;
    // Time enough on a machine that has other work.
    let mut server = bench.plan().set("drain=200").start(&place)?;
    let sound = sounds::long(&["two-voices.wav", "english.wav"], 240)?;
    let expected = text(&server, &sound)?;
    // The job has the most to do, so that it is not done when the others are.
    let long = sounds::long(&["two-voices.wav", "english.wav"], 1800)?;
    let job = add_job(&server, &long, &[], "long")?;
    let mut waiting = Vec::new();
    for fields in [&[][..], &[("stream", "true")]] {
        let mut connection = Connection::open(server.address)?;
        connection.send(&form(TRANSCRIPTIONS, &sound, fields).bytes(server.address))?;
        waiting.push(connection);
    }
    wait_until("both are heard", PATIENCE, || Ok(server.get("/v1/status")?["queue"]["open"].as_u64() >= Some(3)))?;
    server.terminate()?;
    let began = Instant::now();
    let address = server.address;
    wait_until("new connections are refused", Duration::from_secs(5), || {
        Ok(Request::get("/livez").ask(address).is_err())
    })?;
    let Some(mut stream) = waiting.pop() else { bail!("no connection") };
    let Some(mut whole) = waiting.pop() else { bail!("no connection") };
    let answer = whole.answer().context("the answer under way")?;
    expect(&answer, 200)?;
    ensure!(answer.json()["text"] == expected.as_str(), "another text than before");
    let events = stream.answer().context("the stream under way")?.events();
    let last = events.last().context("a stream without events")?;
    ensure!(last["type"] == "transcript.text.done", "the stream ended with {last}");
    let status = server.ended(Duration::from_secs(60))?.context("it does not end")?;
    ensure!(status.success(), "it ended with {status}");
    let took = began.elapsed().as_secs_f64();
    let server = bench.plan().start(&place)?;
    let before = server.get(&format!("/v1/jobs/{job}"))?;
    let ended = server.job(&job, PATIENCE)?;
    ensure!(ended["status"] == "succeeded", "the job ended so: {ended}");
    Ok(format!(
        "both answered; ended with 0 after {took:.1} s; the job went on from {:.0} of {:.0} s",
        before["processed"].as_f64().unwrap_or_default(),
        ended["duration"].as_f64().unwrap_or_default()
    ))
}
