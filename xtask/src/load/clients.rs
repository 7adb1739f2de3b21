//! Clients that ask one thing after the other.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::serving::http::Request;
use crate::serving::sounds;

/// A sound to send.
pub(super) struct Clip {
    name: &'static str,
    sound: Vec<u8>,
    pub(super) seconds: f64,
}

impl Clip {
    pub(super) fn new(name: &'static str, sound: Vec<u8>) -> Self {
        let seconds = sounds::seconds(&sound);
        Clip { name, sound, seconds }
    }
}

/// A server with OpenAI's endpoints.
pub(super) struct Target {
    pub(super) address: SocketAddr,
    pub(super) model: String,
}

/// What some clients saw in some time.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Round {
    pub(super) clients: usize,
    pub(super) took: f64,
    /// Seconds of every answer that was a transcript.
    pub(super) answered: Vec<f64>,
    pub(super) refused: usize,
    /// What else came, and how often.
    pub(super) errors: BTreeMap<String, usize>,
}

impl Round {
    fn count(&mut self, outcome: Result<f64, String>) {
        match outcome {
            Ok(seconds) => self.answered.push(seconds),
            Err(error) if error.starts_with("429") => self.refused += 1,
            Err(error) => *self.errors.entry(error).or_default() += 1,
        }
    }
}

impl Target {
    /// Seconds that a transcript took, or what came instead.
    fn ask(&self, clip: &Clip) -> Result<f64, String> {
        // The same work everywhere: the most probable text in a language that is known.
        let parts: [(&str, Option<&str>, &[u8]); 4] = [
            ("model", None, self.model.as_bytes()),
            ("language", None, b"en"),
            ("temperature", None, b"0"),
            ("file", Some("sound.wav"), &clip.sound),
        ];
        let request = Request::form("/v1/audio/transcriptions", &parts);
        let began = Instant::now();
        let answer = request.ask(self.address).map_err(|error| error.to_string())?;
        if answer.status != 200 {
            return Err(format!("{} {}", answer.status, answer.text().chars().take(120).collect::<String>()));
        }
        match answer.json()["text"].as_str() {
            Some(text) if !text.trim().is_empty() => Ok(began.elapsed().as_secs_f64()),
            _ => Err("200 without a text".to_owned()),
        }
    }

    /// Asks once, so that a model is loaded and a wrong name is told of at once.
    pub(super) fn check(&self, clip: &Clip) -> Result<()> {
        self.ask(clip)
            .map(drop)
            .map_err(anyhow::Error::msg)
            .with_context(|| format!("{}, for {}", self.address, clip.name))
    }

    /// So many clients, for so long. Who was asked in time is waited for.
    pub(super) fn round(&self, clip: &Clip, clients: usize, time: Duration) -> Round {
        let began = Instant::now();
        let one = || {
            let mut round = Round::default();
            while began.elapsed() < time {
                let outcome = self.ask(clip);
                if outcome.is_err() {
                    // What refuses at once would be asked a thousand times a second.
                    thread::sleep(Duration::from_millis(100));
                }
                round.count(outcome);
            }
            round
        };
        let mut all = Round { clients, ..Round::default() };
        thread::scope(|scope| {
            let running: Vec<_> = (0..clients).map(|_| scope.spawn(one)).collect();
            for round in running {
                match round.join() {
                    Ok(round) => {
                        all.answered.extend(round.answered);
                        all.refused += round.refused;
                        for (error, count) in round.errors {
                            *all.errors.entry(error).or_default() += count;
                        }
                    }
                    Err(_) => *all.errors.entry("a client broke".to_owned()).or_default() += 1,
                }
            }
        });
        all.took = began.elapsed().as_secs_f64();
        all
    }

    /// One client with a short sound, while a long one is heard, again and again; and how long the long one took.
    pub(super) fn beside(&self, clip: &Clip, long: &Clip, time: Duration) -> Result<(Round, Vec<f64>)> {
        let (is_over, running) = (AtomicBool::new(false), AtomicUsize::new(0));
        thread::scope(|scope| {
            let background = scope.spawn(|| {
                let mut whole = Vec::new();
                while !is_over.load(Ordering::Relaxed) {
                    running.fetch_add(1, Ordering::Relaxed);
                    let outcome = self.ask(long);
                    running.fetch_add(1, Ordering::Relaxed);
                    match outcome {
                        Ok(seconds) => whole.push(seconds),
                        Err(error) => return Err(error),
                    }
                }
                Ok(whole)
            });
            let began = Instant::now();
            let mut round = Round { clients: 1, ..Round::default() };
            while began.elapsed() < time && !background.is_finished() {
                let before = running.load(Ordering::Relaxed);
                let outcome = self.ask(clip);
                // Odd while the long one is under way: only what fell into its time counts.
                if before % 2 == 1 && running.load(Ordering::Relaxed) == before {
                    round.count(outcome);
                }
            }
            is_over.store(true, Ordering::Relaxed);
            round.took = began.elapsed().as_secs_f64();
            match background.join() {
                Ok(Ok(whole)) => Ok((round, whole)),
                Ok(Err(error)) => bail!("{}, for {}: {error}", self.address, long.name),
                Err(_) => bail!("the client with the long sound broke"),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_no_errors_and_errors_are_counted_by_what_they_say() {
        let mut round = Round::default();
        for outcome in [Ok(1.0), Err("429 later".to_owned()), Err("500 x".to_owned()), Err("500 x".to_owned())] {
            round.count(outcome);
        }
        assert_eq!((round.answered.len(), round.refused, round.errors["500 x"]), (1, 1, 2));
    }
}
