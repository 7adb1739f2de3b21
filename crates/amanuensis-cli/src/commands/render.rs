//! `render`: transcripts that were made before in other formats, without the model; one that fails does not stop the
//! rest.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use amanuensis::segments::Transcript;
use amanuensis::text::{self, Writing};
use anyhow::{Context, bail};

use super::{CLOSED_PIPE, FAILED, Stop, sound, transcribe};
use crate::args::Render;
use crate::console::{self, say};
use crate::interrupt::{self, INTERRUPTED};
use crate::outputs::{self, STANDARD_STREAM, Target};
use crate::panics;

/// Bytes of the largest transcript that is read: more than two hundred hours with words. Read, it takes some ten times
/// as much memory.
const LARGEST: u64 = 1 << 28;

pub(super) fn run(asked: &Render) -> Result<u8, Stop> {
    let targets = outputs::plan(&asked.inputs, &asked.files).map_err(Stop::Usage)?;
    if targets.contains(&Target::Nothing) {
        return Err(Stop::Usage("nothing would be written; add --output-format, for example `-f srt`".to_owned()));
    }
    let writing = outputs::writing(&asked.looks, &targets);
    outputs::prepare(&targets)?;
    interrupt::listen();
    let mut failures: Vec<(String, String)> = Vec::new();
    let mut succeeded = 0;
    for (input, target) in asked.inputs.iter().zip(&targets) {
        if interrupt::asked() {
            break;
        }
        let name = sound::name(input);
        match panics::caught(&name, || render(&name, input, target, &writing)) {
            Ok(()) => succeeded += 1,
            Err(error) if closes_the_pipe(&error) => return Ok(CLOSED_PIPE),
            Err(error) => {
                say!("error: {error:#}");
                failures.push((name, format!("{error:#}")));
            }
        }
    }
    transcribe::summarise(asked.inputs.len(), succeeded, &failures);
    Ok(match () {
        () if succeeded == asked.inputs.len() => 0,
        () if interrupt::asked() => INTERRUPTED,
        () => FAILED,
    })
}

fn render(name: &str, input: &Path, target: &Target, writing: &Writing) -> anyhow::Result<()> {
    let bytes = interrupt::while_reading(|| read(input)).with_context(|| name.to_owned())?;
    let transcript = text::read(&bytes).with_context(|| name.to_owned())?;
    if target.has_subtitles() {
        writing.captions.check(&transcript).with_context(|| name.to_owned())?;
    }
    write(name, target, &transcript, writing)
}

fn read(input: &Path) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut source: Box<dyn Read> = match input.as_os_str() == STANDARD_STREAM {
        true => Box::new(io::stdin().lock()),
        false => Box::new(File::open(input).map_err(explained)?),
    };
    source.by_ref().take(LARGEST + 1).read_to_end(&mut bytes).context("cannot read it")?;
    if bytes.len() as u64 > LARGEST {
        bail!("more than {LARGEST} bytes; no transcript is as long, split it");
    }
    Ok(bytes)
}

/// A file that is not there in the words that `transcribe` has for it.
fn explained(error: io::Error) -> anyhow::Error {
    match error.kind() {
        io::ErrorKind::NotFound => anyhow::anyhow!("no such file"),
        _ => anyhow::Error::new(error).context("cannot read it"),
    }
}

fn write(name: &str, target: &Target, transcript: &Transcript, writing: &Writing) -> anyhow::Result<()> {
    match target {
        Target::Nothing => {}
        Target::StandardOutput(format) => {
            let data = writing.to_string(*format, transcript).with_context(|| name.to_owned())?;
            console::print_data(data.as_bytes()).context("cannot write to standard output")?;
        }
        Target::Files(files) => {
            outputs::write_files(files, transcript, writing)?;
            let paths: Vec<String> = files.iter().map(|(_, path)| path.display().to_string()).collect();
            say!("{name}: wrote {}", paths.join(", "));
        }
    }
    Ok(())
}

/// Whether nobody reads standard output any more.
fn closes_the_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .any(|cause| cause.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe))
}
