//! `transcribe` and `translate`: sound files in, text out, one after another, the next read meanwhile; one that fails does
//! not stop the rest.

use std::cell::RefCell;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use amanuensis::audio::Recording;
use amanuensis::backend;
use amanuensis::text::{JsonDialect, Writing};
use amanuensis::{Control, Crew, Engine, Event, Job, Options, Outcome, merge_channels};
use anyhow::Context;

use super::reader::Reader;
use super::watcher::{Watcher, channel_name};
use super::{CLOSED_PIPE, FAILED, Stop, load, sound, wish};
use crate::args::{Task, Transcribe};
use crate::console::{self, say};
use crate::interrupt::{self, INTERRUPTED};
use crate::outputs::{self, Target};
use crate::panics;
use crate::progress::{Progress, Stage};
use crate::timings::{self, Timings};

pub(super) fn run(verb: Task, asked: &Transcribe) -> Result<u8, Stop> {
    let progress = Progress::new(asked.report.progress); // first, for it says how refusals are told
    let options = wish::options(verb, &asked.wish)?;
    let open = sound::options(&asked.sound)?;
    let targets = outputs::plan(&asked.inputs, &asked.output.files).map_err(Stop::Usage)?;
    let writes_data = targets.iter().any(|target| matches!(target, Target::StandardOutput(_)));
    let verbose = asked.output.verbose.unwrap_or(!writes_data);
    if writes_data && verbose {
        return Err(Stop::Usage("--verbose and `--output-dir -` would both use standard output".to_owned()));
    }
    if !verbose && asked.report.timings.is_none() && targets.contains(&Target::Nothing) {
        let advice = "add --output-format or --output-dir to write files, or --timings, or leave --verbose on";
        return Err(Stop::Usage(format!("nothing would be written; {advice}")));
    }
    let writing = outputs::writing(&asked.output.looks, &targets);
    outputs::refuse_without_words(&writing, &targets, asked.wish.words.word_timestamps).map_err(Stop::Usage)?;
    outputs::prepare(&targets)?;
    let cancel = interrupt::listen();
    let engine = load::engine(&asked.model, asked.report.progress)?;
    if interrupt::asked() {
        say!("stopped before any sound was read");
        return Ok(INTERRUPTED);
    }
    let reader = Reader::new(asked.inputs.clone(), open)?;
    let mut run = Run { asked, options, reader, writing, verbose, engine, cancel, progress, closed: false };
    let mut failures: Vec<(String, String)> = Vec::new();
    let mut succeeded = 0;
    // What is decoded together is read together; otherwise one input after the other.
    let together = if asked.wish.batch.batched { asked.wish.batch.batch_size.get() } else { 1 };
    let inputs: Vec<(&Path, &Target)> = asked.inputs.iter().map(PathBuf::as_path).zip(&targets).collect();
    // Who asked for one thread gets one: what is next waits.
    let ahead = Crew::new(asked.model.computing.threads.0).threads() > NonZeroUsize::MIN;
    let groups: Vec<_> = inputs.chunks(together).collect();
    for (place, group) in groups.iter().enumerate() {
        if interrupt::asked() {
            break;
        }
        if place == 0 || !ahead {
            run.reader.allow(group.len());
        }
        let next = groups.get(place + 1).filter(|_| ahead).map_or(0, |next| next.len());
        for ((input, _), result) in group.iter().zip(run.group(group, next)) {
            match result {
                Ok(()) => succeeded += 1,
                Err(_) if interrupt::asked() => {}
                Err(error) => failures.push((sound::name(input), format!("{error:#}"))),
            }
        }
    }
    summarise(asked.inputs.len(), succeeded, &failures);
    Ok(match () {
        () if run.closed => CLOSED_PIPE,
        () if interrupt::asked() => INTERRUPTED,
        () if succeeded == asked.inputs.len() => 0,
        () => FAILED,
    })
}

/// Where several files were asked for and not all of them came out, what became of each.
pub(super) fn summarise(count: usize, succeeded: usize, failures: &[(String, String)]) {
    if count == 1 || succeeded == count {
        return;
    }
    let untouched = count - succeeded - failures.len();
    let rest = if untouched > 0 { format!(", {untouched} not finished") } else { String::new() };
    say!("{succeeded} of {count} inputs succeeded, {} failed{rest}", failures.len());
    for (name, error) in failures {
        say!("  {name}: {}", error.strip_prefix(&format!("{name}: ")).unwrap_or(error));
    }
}

/// What stays the same from file to file.
struct Run<'a> {
    asked: &'a Transcribe,
    options: Options,
    reader: Reader,
    writing: Writing,
    /// Whether segments are printed as they come.
    verbose: bool,
    engine: Engine,
    cancel: &'a AtomicBool,
    progress: Progress,
    /// Whether the reader of standard output went away.
    closed: bool,
}

