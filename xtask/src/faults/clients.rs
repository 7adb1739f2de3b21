//! Clients that mean harm, or know no better.

use std::io::Read;
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use super::Fault;
use super::bench::{Bench, TRANSCRIPTIONS, expect, message};
use crate::figures::megabytes;
use crate::serving::http::{Answer, Connection, Request, form_end, open_form};
use crate::serving::process::{Peak, memory};
use crate::serving::sounds::wave_header;
use crate::serving::{Place, Plan, Served};

pub(super) const FAULTS: [Fault; 8] = [
    Fault::new(
        "a byte a second, head",
        "a client sends the head of a request a byte a second",
        "it is cut off within `head_timeout` (15 s); others are answered meanwhile",
        slow_head,
    ),
    Fault::new(
        "a byte a second, body",
        "a client sends a form a byte a second",
        "408 within 45 s; others are answered meanwhile",
        slow_body,
    ),
    Fault::new(
        "4 GB upload, announced",
        "a client announces 4 GiB and sends them",
        "413 before they are kept",
        announced,
    ),
    Fault::new(
        "4 GB upload, in chunks",
        "a client sends 4 GiB in chunks, without saying how much it will be",
        "413 at the limit (1 GiB); memory grows by less than 64 MB",
        chunked,
    )
    .large(),
    Fault::new(
        "4 GB upload, allowed",
        "4 GiB of silence as a wave file, with `max_upload_bytes` and `max_duration` raised enough to take them, and then with `max_duration` at its default",
        "taken to the disk: memory grows by less than 64 MB; 413 for its duration at the default; nothing left behind",
        allowed,
    )
    .large(),
    Fault::new(
        "lying lengths",
        "a body that is shorter than announced, two different lengths, a length with chunks, a chunk of 2^64-1 bytes",
        "an error or a closed connection; others are answered",
        lying,
    ),
    Fault::new(
        "10,000 idle sockets",
        "10,000 connections that never send anything",
        "others are answered within two seconds all the time",
        idle,
    ),
    Fault::new(
        "few descriptors",
        "1,000 idle connections to a server that may open 256 files",
        "others are answered; uploads too",
        few_descriptors,
    ),
];

/// Sends bytes one a second until the server has enough: how long that took, and what it said.
fn drip(
    server: &Served,
    head: &[u8],
    bytes: &[u8],
    most: Duration,
    meanwhile: impl Fn() -> Result<()>,
) -> Result<(f64, Option<Answer>)> {
    let mut connection = Connection::open(server.address)?;
    connection.send(head)?;
    connection.socket().set_nonblocking(true)?;
    let began = Instant::now();
    for byte in bytes.iter().cycle() {
        ensure!(began.elapsed() < most, "still taken after {:.0} s", began.elapsed().as_secs_f64());
        if connection.send(&[*byte]).is_err() {
            break;
        }
        meanwhile()?;
        thread::sleep(Duration::from_secs(1));
        // Something to read, or the end: the server has had enough.
        match connection.socket().peek(&mut [0]) {
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            _ => break,
        }
    }
    let took = began.elapsed().as_secs_f64();
    connection.socket().set_nonblocking(false)?;
    Ok((took, connection.answer().ok()))
}

fn slow_head(bench: &Bench) -> Result<String> {
    let place = Place::new()?;
    let server = bench.plan().start(&place)?;
    let (took, answer) =
        drip(&server, b"", b"GET /livez HTTP/1.1\r\nx-a: b\r\n", Duration::from_secs(25), || bench.check(&server))?;
    let said = answer.map_or_else(|| "closed".to_owned(), |answer| answer.status.to_string());
    ensure!(said == "closed" || said == "408", "{said}");
    Ok(format!("{said} after {took:.0} s"))
}

fn slow_body(bench: &Bench) -> Result<String> {
    let place = Place::new()?;
    let server = bench.plan().start(&place)?;
    let body = open_form(&[("model", "whisper-1")], "a.wav");
    let request = Request::form(TRANSCRIPTIONS, &[]);
    let mut head = request.head(server.address, "content-length: 1000000\r\n");
    head.extend_from_slice(&body);
    let (took, answer) = drip(&server, &head, &[0], Duration::from_secs(60), || bench.check(&server))?;
    let answer = answer.context("closed without an answer")?;
    expect(&answer, 408)?;
    ensure!(took < 45.0, "after {took:.0} s only");
    Ok(format!("408 after {took:.0} s"))
}

const FOUR: u64 = 4 << 30;

