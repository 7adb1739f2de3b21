//! `bench`: how long a model takes here for a fixed piece of work.
//!
//! The work does not depend on what is said, so that a model of random weights serves: one window through the encoder,
//! and a hundred tokens, the most probable each time but never the end; with a beam; and for four windows together.

use std::sync::atomic::AtomicBool;
use std::time::Instant;

use amanuensis::audio::{Recording, SAMPLE_RATE};
use amanuensis::backend::cpu::Cpu;
use amanuensis::backend::{Availability, Backend, BackendError, Encoded, Model, Work};
use amanuensis::decoding::{self, Item, Prompt, Request, Resort, Rules, Search, Thresholds};
use amanuensis::mel::{Convention, Mel, Spectrogram, WINDOW_FRAMES};
use amanuensis::model::{self, ModelFile, Source};
use anyhow::Context;
use serde::Serialize;

use super::{Stop, load};
use crate::args::Bench;
use crate::console;

/// Tokens behind the prompt.
const TOKENS: usize = 100;
/// Hypotheses of the beam.
const BEAMS: usize = 5;
/// Windows of the batch.
const WINDOWS: usize = 4;

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
    /// The same with a beam of five.
    beam_5_100_tokens_seconds: f64,
    /// The same, greedily, for four windows together: a hundred tokens for each.
    batch_4_100_tokens_seconds: f64,
}

static NEVER: AtomicBool = AtomicBool::new(false);

pub(super) fn run(asked: &Bench) -> Result<u8, Stop> {
    let source = Source::resolve(load::name(&asked.model)).map_err(anyhow::Error::new)?;
    let backend = Cpu::new(asked.model.computing.threads.0, asked.model.computing.compute_type);
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
    let mut times = [const { Vec::new() }; 5];
    // One round more than are counted: the first one warms caches and wakes threads.
    for round in 0..=rounds {
        let mut lap = |index: usize, since: Instant| {
            if round > 0 {
                times[index].push(since.elapsed().as_secs_f64());
            }
            Instant::now()
        };
        let since = Instant::now();
        let mel: Mel = spectrogram.window(0, WINDOW_FRAMES, WINDOW_FRAMES)?;
        let since = lap(0, since);
        let mut work = Work::new(&NEVER);
        let encoded = model.encode(&[mel], &mut work)?;
        let since = lap(1, since);
        decode(model, file, &encoded, None, &mut work)?;
        let since = lap(2, since);
        decode(model, file, &encoded, Some(BEAMS), &mut work)?;
        lap(3, since);
        let windows = Encoded { windows: WINDOWS, values: encoded.values.repeat(WINDOWS) };
        let since = Instant::now();
        decode(model, file, &windows, None, &mut work)?;
        lap(4, since);
    }
    let [mel, encoder, greedy, beam, batch] = times.map(median);
    let (Availability::Ready(device) | Availability::Absent(device)) = backend.probe();
    Ok(Report {
        model: file.name.clone(),
        device,
        rounds,
        load_seconds,
        mel_30s_seconds: mel,
        encoder_seconds: encoder,
        greedy_100_tokens_seconds: greedy,
        beam_5_100_tokens_seconds: beam,
        batch_4_100_tokens_seconds: batch,
    })
}

/// The keys and values of the encoded windows, their prompts, and a hundred tokens for each.
fn decode(
    model: &dyn Model,
    file: &ModelFile,
    encoded: &Encoded,
    beam_size: Option<usize>,
    work: &mut Work<'_>,
) -> Result<(), BackendError> {
    let special = file.tokenizer.special();
    let language = special.languages.first().map(|language| language.1);
    let request = Request { language, task: special.transcribe, timestamps: false };
    let prompt = Prompt::new(special, request, &[], &[], file.dims.text_context);
    // No window ends early, none is tried again.
    let rules = Rules::new(vec![special.end_of_text], Vec::new());
    let search = Search {
        temperatures: vec![0.0],
        beam_size,
        max_new_tokens: Some(TOKENS),
        stop_loops: false,
        ..Search::default()
    };
    let thresholds = Thresholds { compression_ratio: None, logprob: None, no_speech: None, entropy: None };
    let item = |window: usize| Item {
        window,
        prompt: &prompt,
        rules: &rules,
        search: &search,
        thresholds: &thresholds,
        resort: Resort::Last,
        place: 0,
    };
    let items: Vec<Item<'_>> = (0..encoded.windows).map(item).collect();
    let mut decoding = model.begin(encoded, work)?;
    decoding::decode(&mut *decoding, &items, &file.tokenizer, work)?;
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
        line("100 tokens, beam 5", report.beam_5_100_tokens_seconds),
        line("4 x 100 tokens together", report.batch_4_100_tokens_seconds),
    ]
    .join("\n")
}
