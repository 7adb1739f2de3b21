//! From an upload to what was said in it: the way that all endpoints share.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use amanuensis::audio::{self, FfmpegPolicy, Input, Limits, OpenOptions, RawFormat, Recording};
use amanuensis::{Options, Outcome, Prepared};

use crate::error::ApiError;
use crate::guard::drain;
use crate::models::Loaded;
use crate::scheduler::{Class, Happening, Hearing, Task};
use crate::state::Shared;

/// Longest recording of which somebody waits for an answer as if they had asked a question: one window.
const SHORT: f64 = 30.0;

/// A recording that is to be heard.
pub(crate) struct Request<'a> {
    pub(crate) input: Input,
    /// The shape of the samples, where the input is nothing else.
    pub(crate) raw: Option<RawFormat>,
    /// The model, as the client named it.
    pub(crate) model: Option<&'a str>,
    pub(crate) options: &'a Options,
    pub(crate) client: &'a str,
}

/// A recording that is being heard.
pub(crate) struct Heard {
    pub(crate) hearing: Hearing,
    /// What a person should know about the sound.
    pub(crate) warnings: Vec<String>,
}

/// Sets a flag when it is dropped: what goes on in another thread for somebody who has gone is to end.
struct Gone(Arc<AtomicBool>);

impl Drop for Gone {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Shared {
    /// Refuses early, before an upload is kept, what will have no room.
    pub(crate) async fn with_room(&self, request: axum::extract::Request) -> Result<axum::extract::Request, ApiError> {
        match self.check_room() {
            Ok(()) => Ok(request),
            Err(error) => {
                drain(request).await;
                Err(error)
            }
        }
    }

    fn check_room(&self) -> Result<(), ApiError> {
        if self.is_stopping() {
            return Err(ApiError::unavailable("shutting_down", 10, "the server is being stopped"));
        }
        let most = self.settings.max_queued_seconds;
        self.scheduler
            .board()
            .reserve(0.0, most)
            .map(drop)
            .or_else(|full| if full.queued > most { Err(queue_full(&full)) } else { Ok(()) })
    }

    /// Decodes a sound and lets it be heard.
    pub(crate) async fn hear(&self, request: Request<'_>) -> Result<Heard, ApiError> {
        let deadline = Instant::now() + Duration::from_secs(self.settings.deadline);
        let name = self.models.resolve(request.model.unwrap_or("whisper-1"))?;
        let model = self.models.get(name).await?;
        let recording = self.decode(request.input, request.raw).await?;
        let board = self.scheduler.board();
        let place = board.reserve(recording.duration(), self.settings.max_queued_seconds);
        let place = place.map_err(|full| queue_full(&full))?;
        let class = if recording.duration() <= SHORT { Class::Short } else { Class::Long };
        let warnings = recording.warnings().to_vec();
        let prepared = self.prepare(&model, recording, request.options).await?;
        let client = request.client.to_owned();
        let task = Task { model, prepared, class, client, deadline: Some(deadline), place, saved: None };
        Ok(Heard { hearing: self.scheduler.hear(task)?, warnings })
    }

    /// Makes a recording ready for its rounds, on a thread where that does not hold up others.
    pub(crate) async fn prepare(
        &self,
        model: &Arc<Loaded>,
        recording: Recording,
        options: &Options,
    ) -> Result<Prepared, ApiError> {
        let gone = Gone(Arc::default());
        let (engine, flag, options) = (Arc::clone(model), Arc::clone(&gone.0), options.clone());
        let prepare = move || engine.engine().prepare(&recording, &options, &flag);
        Ok(self.blocking(prepare).await??)
    }

    /// Decodes a sound, on a thread where that does not hold up others. It stops when nobody waits for it, or no longer.
    pub(crate) async fn decode(&self, input: Input, raw: Option<RawFormat>) -> Result<Recording, ApiError> {
        let limits = Limits { max_duration: self.settings.max_duration, ..Limits::default() };
        // Another program would be given whatever a stranger sends.
        let options = OpenOptions { raw, limits, ffmpeg: FfmpegPolicy::Never, ..OpenOptions::default() };
        let gone = Gone(Arc::default());
        let flag = Arc::clone(&gone.0);
        let decode = move || {
            audio::open(&input, &options, &mut |_| {
                if flag.load(Ordering::Relaxed) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            })
        };
        // A small file can be days of sound that take hours to decode.
        let time = Duration::from_secs(self.settings.deadline);
        let decoded = tokio::time::timeout(time, self.blocking(decode)).await;
        let late = |_| ApiError::past_deadline("the sound was not decoded in the time allowed");
        Ok(decoded.map_err(late)???)
    }

    /// Runs what keeps a processor busy, no more at a time than there are processors.
    pub(crate) async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, ApiError> {
        let stopped = |_| ApiError::unavailable("shutting_down", 10, "the server is being stopped");
        let permit = Arc::clone(&self.decoders).acquire_owned().await.map_err(stopped)?;
        let work = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            work()
        });
        work.await.map_err(|error| {
            tracing::error!(%error, "a sound broke its decoder");
            ApiError::bad("file", "the sound broke its decoder; it cannot be read")
        })
    }
}

fn queue_full(full: &crate::scheduler::Full) -> ApiError {
    let message =
        format!("{:.0} seconds of sound wait already, which is as much as this server lets wait", full.queued);
    ApiError::too_many("queue_full", full.retry_after, message)
}

impl Heard {
    /// Waits until all is heard.
    pub(crate) async fn outcome(&mut self) -> Result<Outcome, ApiError> {
        while let Some(happening) = self.hearing.happenings.recv().await {
            if let Happening::Done(result) = happening {
                return self.finish(result.map(|outcome| *outcome));
            }
        }
        Err(ApiError::fault("the engine's thread has ended; the server has to be started again"))
    }

    /// What came of it, with the warnings about the sound.
    pub(crate) fn finish(&self, result: Result<Outcome, crate::scheduler::Failure>) -> Result<Outcome, ApiError> {
        let mut outcome = result?;
        outcome.warnings.splice(0..0, self.warnings.iter().cloned());
        Ok(outcome)
    }
}

/// The pieces of a transcript as they come make one text: the first begins without its space.
#[derive(Default)]
pub(crate) struct Pieces(String);

impl Pieces {
    /// What a segment adds to the text.
    pub(crate) fn next(&mut self, text: &str) -> String {
        let piece = if self.0.is_empty() { text.trim_start() } else { text };
        self.0.push_str(piece);
        piece.to_owned()
    }

    /// The text that was told.
    pub(crate) fn text(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_make_the_text() {
        let mut pieces = Pieces::default();
        assert_eq!(pieces.next(" Good day."), "Good day.");
        assert_eq!(pieces.next(" Bye"), " Bye");
        assert_eq!(pieces.text(), "Good day. Bye");
    }
}