/// An input whose sound was read: one recording, or one for each channel.
struct Opened {
    name: String,
    recordings: Vec<Recording>,
    /// How long it was waited for.
    reading: Duration,
}

impl Run<'_> {
    /// Inputs that are decoded together, from sound to files; a failure is told at once, a panic becomes one. So many that are
    /// next are read meanwhile.
    fn group(&mut self, inputs: &[(&Path, &Target)], next: usize) -> Vec<anyhow::Result<()>> {
        let begun = Instant::now();
        let opened: Vec<anyhow::Result<Opened>> =
            inputs.iter().map(|(input, target)| self.open(input, target)).collect();
        self.reader.allow(next);
        let targets = inputs.iter().map(|(_, target)| *target);
        let readable: Vec<(&Opened, &Target)> =
            opened.iter().zip(targets).filter_map(|(opened, target)| Some((opened.as_ref().ok()?, target))).collect();
        let mut outcomes = self.transcribe(&readable).into_iter();
        if let Some(style) = self.asked.report.timings {
            let reading = readable.iter().map(|(opened, _)| opened.reading).sum();
            if let Some(timings) = timings_of(&readable, outcomes.as_slice(), reading, begun.elapsed()) {
                timings::report(style, &timings);
            }
        }
        let mut results = Vec::with_capacity(inputs.len());
        for (opened, (input, target)) in opened.into_iter().zip(inputs) {
            let name = sound::name(input);
            let result = opened.and_then(|_| match outcomes.next() {
                Some(outcome) => panics::caught(&name, || self.finish(&name, target, outcome?)),
                None => Err(anyhow::anyhow!("{name}: there is no transcript of it")),
            });
            let error = result.as_ref().err().map(|error| format!("{error:#}"));
            self.progress.file_done(&name, error.as_deref());
            if let Some(error) = error
                && !interrupt::asked()
            {
                say!("error: {error}");
            }
            results.push(result);
        }
        results
    }

    fn open(&mut self, input: &Path, target: &Target) -> anyhow::Result<Opened> {
        let name = sound::name(input);
        if interrupt::asked() {
            anyhow::bail!("{name}: not read");
        }
        let begun = Instant::now();
        let recordings = self.reader.next(input, &mut self.progress);
        if recordings.is_err() && interrupt::asked() {
            say!("{name}: stopped while reading{}", unwritten(target));
        }
        let recordings = recordings?;
        for warning in recordings.first().map_or(&[][..], Recording::warnings) {
            say!("warning: {name}: {warning}");
        }
        Ok(Opened { name, recordings, reading: begun.elapsed() })
    }

    /// Transcribes what was opened, all of it together.
    fn transcribe(&mut self, opened: &[(&Opened, &Target)]) -> Vec<anyhow::Result<Outcome>> {
        let Some((first, _)) = opened.first() else { return Vec::new() };
        let several = self.asked.inputs.len() > 1;
        let name = if let [(only, _)] = opened { only.name.clone() } else { format!("{} files", opened.len()) };
        if several && self.verbose && opened.len() == 1 {
            say!("{}:", first.name);
        }
        self.progress.begin(&name, Stage::Transcribe);
        let count = opened.iter().map(|(opened, _)| opened.recordings.len()).sum();
        let watcher = RefCell::new(Watcher {
            progress: &mut self.progress,
            verbose: self.verbose,
            closed: self.closed,
            labelled: opened.len() > 1,
            processed: vec![0.0; count],
            total: opened.iter().flat_map(|(opened, _)| &opened.recordings).map(Recording::duration).sum(),
            unprinted: None,
        });
        let places = opened.iter().enumerate().flat_map(|(file, (opened, target))| {
            opened
                .recordings
                .iter()
                .enumerate()
                .map(move |(channel, recording)| (file, *opened, *target, channel, recording))
        });
        let mut listeners: Vec<_> = places
            .enumerate()
            .map(|(job, (file, opened, target, channel, recording))| {
                let split = (opened.recordings.len() > 1).then(|| channel_name(channel, opened.recordings.len()));
                let watcher = &watcher;
                let listen = move |event: Event<'_>| {
                    watcher.borrow_mut().hear(job, &opened.name, target, split.as_deref(), event);
                };
                (file, recording, listen)
            })
            .collect();
        let mut jobs: Vec<Job<'_>> = listeners
            .iter_mut()
            .map(|(_, recording, listen)| Job {
                recording,
                options: &self.options,
                control: Control::with(self.cancel, listen),
            })
            .collect();
        let together = self.options.batch.unwrap_or(NonZeroUsize::MIN);
        let results = panics::caught(&name, || Ok(self.engine.transcribe_many(&mut jobs, together, self.cancel)));
        drop(jobs);
        let files: Vec<usize> = listeners.iter().map(|(file, ..)| *file).collect();
        drop(listeners);
        let watcher = watcher.into_inner();
        let (unprinted, processed) = (watcher.unprinted, watcher.processed);
        self.closed = watcher.closed;
        self.progress.end();
        let results = match (results, unprinted) {
            (_, Some(error)) => Err(anyhow::Error::new(error).context("cannot write to standard output")),
            (results, None) => results,
        };
        let results = match results {
            Ok(results) => results,
            Err(error) => {
                let error = format!("{error:#}");
                return opened.iter().map(|_| Err(anyhow::anyhow!(error.clone()))).collect();
            }
        };
        let mut of_files: Vec<Vec<Result<Outcome, amanuensis::Error>>> = opened.iter().map(|_| Vec::new()).collect();
        for (file, result) in files.iter().zip(results) {
            of_files[*file].push(result);
        }
        let mut outcomes = Vec::with_capacity(opened.len());
        for (file, (channels, (opened, target))) in of_files.into_iter().zip(opened).enumerate() {
            let outcome = whole(&opened.name, channels);
            if outcome.is_err() && interrupt::asked() && !self.closed {
                let all: f64 = opened.recordings.iter().map(Recording::duration).sum();
                let done: f64 = files.iter().zip(&processed).filter(|(of, _)| **of == file).map(|(_, done)| done).sum();
                say!("{}: stopped after {done:.1} of {all:.1} seconds{}", opened.name, unwritten(target));
            }
            outcomes.push(outcome);
        }
        outcomes
    }

    /// Tells what could not be done as asked, and writes.
    fn finish(&mut self, name: &str, target: &Target, mut outcome: Outcome) -> anyhow::Result<()> {
        for warning in &outcome.warnings {
            say!("warning: {name}: {warning}");
        }
        if target.has_json() && self.writing.dialect == JsonDialect::Native {
            outcome.transcript.provenance = Some(self.engine.provenance(&outcome, &self.options));
        }
        self.write(name, target, &outcome)
    }

    fn write(&mut self, name: &str, target: &Target, outcome: &Outcome) -> anyhow::Result<()> {
        match target {
            Target::Nothing => {}
            Target::StandardOutput(format) => {
                let data = self.writing.to_string(*format, &outcome.transcript).with_context(|| name.to_owned())?;
                match console::print_data(data.as_bytes()) {
                    Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => self.closed = true,
                    printed => printed.context("cannot write to standard output")?,
                }
            }
            Target::Files(files) => {
                outputs::write_files(files, &outcome.transcript, &self.writing)?;
                if self.verbose {
                    let paths: Vec<String> =
                        files.iter().map(|(_, path): &(_, PathBuf)| path.display().to_string()).collect();
                    say!("{name}: wrote {}", paths.join(", "));
                }
            }
        }
        Ok(())
    }
}