fn announced(bench: &Bench) -> Result<String> {
    let place = Place::new()?;
    let server = bench.plan().start(&place)?;
    let before = memory(server.pid())?;
    let peak = Peak::watch(server.pid());
    let (answer, sent, took) = upload(&server, FOUR, false)?;
    expect(&answer, 413)?;
    let grew = peak.bytes().saturating_sub(before);
    ensure!(grew < GROWTH, "memory grew by {}", megabytes(grew));
    ensure!(sent < 1 << 28, "{} were taken", megabytes(sent));
    bench.check(&server)?;
    Ok(format!(
        "413 after {took:.1} s; {} were taken and forgotten; memory grew by {}",
        megabytes(sent),
        megabytes(grew)
    ))
}

/// Most bytes that the process may grow by.
const GROWTH: u64 = 64_000_000;

/// Sends a form with a wave file of so many bytes: the answer, how much was sent, and how long it took.
fn upload(server: &Served, bytes: u64, is_chunked: bool) -> Result<(Answer, u64, f64)> {
    let request = Request::form(TRANSCRIPTIONS, &[]);
    let mut start = open_form(&[("model", "whisper-1"), ("language", "en")], "a.wav");
    let end = form_end();
    let header = wave_header(u32::try_from(bytes - 44).unwrap_or(u32::MAX));
    let length = start.len() as u64 + bytes + end.len() as u64;
    start.extend_from_slice(&header);
    let how =
        if is_chunked { "transfer-encoding: chunked\r\n".to_owned() } else { format!("content-length: {length}\r\n") };
    let mut connection = Connection::open(server.address)?;
    let began = Instant::now();
    connection.send(&request.head(server.address, &how))?;
    let piece = vec![0_u8; 1 << 20];
    let mut write = |bytes: &[u8]| -> std::io::Result<()> {
        if is_chunked {
            connection.send(format!("{:x}\r\n", bytes.len()).as_bytes())?;
        }
        connection.send(bytes)?;
        if is_chunked { connection.send(b"\r\n") } else { Ok(()) }
    };
    let mut sent = header.len() as u64;
    let mut is_taken = write(&start).is_ok();
    while is_taken && sent < bytes {
        let next = piece.len().min((bytes - sent) as usize);
        is_taken = write(&piece[..next]).is_ok();
        sent += next as u64;
    }
    if is_taken {
        is_taken = write(&end).is_ok();
    }
    if is_taken && is_chunked {
        let _ = connection.send(b"0\r\n\r\n");
    }
    let answer = connection.answer().context("no answer to the upload")?;
    Ok((answer, sent, began.elapsed().as_secs_f64()))
}

fn chunked(bench: &Bench) -> Result<String> {
    let place = Place::new()?;
    let server = bench.plan().start(&place)?;
    let before = memory(server.pid())?;
    let peak = Peak::watch(server.pid());
    let (answer, sent, took) = upload(&server, FOUR, true)?;
    expect(&answer, 413)?;
    let grew = peak.bytes().saturating_sub(before);
    ensure!(grew < GROWTH, "memory grew by {}", megabytes(grew));
    bench.check(&server)?;
    ensure!(place.left_files().is_empty(), "left behind: {:?}", place.left_files());
    Ok(format!("413 after {} and {took:.0} s; memory grew by {}", megabytes(sent), megabytes(grew)))
}

fn allowed(bench: &Bench) -> Result<String> {
    let place = Place::new()?;
    let plan = bench.plan().set("max_upload_bytes=5000000000").set("deadline=120");
    let mut said = Vec::new();
    for (plan, status) in [(plan.clone().set("max_duration=200000").set("max_queued_seconds=200000"), 200), (plan, 413)]
    {
        let server = plan.start(&place)?;
        bench.check(&server)?;
        let before = memory(server.pid())?;
        let peak = Peak::watch(server.pid());
        let (answer, _, took) = upload(&server, FOUR - 1, false)?;
        let grew = peak.bytes().saturating_sub(before);
        // Hours of silence may well not be heard in the time allowed; what is asked here is the memory.
        ensure!(
            answer.status == status || (status == 200 && answer.status == 504),
            "{} {}",
            answer.status,
            answer.text()
        );
        ensure!(grew < GROWTH, "memory grew by {}", megabytes(grew));
        bench.check(&server)?;
        ensure!(place.left_files().is_empty(), "left behind: {:?}", place.left_files());
        said.push(format!("{} after {took:.0} s, memory grew by {}", answer.status, megabytes(grew)));
    }
    Ok(said.join("; "))
}

