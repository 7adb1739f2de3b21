//! `eval`: recordings whose text is known, transcribed and compared with it.

mod encoder;

use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use amanuensis::audio::{OpenOptions, Recording};
use amanuensis::{Control, Engine, Event, Options, Outcome};
use anyhow::{Context, bail};

use super::{FAILED, Stop, load, sound, wish};
use crate::args::{Eval, NormalizerName, ProgressStyle, Task};
use crate::console::{self, say};
use crate::evaluation::against::Beside;
use crate::evaluation::manifest::{self, Entry};
use crate::evaluation::measure::{Comparison, Cost, Evaluation, Failed, Measured, measure};
use crate::evaluation::memory::peak_resident_bytes;
use crate::evaluation::normalize::{Normalizer, Spelling};
use crate::evaluation::report;
use crate::interrupt::{self, INTERRUPTED};
use crate::panics;
use crate::pattern;
use crate::progress::{Progress, Stage};

pub(super) fn run(asked: &Eval) -> Result<u8, Stop> {
    let options = wish::options(Task::Transcribe, &asked.wish)?;
    let open = sound::options_for_one(&asked.sound)?;
    let spelling = match &asked.spelling {
        Some(path) => Spelling::table(path)?,
        None => Spelling::rules(),
    };
    let (folder, entries) = manifest::read(&asked.manifest)?;
    let chosen = |entry: &Entry| asked.only.as_deref().is_none_or(|pattern| pattern::fits(pattern, &entry.name()));
    let entries: Vec<Entry> = entries.into_iter().filter(chosen).take(asked.limit.unwrap_or(usize::MAX)).collect();
    if entries.is_empty() {
        let manifest = asked.manifest.display();
        return Err(Stop::Usage(format!("nothing to evaluate: no file of {manifest} fits --only and --limit")));
    }
    let cancel = interrupt::listen();
    let engine = load::engine(&asked.model)?;
    let other = asked.against.map(|compute| load::engine_beside(&asked.model, compute)).transpose()?;
    let progress = Progress::new(ProgressStyle::Auto);
    let mut run = Run { asked, options, open, spelling, engine, other, cancel, progress };
    let (mut files, mut failed) = (Vec::new(), Vec::new());
    for entry in &entries {
        if interrupt::asked() {
            break;
        }
        match panics::caught(&entry.name(), || run.file(&folder, entry)) {
            Ok(measured) => files.push(measured),
            Err(_) if interrupt::asked() => break,
            Err(error) => {
                say!("error: {error:#}");
                failed.push(Failed { file: entry.name(), error: format!("{error:#}") });
            }
        }
    }
    let interrupted = interrupt::asked();
    if interrupted {
        say!("stopped after {} of {} files; the figures are of those", files.len(), entries.len());
    }
    let against = asked.against.map(|other| (asked.model.computing.compute_type, other));
    let evaluation = Evaluation::new(run.engine.model_name(), &run.spelling, against, files, failed);
    if asked.json {
        let json = serde_json::to_string(&evaluation).context("the evaluation cannot be written as JSON")?;
        console::print(format_args!("{json}"))?;
    } else {
        console::print(format_args!("{}", report::table(&evaluation)))?;
    }
    let refused = asked.gate && evaluation.gate.as_ref().is_some_and(|gate| !gate.passed);
    Ok(match () {
        () if interrupted => INTERRUPTED,
        () if evaluation.failed.is_empty() && !refused => 0,
        () => FAILED,
    })
}

/// What stays the same from file to file.
struct Run<'a> {
    asked: &'a Eval,
    options: Options,
    open: OpenOptions,
    spelling: Spelling,
    engine: Engine,
    /// The same model computed otherwise, to be set beside the first.
    other: Option<Engine>,
    cancel: &'a AtomicBool,
    progress: Progress,
}

impl Run<'_> {
    fn file(&mut self, folder: &Path, entry: &Entry) -> anyhow::Result<Measured> {
        let name = entry.name();
        let translate = self.options.task == amanuensis::Task::Translate;
        let reference = reference(entry, translate)?;
        let begun = Instant::now();
        let recording = sound::open(&folder.join(&entry.file), &self.open, &mut self.progress)?;
        let mut options = self.options.clone();
        if options.language.is_none() && !self.asked.detect_language {
            options.language.clone_from(&entry.language);
        }
        let outcome = transcribe(&self.engine, &recording, &options, (&name, self.cancel, &mut self.progress))?;
        let cost = Cost::new(recording.duration(), begun.elapsed().as_secs_f64());
        let beside = match &self.other {
            Some(other) => {
                let beside = transcribe(other, &recording, &options, (&name, self.cancel, &mut self.progress))?;
                let models = (self.engine.model(), other.model());
                let cosines = encoder::cosines(models, &recording, options.mel, self.cancel);
                Some((beside, cosines.with_context(|| name.clone())?))
            }
            None => None,
        };
        let compared = |outcome: &Outcome| {
            let compared = Comparison {
                entry,
                reference,
                transcript: &outcome.transcript,
                normalizer: self.normalizer(entry, translate, &outcome.transcript.language),
                spelling: &self.spelling,
            };
            let warnings = recording.warnings().iter().chain(&outcome.warnings).cloned().collect();
            measure(&compared, cost, peak_resident_bytes(), warnings)
        };
        let against = beside
            .map(|(beside, cosines)| Beside::new(&outcome.transcript, &beside.transcript, compared(&beside), cosines));
        Ok(Measured { against, ..compared(&outcome) })
    }

    /// The normaliser asked for, or that of the language the text is in.
    fn normalizer(&self, entry: &Entry, translate: bool, heard_in: &str) -> Normalizer {
        let language = if translate { "en" } else { entry.language.as_deref().unwrap_or(heard_in) };
        match self.asked.normalizer {
            None => Normalizer::of(language),
            Some(NormalizerName::English) => Normalizer::English,
            Some(NormalizerName::Basic) => Normalizer::basic(language),
            Some(NormalizerName::None) => Normalizer::None,
        }
    }
}

/// Transcribes a recording and shows how far it has come; `name` is what messages call it.
fn transcribe(
    engine: &Engine,
    recording: &Recording,
    options: &Options,
    (name, cancel, progress): (&str, &AtomicBool, &mut Progress),
) -> anyhow::Result<Outcome> {
    progress.begin(name, Stage::Transcribe);
    let mut on_event = |event: Event<'_>| {
        if let Event::Progress { processed, total } = event {
            progress.update(processed, Some(total));
        }
    };
    let outcome = engine.transcribe(recording, options, &mut Control::with(cancel, &mut on_event));
    progress.end();
    outcome.with_context(|| name.to_owned())
}

/// What the text is compared with.
fn reference(entry: &Entry, translate: bool) -> anyhow::Result<&str> {
    let text = entry.text.as_deref().unwrap_or_default();
    if !translate || text.is_empty() {
        return Ok(text);
    }
    match (&entry.translation, entry.language.as_deref()) {
        (Some(translation), _) => Ok(translation),
        (None, Some("en")) => Ok(text),
        (None, _) => bail!(
            "{}: its line in the manifest has no `translation` that English text could be compared with",
            entry.name()
        ),
    }
}
