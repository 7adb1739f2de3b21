//! `transcribe` and `translate`: sound files in, text out, one after another; one that fails does not stop the rest.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use amanuensis::audio::OpenOptions;
use amanuensis::backend::{self, StageTime};
use amanuensis::mel::Convention;
use amanuensis::tokens::languages;
use amanuensis::{Control, Engine, Event, Options, Outcome, text};
use anyhow::Context;

use super::{CLOSED_PIPE, FAILED, Stop, load, sound};
use crate::args::{Decoding, MelConvention, Task, Transcribe};
use crate::console::{self, say};
use crate::interrupt::{self, INTERRUPTED};
use crate::outputs::{self, Target};
use crate::panics;
use crate::progress::{Progress, Stage};
use crate::timings::{self, Timings};
use crate::values::Language;

pub(super) fn run(verb: Task, asked: &Transcribe) -> Result<u8, Stop> {
    let progress = Progress::new(asked.report.progress); // first, for it says how refusals are told
    let options = options(verb, &asked.decoding)?;
    let open = sound::options(&asked.sound)?;
    let targets = outputs::plan(&asked.inputs, &asked.output).map_err(Stop::Usage)?;
    let writes_data = targets.iter().any(|target| matches!(target, Target::StandardOutput(_)));
    let verbose = asked.output.verbose.unwrap_or(!writes_data);
    if writes_data && verbose {
        return Err(Stop::Usage("--verbose and `--output-dir -` would both use standard output".to_owned()));
    }
    if !verbose && asked.report.timings.is_none() && targets.contains(&Target::Nothing) {
        let advice = "add --output-format or --output-dir to write files, or --timings, or leave --verbose on";
        return Err(Stop::Usage(format!("nothing would be written; {advice}")));
    }
    outputs::prepare(&targets)?;
    let cancel = interrupt::listen();
    let engine = load::engine(&asked.model)?;
    if interrupt::asked() {
        say!("stopped before any sound was read");
        return Ok(INTERRUPTED);
    }
    let mut run = Run { asked, options, open, verbose, engine, cancel, progress, closed: false };
    let mut failures: Vec<(String, String)> = Vec::new();
    let mut succeeded = 0;
    for (input, target) in asked.inputs.iter().zip(&targets) {
        if interrupt::asked() {
            break;
        }
        match run.file_or_panic(input, target) {
            Ok(()) => succeeded += 1,
            Err(_) if interrupt::asked() => {}
            Err(error) => failures.push((sound::name(input), format!("{error:#}"))),
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
fn summarise(count: usize, succeeded: usize, failures: &[(String, String)]) {
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

/// What the engine is asked to do.
pub(super) fn options(verb: Task, asked: &Decoding) -> Result<Options, Stop> {
    let task = match (verb, asked.task) {
        (Task::Translate, Some(Task::Transcribe)) => {
            return Err(Stop::Usage("`translate` and `--task transcribe` contradict each other".to_owned()));
        }
        (Task::Translate, _) | (_, Some(Task::Translate)) => amanuensis::Task::Translate,
        _ => amanuensis::Task::Transcribe,
    };
    Ok(Options {
        task,
        language: asked.language.0.clone().map(|Language(code)| code),
        timestamps: !asked.without_timestamps,
        initial_prompt: asked.initial_prompt.clone(),
        condition_on_previous_text: asked.condition_on_previous_text,
        suppress_tokens: asked.suppress_tokens.clone().map(|list| list.0),
        suppress_blank: asked.suppress_blank,
        no_speech_threshold: asked.no_speech_threshold.0,
        logprob_threshold: asked.logprob_threshold.0,
        clips: asked.clip_timestamps.0.clone(),
        mel: match asked.mel_convention {
            MelConvention::Openai => Convention::OpenAi,
            MelConvention::Huggingface => Convention::HuggingFace,
        },
    })
}

/// What stays the same from file to file.
struct Run<'a> {
    asked: &'a Transcribe,
    options: Options,
    open: OpenOptions,
    /// Whether segments are printed as they come.
    verbose: bool,
    engine: Engine,
    cancel: &'a AtomicBool,
    progress: Progress,
    /// Whether the reader of standard output went away.
    closed: bool,
}

impl Run<'_> {
    /// One input from sound to files; a failure is told at once, a panic becomes one.
    fn file_or_panic(&mut self, input: &Path, target: &Target) -> anyhow::Result<()> {
        let name = sound::name(input);
        if self.asked.inputs.len() > 1 && self.verbose {
            say!("{name}:");
        }
        let result = panics::caught(&name, || self.file(&name, input, target));
        let error = result.as_ref().err().map(|error| format!("{error:#}"));
        self.progress.file_done(&name, error.as_deref());
        if let Some(error) = error
            && !interrupt::asked()
        {
            say!("error: {error}");
        }
        result
    }

    fn file(&mut self, name: &str, input: &Path, target: &Target) -> anyhow::Result<()> {
        let begun = Instant::now();
        let recording = match sound::open(input, &self.open, &mut self.progress) {
            Err(error) if interrupt::asked() => {
                say!("{name}: stopped while reading{}", unwritten(target));
                return Err(error.into());
            }
            opened => opened?,
        };
        for warning in recording.warnings() {
            say!("warning: {name}: {warning}");
        }
        let reading = begun.elapsed();
        let mut processed = 0.0;
        let outcome = self.transcribe(name, &recording, target, &mut processed);
        self.progress.end();
        let outcome = match outcome {
            Err(_) if interrupt::asked() && !self.closed => {
                let (done, all) = (processed, recording.duration());
                say!("{name}: stopped after {done:.1} of {all:.1} seconds{}", unwritten(target));
                return outcome.map(drop);
            }
            outcome => outcome.with_context(|| name.to_owned())?,
        };
        for warning in &outcome.warnings {
            say!("warning: {name}: {warning}");
        }
        let begun_writing = Instant::now();
        self.write(name, target, &outcome)?;
        if let Some(style) = self.asked.report.timings {
            let writing = begun_writing.elapsed();
            timings::report(style, &timings_of(name, &outcome, reading, writing, begun.elapsed()));
        }
        Ok(())
    }

    fn transcribe(
        &mut self,
        name: &str,
        recording: &amanuensis::audio::Recording,
        target: &Target,
        processed: &mut f64,
    ) -> anyhow::Result<Outcome> {
        self.progress.begin(name, Stage::Transcribe);
        let Run { progress, verbose, closed, options, .. } = self;
        let mut unwritten = None;
        let mut on_event = |event: Event<'_>| match event {
            Event::Progress { processed: seconds, total } => {
                *processed = seconds;
                progress.update(seconds, Some(total));
            }
            Event::Segment(segment) if *verbose && !*closed && !segment.text.trim().is_empty() => {
                let printed = text::line(segment).and_then(|line| console::print(format_args!("{line}")));
                match printed {
                    Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => {
                        *closed = true;
                        if *target == Target::Nothing {
                            interrupt::ask(); // nobody reads and nothing is kept
                        }
                    }
                    Err(error) => unwritten = Some(error),
                    Ok(()) => {}
                }
            }
            Event::Language([(code, probability), ..]) if *verbose => {
                let percent = 100.0 * probability;
                say!("{name}: language {code} ({}), {percent:.1}% sure", languages::name_of(code).unwrap_or("no name"));
            }
            _ => {}
        };
        let outcome = self.engine.transcribe(recording, options, &mut Control::with(self.cancel, &mut on_event));
        match unwritten {
            Some(error) => Err(anyhow::Error::new(error).context("cannot write to standard output")),
            None => Ok(outcome?),
        }
    }

    fn write(&mut self, name: &str, target: &Target, outcome: &Outcome) -> anyhow::Result<()> {
        match target {
            Target::Nothing => {}
            Target::StandardOutput(format) => {
                let data = text::to_string(*format, &outcome.transcript).with_context(|| name.to_owned())?;
                match console::print_data(data.as_bytes()) {
                    Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => self.closed = true,
                    printed => printed.context("cannot write to standard output")?,
                }
            }
            Target::Files(files) => {
                outputs::write_files(files, &outcome.transcript)?;
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

/// The engine's receipt with the reading before it and the writing after it.
fn timings_of(name: &str, outcome: &Outcome, reading: Duration, writing: Duration, all: Duration) -> Timings {
    let mut receipt = outcome.receipt.clone();
    receipt.add(backend::Stage::Decode, reading);
    let mut stages = receipt.stages();
    stages.push(StageTime { stage: "write text".to_owned(), seconds: writing.as_secs_f64(), count: 1 });
    Timings {
        event: "timings",
        file: name.to_owned(),
        devices: receipt.devices().to_vec(),
        audio_seconds: outcome.transcript.duration,
        seconds: all.as_secs_f64(),
        windows: receipt.windows,
        tokens: receipt.tokens,
        stages,
    }
}
