//! Inputs are read by a thread of their own, in their order, so that the next is read while one is transcribed.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use amanuensis::audio::{self, OpenOptions, Recording};
use anyhow::{Context, anyhow};

use super::sound;
use crate::progress::{Progress, Stage};
use crate::{interrupt, panics};

/// What the thread has to tell.
enum News {
    /// How far it has come with an input.
    Heard(audio::Progress),
    /// What an input came to: a recording of each channel that was asked for.
    Read(anyhow::Result<Vec<Recording>>),
}

/// The thread as its customer sees it. Nobody waits for its end: it may be waiting for a pipe that says nothing.
pub(super) struct Reader {
    allowed: Sender<()>,
    news: Receiver<News>,
}

impl Reader {
    /// A reader that reads none of the inputs yet.
    pub(super) fn new(inputs: Vec<PathBuf>, options: OpenOptions) -> anyhow::Result<Reader> {
        let ((allowed, wanted), (tell, news)) = (channel(), channel());
        let life = move || {
            for input in inputs {
                // Whoever has gone wants no more.
                if wanted.recv().is_err() || tell.send(News::Read(read(&input, &options, &tell))).is_err() {
                    return;
                }
            }
        };
        thread::Builder::new()
            .name("reader".into())
            .spawn(life)
            .context("cannot start a thread that reads the inputs")?;
        Ok(Reader { allowed, news })
    }

    /// Lets it read so many inputs more, which will be in memory or in temporary files when they are.
    pub(super) fn allow(&self, inputs: usize) {
        for _ in 0..inputs {
            // A thread that has ended is told of by `next`.
            let _ = self.allowed.send(());
        }
    }

    /// The next input, which is `input`, once it is read, or until Ctrl-C.
    pub(super) fn next(&self, input: &Path, progress: &mut Progress) -> anyhow::Result<Vec<Recording>> {
        let name = sound::name(input);
        progress.begin(&name, Stage::Read);
        let read = interrupt::while_reading(|| {
            loop {
                match self.news.recv() {
                    Ok(News::Heard(state)) => progress.update(state.decoded, state.total),
                    Ok(News::Read(read)) => return read,
                    Err(_) => return Err(anyhow!("{name}: the thread that reads the inputs has ended")),
                }
            }
        });
        progress.end();
        read
    }
}

fn read(input: &Path, options: &OpenOptions, tell: &Sender<News>) -> anyhow::Result<Vec<Recording>> {
    panics::caught(&sound::name(input), || {
        let read = audio::open_channels(&sound::source(input), options, &mut |state| {
            let gone = tell.send(News::Heard(state)).is_err();
            if gone || interrupt::asked() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        Ok(read?)
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::args::ProgressStyle;

    #[test]
    fn inputs_are_read_in_order_and_not_before_they_may() {
        let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../samples/ten-sentences.opus");
        let missing = PathBuf::from("no/such/file.wav");
        let inputs = vec![missing.clone(), sample.clone(), sample.clone()];
        let reader = Reader::new(inputs, OpenOptions::default()).unwrap();
        assert!(reader.news.recv_timeout(Duration::from_millis(50)).is_err(), "nobody allowed it to read");
        let mut progress = Progress::new(ProgressStyle::Off);
        reader.allow(1);
        let error = format!("{:#}", reader.next(&missing, &mut progress).unwrap_err());
        assert!(error.starts_with("no/such/file.wav"), "{error}");
        reader.allow(2);
        for _ in 0..2 {
            let recordings = reader.next(&sample, &mut progress).unwrap();
            assert!(recordings.len() == 1 && recordings[0].duration() > 10.0);
        }
        assert!(reader.next(&sample, &mut progress).is_err(), "there are no more inputs");
    }
}
