//! `detect-language`: which language is spoken, and how sure the model is.

use std::path::Path;
use std::sync::atomic::AtomicBool;

use amanuensis::audio::OpenOptions;
use amanuensis::tokens::languages;
use amanuensis::{Control, Engine, Event, Options};
use anyhow::Context;
use serde::Serialize;

use super::{FAILED, Stop, load, sound, wish};
use crate::args::{DetectLanguage, ProgressStyle};
use crate::console::{self, say};
use crate::interrupt::{self, INTERRUPTED};
use crate::panics;
use crate::progress::Progress;

/// Languages that a person is shown.
const SHOWN: usize = 5;

/// The answer for one file, as programs read it.
#[derive(Serialize)]
struct Answer<'a> {
    file: &'a str,
    /// Code of the most probable language; none where there is no sound to judge by.
    language: Option<&'a str>,
    languages: Vec<Candidate<'a>>,
}

/// A language and how probable it is.
#[derive(Serialize)]
struct Candidate<'a> {
    code: &'a str,
    /// English name, where the language has one.
    name: Option<&'static str>,
    probability: f32,
}

pub(super) fn run(asked: &DetectLanguage) -> Result<u8, Stop> {
    let open = sound::options_for_one(&asked.sound)?;
    let options = Options { detection: wish::detection(&asked.detection), ..Options::default() };
    let cancel = interrupt::listen();
    let engine = load::engine(&asked.model, ProgressStyle::Auto)?;
    let mut failed = false;
    for input in &asked.inputs {
        if interrupt::asked() {
            return Ok(INTERRUPTED);
        }
        let name = sound::name(input);
        match panics::caught(&name, || detect(&engine, input, &open, &options, cancel)) {
            Ok(found) => print(&name, &found, asked.json)?,
            Err(_) if interrupt::asked() => return Ok(INTERRUPTED),
            Err(error) => {
                say!("error: {error:#}");
                failed = true;
            }
        }
    }
    Ok(if failed { FAILED } else { 0 })
}

fn detect(
    engine: &Engine,
    input: &Path,
    open: &OpenOptions,
    options: &Options,
    cancel: &AtomicBool,
) -> anyhow::Result<Vec<(String, f32)>> {
    let recording = sound::open(input, open, &mut Progress::new(ProgressStyle::Off))?;
    for warning in recording.warnings() {
        say!("warning: {}: {warning}", sound::name(input));
    }
    let mut unwatched = |_: Event<'_>| {};
    let mut control = Control::with(cancel, &mut unwatched);
    engine.detect_language(&recording, options, &mut control).with_context(|| sound::name(input))
}

fn print(file: &str, found: &[(String, f32)], json: bool) -> Result<(), Stop> {
    if json {
        let languages = found.iter();
        let languages = languages.map(|(code, probability)| Candidate {
            code,
            name: languages::name_of(code),
            probability: *probability,
        });
        let language = found.first().map(|(code, _)| code.as_str());
        let answer = Answer { file, language, languages: languages.collect() };
        let line = serde_json::to_string(&answer).context("the answer cannot be written as JSON")?;
        return Ok(console::print(format_args!("{line}"))?);
    }
    console::print(format_args!("{}", console::visible(file)))?;
    if found.is_empty() {
        console::print(format_args!("  no sound to judge by"))?;
    }
    for (code, probability) in found.iter().take(SHOWN) {
        let (percent, name) = (100.0 * probability, languages::name_of(code).unwrap_or(""));
        console::print(format_args!("  {percent:5.1}%  {code:4} {name}"))?;
    }
    Ok(())
}