/// What to say of the output of an input that was not finished. Segments that were printed are on the screen.
fn unwritten(target: &Target) -> &'static str {
    match target {
        Target::Nothing => "",
        Target::StandardOutput(_) => "; nothing was written for it",
        Target::Files(_) => "; no file was written for it",
    }
}

/// One outcome of all channels of an input.
fn whole(name: &str, channels: Vec<Result<Outcome, amanuensis::Error>>) -> anyhow::Result<Outcome> {
    let channels: Result<Vec<Outcome>, _> = channels.into_iter().collect();
    let mut channels = channels.with_context(|| name.to_owned())?;
    let whole = if channels.len() == 1 { channels.pop() } else { merge_channels(channels) };
    whole.with_context(|| format!("{name}: it has no channels"))
}

/// The engine's receipt with the reading before it: of all that was decoded together.
fn timings_of(
    opened: &[(&Opened, &Target)],
    outcomes: &[anyhow::Result<Outcome>],
    reading: Duration,
    all: Duration,
) -> Option<Timings> {
    let mut receipt = outcomes.iter().flatten().next()?.receipt.clone();
    receipt.add(backend::Stage::Decode, reading);
    let names: Vec<&str> = opened.iter().map(|(opened, _)| opened.name.as_str()).collect();
    Some(Timings {
        event: "timings",
        file: names.join(", "),
        devices: receipt.devices().to_vec(),
        placement: receipt.placement.clone(),
        audio_seconds: outcomes.iter().flatten().map(|outcome| outcome.transcript.duration).sum(),
        seconds: all.as_secs_f64(),
        windows: receipt.windows,
        positions: receipt.positions,
        tokens: receipt.tokens,
        stages: receipt.stages(),
        beside_seconds: receipt.beside.as_secs_f64(),
    })
}
