//! `listen`: sound from a pipe, text while it is said.

use std::io::{self, BufRead, BufReader, IsTerminal, Read, Write};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use amanuensis::audio::{Encoding, RawFormat, Stream};
use amanuensis::live::{Session, Settings, Update, message, rounded, text_of};
use amanuensis::{Control, Engine, Options};
use anyhow::Context;
use serde_json::json;

use super::{Stop, load, sound};
use crate::args::{Listen, ProgressStyle, Task};
use crate::console;
use crate::interrupt::{self, INTERRUPTED};
use crate::values::Language;

/// Bytes that are read at a time, and how many such pieces may lie ready.
const PIECE: usize = 4096;
const PIECES: usize = 64;
/// Seconds of sound that wait in the session at most: a file comes faster than it is heard, and waits in its pipe.
const WAITING: f64 = 20.0;
/// How often is looked whether to stop, while nothing comes.
const PATIENCE: Duration = Duration::from_millis(100);
/// Characters of what is being said that are shown.
const SHOWN: usize = 76;

pub(super) fn run(asked: &Listen) -> Result<u8, Stop> {
    let stated = stated(asked)?;
    let options = Options {
        language: asked.language.0.as_ref().map(|Language(code)| code.clone()),
        task: match asked.task {
            Task::Transcribe => amanuensis::Task::Transcribe,
            Task::Translate => amanuensis::Task::Translate,
        },
        initial_prompt: asked.prompt.clone(),
        ..Options::default()
    };
    let settings = Settings { silence: f64::from(asked.silence_ms) / 1e3, ..Settings::default() };
    settings.check().map_err(super::usage)?;
    let _ = interrupt::listen();
    let engine = load::engine(&asked.model, ProgressStyle::Auto)?;
    let (stream, pieces) = interrupt::while_reading(|| open(stated))?;
    let mut listener = Listener {
        engine,
        stream,
        session: Session::new(settings, options),
        asked,
        shows: !asked.json && io::stderr().is_terminal(),
    };
    listener.listen(&pieces)?;
    Ok(if interrupt::asked() { INTERRUPTED } else { 0 })
}

/// The shape of the samples as the command line has it: none where it says nothing.
fn stated(asked: &Listen) -> Result<Option<RawFormat>, Stop> {
    if asked.encoding.is_none() && asked.sample_rate.is_none() && asked.channels.is_none() {
        return Ok(None);
    }
    let name = asked.encoding.as_deref().unwrap_or("s16le");
    let encoding = Encoding::from_name(name).ok_or_else(|| sound::unknown_encoding(name))?;
    let (sample_rate, channels) = (asked.sample_rate.unwrap_or(16_000), asked.channels.unwrap_or(1));
    Ok(Some(RawFormat { encoding, sample_rate, channels }))
}

/// Opens standard input: what its samples are, and its bytes as they come.
fn open(stated: Option<RawFormat>) -> anyhow::Result<(Stream, Receiver<io::Result<Vec<u8>>>)> {
    let mut input = BufReader::with_capacity(PIECE, io::stdin());
    let stream = match stated {
        Some(format) => Stream::new(format)?,
        // A wave file says itself what it is; four bytes come at once even through a pipe.
        None if input.fill_buf().context("cannot read standard input")?.starts_with(b"RIFF") => {
            Stream::of_wave(&mut input)?
        }
        None => Stream::new(RawFormat { encoding: Encoding::S16Le, sample_rate: 16_000, channels: 1 })?,
    };
    let (tell, pieces) = sync_channel(PIECES);
    let read = move || loop {
        let mut piece = vec![0; PIECE];
        let read = input.read(&mut piece).map(|count| {
            piece.truncate(count);
            piece
        });
        let is_last = match &read {
            Ok(piece) => piece.is_empty(),
            Err(error) => error.kind() != io::ErrorKind::Interrupted,
        };
        if tell.send(read).is_err() || is_last {
            return;
        }
    };
    thread::Builder::new().name("input".to_owned()).spawn(read).context("cannot read standard input")?;
    Ok((stream, pieces))
}

/// Listens until the sound ends.
struct Listener<'a> {
    engine: Engine,
    stream: Stream,
    session: Session,
    asked: &'a Listen,
    /// Whether what is being said is shown.
    shows: bool,
}

impl Listener<'_> {
    fn listen(&mut self, pieces: &Receiver<io::Result<Vec<u8>>>) -> Result<(), Stop> {
        let mut has_ended = false;
        while !self.session.is_over() {
            if !has_ended {
                has_ended = self.take(pieces)?;
            }
            if let Some(hearing) = self.session.hearing() {
                let began = Instant::now();
                // What was said last is heard although Ctrl-C was pressed; the second one ends the program.
                let outcome = self.engine.transcribe(&hearing.recording, &hearing.options, &mut Control::new());
                let outcome = outcome.context("what was said cannot be heard")?;
                self.session.heard(hearing.id, &outcome.transcript, began.elapsed());
            }
            self.tell()?;
        }
        if self.asked.json {
            let duration = rounded(self.session.duration());
            console::print(format_args!("{}", json!({ "type": "done", "duration": duration, "lag": 0.0 })))?;
        }
        Ok(())
    }

    /// Takes what has come; waits a moment if nothing has. Whether it was the last.
    fn take(&mut self, pieces: &Receiver<io::Result<Vec<u8>>>) -> Result<bool, Stop> {
        let mut next = match pieces.recv_timeout(PATIENCE) {
            Ok(piece) => Some(piece),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => Some(Ok(Vec::new())),
        };
        let mut has_ended = interrupt::asked();
        while let Some(piece) = next.take() {
            match piece {
                Ok(bytes) if bytes.is_empty() => has_ended = true,
                Ok(bytes) => self.feed(&bytes)?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(anyhow::Error::new(error).context("cannot read standard input").into()),
            }
            if !has_ended && self.session.waiting() < WAITING {
                next = pieces.try_recv().ok();
            }
        }
        if has_ended {
            let rest = self.stream.finish();
            self.session.feed(&rest).map_err(anyhow::Error::from)?;
            self.session.finish();
        }
        Ok(has_ended)
    }

    fn feed(&mut self, bytes: &[u8]) -> Result<(), Stop> {
        let samples = self.stream.push(bytes);
        Ok(self.session.feed(&samples).map_err(anyhow::Error::from)?)
    }

    fn tell(&mut self) -> Result<(), Stop> {
        for update in self.session.updates() {
            if self.asked.json {
                if let Some(message) = message(&update, self.session.lag(), self.asked.words) {
                    console::print(format_args!("{message}"))?;
                }
                continue;
            }
            match update {
                Update::Line(line) => {
                    self.show("");
                    console::print(format_args!("{}", console::visible(&line.text())))?;
                }
                Update::Partial { agreed, tentative, .. } => self.show(&(text_of(&agreed) + &text_of(&tentative))),
                _ => {}
            }
        }
        Ok(())
    }

    /// Shows the end of what is being said, in place of what was shown.
    fn show(&self, text: &str) {
        if !self.shows {
            return;
        }
        let text = console::visible(text.trim());
        let skipped = text.chars().count().saturating_sub(SHOWN);
        let shown: String = text.chars().skip(skipped).collect();
        // Where it cannot be shown, nobody looks.
        let _ = write!(io::stderr(), "\r\x1b[K{shown}");
        let _ = io::stderr().flush();
    }
}
