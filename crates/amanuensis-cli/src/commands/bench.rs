//! `bench`: how long a model takes here for a fixed piece of work.
//!
//! The work does not depend on what is said, so that a model of random weights serves: one window through the encoder,
//! and a hundred tokens, the most probable each time but never the end.

use std::sync::atomic::AtomicBool;
use std::time::Instant;

use amanuensis::audio::{Recording, SAMPLE_RATE};
use amanuensis::backend::cpu::Cpu;
use amanuensis::backend::{Availability, Backend, BackendError, Encoded, Feed, Logits, Model, Work};
use amanuensis::mel::{Convention, Mel, Spectrogram, WINDOW_FRAMES};
use amanuensis::model::{self, ModelFile, Source};
use amanuensis::tokens::{Special, Token};
use anyhow::Context;
use serde::Serialize;

use super::Stop;
use crate::args::Bench;
use crate::console;

/// Tokens behind the prompt.
const TOKENS: usize = 100;

/// Seconds for each piece of work, the median of the rounds.
#[derive(Serialize)]
struct Report {
    model: String,
    device: String,
    rounds: usize,
    /// From files to ready.
    load_seconds: f64,
    /// Log-mel of 30 s.
    mel_30s_seconds: f64,
    /// The encoder over one window.
    encoder_seconds: f64,
    /// The window's keys and values, the prompt, and a hundred tokens one after another.
    greedy_100_tokens_seconds: f64,
}

static NEVER: AtomicBool = AtomicBool::new(false);

pub(super) fn run(asked: &Bench) -> Result<u8, Stop> {
    let name = asked.model.model.as_deref().unwrap_or("demo");
    let source = Source::resolve(name).map_err(anyhow::Error::new)?;
    let backend = Cpu::new(asked.model.computing.threads.0);
    let since = Instant::now();
    let file = model::open(&source).map_err(anyhow::Error::new)?;
    let model = backend.load(&file).map_err(anyhow::Error::new)?;
    let load_seconds = since.elapsed().as_secs_f64();
    let report =
        measure(asked.rounds.get().into(), &file, &*model, load_seconds, &backend).context("the benchmark failed")?;
    if asked.json {
        let json = serde_json::to_string(&report).context("the report cannot be written as JSON")?;
        console::print(format_args!("{json}"))?;
    } else {
        console::print(format_args!("{}", text(&report)))?;
    }
    Ok(0)
}

fn measure(
    rounds: usize,
    file: &ModelFile,
    model: &dyn Model,
    load_seconds: f64,
    backend: &dyn Backend,
) -> anyhow::Result<Report> {
    let recording = sound();
    let mut go_on = || Ok::<(), amanuensis::Error>(());
    let mut spectrogram = Spectrogram::new(&recording, file.dims.mel_bins, Convention::OpenAi, &mut go_on)?;
    let mut times = [const { Vec::new() }; 3];
    // One round more than are counted: the first one warms caches and wakes threads.
    for round in 0..=rounds {
        let mut since = Instant::now();
        let mut lap = |index: usize| {
            if round > 0 {
                times[index].push(since.elapsed().as_secs_f64());
            }
            since = Instant::now();
        };
        let mel: Mel = spectrogram.window(0, WINDOW_FRAMES, WINDOW_FRAMES)?;
        lap(0);
        let mut work = Work::new(&NEVER);
        let encoded = model.encode(&[mel], &mut work)?;
        lap(1);
        decode(model, &encoded, file.tokenizer.special(), &mut work)?;
        lap(2);
    }
    let [mel, encoder, greedy] = times.map(median);
    let (Availability::Ready(device) | Availability::Absent(device)) = backend.probe();
    Ok(Report {
        model: file.name.clone(),
        device,
        rounds,
        load_seconds,
        mel_30s_seconds: mel,
        encoder_seconds: encoder,
        greedy_100_tokens_seconds: greedy,
    })
}

fn decode(model: &dyn Model, encoded: &Encoded, special: &Special, work: &mut Work<'_>) -> Result<(), BackendError> {
    let start = [Some(special.start_of_transcript), special.languages.first().map(|language| language.1)];
    let prompt: Vec<Token> =
        start.into_iter().chain([special.transcribe, Some(special.no_timestamps)]).flatten().collect();
    let mut decoding = model.begin(encoded, work)?;
    let mut logits = Logits::default();
    decoding.start(&[0]);
    decoding.step(&[Feed { tokens: &prompt, read: &[prompt.len() - 1] }], &mut logits, work)?;
    for said in 1..=TOKENS {
        let row = logits.row(0);
        row[special.end_of_text as usize] = f32::NEG_INFINITY;
        let best = row.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1)).map_or(0, |(token, _)| token as Token);
        if said < TOKENS {
            decoding.step(&[Feed { tokens: &[best], read: &[0] }], &mut logits, work)?;
        }
    }
    Ok(())
}

/// 30 s of noise, the same every time.
fn sound() -> Recording {
    let mut state = 1_u32;
    let mut noise = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 24) as f32 - 0.5
    };
    let samples: Vec<f32> = (0..30 * SAMPLE_RATE).map(|_| noise()).collect();
    Recording::from_samples(&samples)
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied().unwrap_or_default()
}

fn text(report: &Report) -> String {
    let line = |what: &str, seconds: f64| format!("{what:24}{:>10.1} ms", seconds * 1000.0);
    [
        format!("{} on {}, median of {} rounds", report.model, report.device, report.rounds),
        line("load", report.load_seconds),
        line("log-mel, 30 s", report.mel_30s_seconds),
        line("encoder, 30 s", report.encoder_seconds),
        line("100 tokens, greedy", report.greedy_100_tokens_seconds),
    ]
    .join("\n")
}