fn lying(bench: &Bench) -> Result<String> {
    let place = Place::new()?;
    let server = bench.plan().start(&place)?;
    let request = Request::form(TRANSCRIPTIONS, &[]);
    let form = Request::form("", &[("model", None, b"whisper-1")]).body;
    let mut said = Vec::new();
    for (length, body) in [
        (format!("content-length: {}\r\n", form.len() + 100), form.clone()),
        (format!("content-length: {}\r\ncontent-length: 5\r\n", form.len()), form.clone()),
        ("content-length: 5\r\ntransfer-encoding: chunked\r\n".to_owned(), b"zz\r\n".to_vec()),
        ("transfer-encoding: chunked\r\n".to_owned(), b"ffffffffffffffff\r\nabc".to_vec()),
        ("content-length: -1\r\n".to_owned(), form.clone()),
    ] {
        let mut connection = Connection::open(server.address)?;
        connection.send(&request.head(server.address, &length))?;
        connection.send(&body)?;
        // Nothing more comes, so what was announced does not.
        connection.socket().shutdown(std::net::Shutdown::Write)?;
        match connection.answer() {
            Ok(answer) if (400..500).contains(&answer.status) => said.push(answer.status.to_string()),
            Ok(answer) => bail!("{length:?}: {} {}", answer.status, message(&answer)),
            Err(_) => said.push("closed".to_owned()),
        }
        bench.check(&server)?;
    }
    Ok(said.join(", "))
}

/// How many descriptors this process may have beside a few others.
fn own_room() -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let line = limits.lines().find(|line| line.starts_with("Max open files"));
    let soft = line.and_then(|line| line.split_whitespace().nth(3)?.parse::<usize>().ok());
    soft.unwrap_or(1024).saturating_sub(100)
}

/// How many connect at a time.
const OPENERS: usize = 8;

/// Opens so many connections as fast as they are taken, and asks something meanwhile and for a while behind it: the connections,
/// and how long the slowest answer took.
fn crowd(bench: &Bench, server: &Served, count: usize) -> Result<(Vec<TcpStream>, f64)> {
    let open = || -> Vec<TcpStream> {
        let open = |_| TcpStream::connect_timeout(&server.address, Duration::from_secs(20)).ok();
        (0..count / OPENERS).filter_map(open).collect()
    };
    thread::scope(|scope| {
        let openers: Vec<_> = (0..OPENERS).map(|_| scope.spawn(open)).collect();
        let mut slowest = 0.0_f64;
        let mut all_open: Option<Instant> = None;
        while all_open.is_none_or(|since| since.elapsed() < Duration::from_secs(5)) {
            let began = Instant::now();
            bench.check(server).context("beside idle connections")?;
            slowest = slowest.max(began.elapsed().as_secs_f64());
            if all_open.is_none() && openers.iter().all(thread::ScopedJoinHandle::is_finished) {
                all_open = Some(Instant::now());
            }
            thread::sleep(Duration::from_millis(50));
        }
        let crowd: Vec<TcpStream> = openers.into_iter().filter_map(|opener| opener.join().ok()).flatten().collect();
        ensure!(crowd.len() > count * 9 / 10, "only {} of {count} could connect", crowd.len());
        Ok((crowd, slowest))
    })
}

fn idle(bench: &Bench) -> Result<String> {
    let place = Place::new()?;
    let server = bench.plan().start(&place)?;
    let count = own_room().min(10_000);
    let before = memory(server.pid())?;
    let (crowd, slowest) = crowd(bench, &server, count)?;
    let grew = memory(server.pid())?.saturating_sub(before);
    ensure!(slowest < 2.0, "an answer took {slowest:.1} s");
    let closed = crowd.iter().filter(|stream| is_closed(stream)).count();
    Ok(format!(
        "{count} connections, of which {closed} were closed to make room; the slowest of the other answers took {:.0} ms; memory grew by {}",
        slowest * 1e3,
        megabytes(grew)
    ))
}

fn is_closed(stream: &TcpStream) -> bool {
    let mut stream = stream;
    stream.set_nonblocking(true).is_ok()
        && !matches!(stream.read(&mut [0]), Err(error) if error.kind() == std::io::ErrorKind::WouldBlock)
}

fn few_descriptors(bench: &Bench) -> Result<String> {
    let place = Place::new()?;
    let server = Plan { before: "ulimit -n 256;".to_owned(), ..bench.plan() }.start(&place)?;
    let (_crowd, slowest) = crowd(bench, &server, own_room().min(1000))?;
    ensure!(slowest < 2.0, "an answer took {slowest:.1} s");
    Ok(format!("the slowest of the other answers took {:.0} ms", slowest * 1e3))
}
