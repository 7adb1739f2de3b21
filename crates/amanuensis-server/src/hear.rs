//! From an upload to what was said in it: the way that all endpoints share.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use amanuensis::audio::{self, Channels, FfmpegPolicy, Input, Limits, OpenOptions, RawFormat, Recording};
use amanuensis::{Options, Outcome, Prepared, merge_channels};

use tracing::Span;

use crate::error::ApiError;
use crate::guard::drain;
use crate::models::Loaded;
use crate::scheduler::{Class, Happening, Hearing, Task};
use crate::state::Shared;

/// Longest recording of which somebody waits for an answer as if they had asked a question: one window.
const SHORT: f64 = 30.0;
/// Most channels that are heard apart: each is a recording of its own.
const MOST_CHANNELS: u32 = 8;

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

/// How long the stages of a recording took. Whoever reads the log learns this, and never what was said.
pub(crate) struct Times {
    /// Where the lines belong, although a stream is written by somebody else.
    span: Span,
    since: Instant,
    decoding: Duration,
    preparing: Duration,
}

impl Times {
    /// Decoding begins.
    pub(crate) fn begin() -> Self {
        let (decoding, preparing) = (Duration::ZERO, Duration::ZERO);
        Times { span: Span::current(), since: Instant::now(), decoding, preparing }
    }

    fn lap(&mut self) -> Duration {
        let took = self.since.elapsed();
        self.since = Instant::now();
        took
    }

    /// The sound is decoded.
    pub(crate) fn decoded(&mut self) {
        self.decoding = self.lap();
    }

    /// It waits for its turns.
    pub(crate) fn prepared(&mut self) {
        self.preparing = self.lap();
    }

    /// Everything was heard.
    pub(crate) fn tell(&self, model: &str, outcome: &Outcome) {
        let milliseconds = |time: Duration| time.as_millis() as u64;
        let (decode, prepare, rounds) =
            (milliseconds(self.decoding), milliseconds(self.preparing), milliseconds(self.since.elapsed()));
        let Outcome { transcript, receipt, .. } = outcome;
        tracing::info!(
            parent: &self.span, model, seconds = transcript.duration, segments = transcript.segments.len(),
            windows = receipt.windows, decode, prepare, rounds, "heard"
        );
        // In rounds that it shared with others, theirs too.
        let stages = receipt.stages();
        let stages = stages.iter().map(|stage| format!("{} {:.3} s", stage.stage, stage.seconds));
        tracing::debug!(parent: &self.span, stages = stages.collect::<Vec<_>>().join(", "), "stages");
    }
}

/// A recording that is being heard.
pub(crate) struct Heard {
    pub(crate) hearing: Hearing,
    pub(crate) model: Arc<Loaded>,
    /// The name that the model is served under.
    name: String,
    times: Times,
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
        let mut channels = self.hear_channels(request, Channels::Mix).await?;
        channels.pop().ok_or_else(|| ApiError::bad("file", "the sound has no channels"))
    }

    /// The same for the channels that are wanted, each on its own.
    pub(crate) async fn hear_channels(&self, request: Request<'_>, channels: Channels) -> Result<Vec<Heard>, ApiError> {
        let deadline = Instant::now() + Duration::from_secs(self.settings.deadline);
        let name = self.models.resolve(request.model.unwrap_or("whisper-1"))?;
        let model = self.models.get(name).await?;
        let mut times = Times::begin();
        let recordings = self.decode_channels(request.input, request.raw, channels).await?;
        times.decoded();
        let decoding = times.decoding;
        let seconds: Vec<f64> = recordings.iter().map(Recording::duration).collect();
        let board = self.scheduler.board();
        let places = board.reserve_each(&seconds, self.settings.max_queued_seconds);
        let places = places.map_err(|full| queue_full(&full))?;
        let class = if seconds.iter().sum::<f64>() <= SHORT { Class::Short } else { Class::Long };
        let mut all = Vec::with_capacity(places.len());
        for (recording, place) in recordings.into_iter().zip(places) {
            let warnings = recording.warnings().to_vec();
            let mut times = Times { decoding, ..Times::begin() };
            let prepared = self.prepare(&model, recording, request.options).await?;
            times.prepared();
            let (client, deadline) = (request.client.to_owned(), Some(deadline));
            let task = Task { model: Arc::clone(&model), prepared, class, client, deadline, place, saved: None };
            let (hearing, model, name) = (self.scheduler.hear(task)?, Arc::clone(&model), name.to_owned());
            all.push(Heard { hearing, model, name, times, warnings });
        }
        Ok(all)
    }

    /// Hears what was said last in a live session, before all that is longer. Dropping it ends the work.
    pub(crate) async fn hear_live(
        self: Arc<Self>,
        name: String,
        recording: Recording,
        options: Options,
        client: String,
    ) -> Result<Outcome, ApiError> {
        let deadline = Some(Instant::now() + Duration::from_secs(self.settings.deadline));
        let model = self.models.get(&name).await?;
        // How much of a session waits is limited where it comes in.
        let place = self.scheduler.board().aside(recording.duration());
        let (engine, mut times) = (Arc::clone(&model), Times::begin());
        // At most a window: it does not wait for those who decode hours.
        let prepare = move || engine.engine().prepare(&recording, &options, &AtomicBool::new(false));
        let prepared =
            tokio::task::spawn_blocking(prepare).await.map_err(|error| ApiError::fault(error.to_string()))??;
        times.prepared();
        let task =
            Task { model: Arc::clone(&model), prepared, class: Class::Short, client, deadline, place, saved: None };
        Heard { hearing: self.scheduler.hear(task)?, model, name, times, warnings: Vec::new() }.outcome().await
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
        let mut channels = self.decode_channels(input, raw, Channels::Mix).await?;
        channels.pop().ok_or_else(|| ApiError::bad("file", "the sound has no channels"))
    }

    /// Decodes the channels of a sound that are wanted.
    async fn decode_channels(
        &self,
        input: Input,
        raw: Option<RawFormat>,
        channels: Channels,
    ) -> Result<Vec<Recording>, ApiError> {
        let mut limits = Limits { max_duration: self.settings.max_duration, ..Limits::default() };
        if channels == Channels::Split {
            limits.max_channels = MOST_CHANNELS;
        }
        // Another program would be given whatever a stranger sends.
        let options = OpenOptions { raw, channels, limits, ffmpeg: FfmpegPolicy::Never, ..OpenOptions::default() };
        let gone = Gone(Arc::default());
        let flag = Arc::clone(&gone.0);
        let decode = move || {
            audio::open_channels(&input, &options, &mut |_| {
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
        self.times.tell(&self.name, &outcome);
        outcome.warnings.splice(0..0, self.warnings.iter().cloned());
        Ok(outcome)
    }
}

/// Waits until all channels of a recording are heard: one transcript.
pub(crate) async fn outcome(channels: &mut [Heard]) -> Result<Outcome, ApiError> {
    let mut outcomes = Vec::with_capacity(channels.len());
    for channel in channels {
        outcomes.push(channel.outcome().await?);
    }
    let whole = if outcomes.len() == 1 { outcomes.pop() } else { merge_channels(outcomes) };
    whole.ok_or_else(|| ApiError::bad("file", "the sound has no channels"))
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
