//! What was measured, as tables.

use std::fmt::Write as _;

use super::clients::Round;
use super::live::Heard;
use crate::figures::{percentile, seconds};
use crate::page::plain;

/// How many times its time alone a short sound may take while a long one is heard.
const MOST_TIMES: f64 = 3.0;
/// Seconds behind the end of the sound after which a live session did not keep up.
const MOST_TAIL: f64 = 5.0;

/// A short sound, alone and beside a long one.
pub(super) struct Beside {
    pub(super) alone: Round,
    pub(super) beside: Round,
    /// Seconds that each of the long ones took.
    pub(super) whole: Vec<f64>,
}

impl Beside {
    /// How many times its time alone it took, in the middle and for the slowest twentieth.
    fn times(&self) -> Option<(f64, f64)> {
        let times = |share| Some(percentile(&self.beside.answered, share)? / percentile(&self.alone.answered, share)?);
        Some((times(0.5)?, times(0.95)?))
    }
}

/// A server.
pub(super) struct Measured {
    pub(super) name: String,
    /// Seconds of the short sound.
    pub(super) clip: f64,
    pub(super) rounds: Vec<Round>,
    pub(super) beside: Beside,
}

pub(super) struct Report {
    pub(super) measured: Vec<Measured>,
    pub(super) live: Vec<Heard>,
    pub(super) about: String,
    pub(super) command: String,
}

impl Report {
    /// What is not as it should be; another server owes us nothing.
    pub(super) fn faults(&self) -> Vec<String> {
        let Some(own) = self.measured.first() else { return vec!["nothing was measured".to_owned()] };
        let mut faults: Vec<String> = Vec::new();
        for round in own.rounds.iter().chain([&own.beside.alone, &own.beside.beside]) {
            faults.extend(
                round.errors.iter().map(|(error, count)| format!("{} clients: {count} times {error}", round.clients)),
            );
            if round.answered.is_empty() {
                faults.push(format!("{} clients: nothing was answered", round.clients));
            }
        }
        match own.beside.times() {
            Some((_, slow)) if slow < MOST_TIMES => {}
            Some((_, slow)) => faults.push(format!("a short sound took {slow:.1} times as long beside a long one")),
            None => faults.push("no short sound was answered while a long one was heard".to_owned()),
        }
        for heard in &self.live {
            faults.extend(heard.errors.iter().map(|error| format!("{} live sessions: {error}", heard.sessions)));
            if heard.tail > MOST_TAIL {
                faults.push(format!("{} live sessions ended {:.1} s behind their sound", heard.sessions, heard.tail));
            }
        }
        faults
    }

    pub(super) fn markdown(&self) -> String {
        let clip = self.measured.first().map_or(0.0, |measured| measured.clip);
        let mut text = format!(
            "A sound of {clip:.1} s, asked for again and again by each client, every time over a new connection:\n\n\
             | server | clients | requests/s | seconds of sound/s | p50 | p95 | 429 | errors |\n|---|---|---|---|---|---|---|---|\n"
        );
        for Measured { name, clip, rounds, .. } in &self.measured {
            for round in rounds {
                let rate = round.answered.len() as f64 / round.took.max(f64::MIN_POSITIVE);
                let _ = writeln!(
                    text,
                    "| {name} | {} | {rate:.2} | {:.1} | {} | {} | {} | {} |",
                    round.clients,
                    rate * clip,
                    seconds(percentile(&round.answered, 0.5)),
                    seconds(percentile(&round.answered, 0.95)),
                    round.refused,
                    round.errors.values().sum::<usize>(),
                );
            }
        }
        text += "\nThe same sound by one client, alone and while a recording of ten minutes is heard:\n\n\
                 | server | alone, p50 | p95 | beside it, p50 | p95 | times as long, p50 | p95 | the ten minutes took |\n\
                 |---|---|---|---|---|---|---|---|\n";
        for Measured { name, beside, .. } in &self.measured {
            let of = |round: &Round, share| seconds(percentile(&round.answered, share));
            let times = beside.times();
            let shown = |times: Option<f64>| times.map_or_else(|| "-".to_owned(), |times| format!("{times:.1}"));
            let _ = writeln!(
                text,
                "| {name} | {} | {} | {} | {} | {} | {} | {} |",
                of(&beside.alone, 0.5),
                of(&beside.alone, 0.95),
                of(&beside.beside, 0.5),
                of(&beside.beside, 0.95),
                shown(times.map(|(middle, _)| middle)),
                shown(times.map(|(_, slow)| slow)),
                seconds(percentile(&beside.whole, 0.5)),
            );
        }
        for Measured { name, rounds, .. } in &self.measured {
            for round in rounds {
                for (error, count) in &round.errors {
                    let _ = write!(text, "\n* {name}, {} clients: {count} times {}", round.clients, plain(error));
                }
            }
        }
        self.live(&mut text);
        let _ = writeln!(text, "\n`{}`\n\n{}.", self.command, self.about);
        text
    }

    fn live(&self, text: &mut String) {
        let Some(first) = self.live.first() else { return };
        let _ = write!(
            text,
            "\nLive sessions at once, each fed {:.0} s of sentences and pauses as fast as they are spoken. A `final` comes behind the silence of 500 ms that ends an utterance, or earlier:\n\n\
             | sessions | from the end of the last word to its `final`, p50 | p95 | most lag | all told behind the end of the sound | different texts | errors |\n\
             |---|---|---|---|---|---|---|\n",
            first.seconds
        );
        for heard in &self.live {
            let _ = writeln!(
                text,
                "| {} | {} | {} | {:.1} s | {} | {} | {} |",
                heard.sessions,
                seconds(percentile(&heard.delays, 0.5)),
                seconds(percentile(&heard.delays, 0.95)),
                heard.most_lag,
                seconds(Some(heard.tail)),
                heard.different(),
                heard.errors.len(),
            );
        }
        for heard in &self.live {
            for error in &heard.errors {
                let _ = write!(text, "\n* {} live sessions: {}", heard.sessions, plain(error));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round(clients: usize, seconds: f64) -> Round {
        Round { clients, took: 10.0, answered: vec![seconds; 20], ..Round::default() }
    }

    fn report(beside: f64) -> Report {
        let beside = Beside { alone: round(1, 0.5), beside: round(1, beside), whole: vec![30.0] };
        let own = Measured { name: "own".to_owned(), clip: 5.0, rounds: vec![round(1, 0.5)], beside };
        Report { measured: vec![own], live: Vec::new(), about: "here".to_owned(), command: "load".to_owned() }
    }

    #[test]
    fn a_short_sound_is_not_to_wait_for_a_long_one() {
        assert!(report(1.4).faults().is_empty());
        assert_eq!(report(1.6).faults().len(), 1);
    }

    #[test]
    fn rates_are_of_what_was_answered() {
        let text = report(1.0).markdown();
        assert!(text.contains("| own | 1 | 2.00 | 10.0 | 500 ms | 500 ms | 0 | 0 |"), "{text}");
        assert!(text.contains("| 2.0 | 2.0 | 30.00 s |"), "{text}");
    }
}
