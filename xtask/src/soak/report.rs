//! What a soak has shown.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use crate::figures::megabytes;
use crate::page::plain;

/// How much memory may have grown between the first third and the last: a share of it, or so many bytes.
const GROWTH: (f64, u64) = (0.05, 16 << 20);

/// A kind of requests.
pub(super) struct Row {
    name: &'static str,
    answers: BTreeMap<String, usize>,
    pub(super) undeserved: Vec<String>,
    /// Answers that were others than alone.
    pub(super) others: Vec<String>,
}

impl Row {
    pub(super) fn new(name: &'static str) -> Self {
        Row { name, answers: BTreeMap::new(), undeserved: Vec::new(), others: Vec::new() }
    }

    pub(super) fn count(&mut self, status: Option<u16>) {
        let status = status.map_or_else(|| "gone".to_owned(), |status| status.to_string());
        *self.answers.entry(status).or_default() += 1;
    }

    fn requests(&self) -> usize {
        self.answers.values().sum::<usize>() + self.undeserved.len()
    }
}

/// What was seen of the process at a moment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sample {
    /// Requests that were done.
    pub(super) done: usize,
    pub(super) memory: u64,
    pub(super) descriptors: usize,
}

/// All of it.
pub(super) struct Report {
    pub(super) rows: Vec<Row>,
    pub(super) samples: Vec<Sample>,
    pub(super) took: Duration,
    pub(super) clients: usize,
    /// What was open before.
    pub(super) descriptors: usize,
    pub(super) left_descriptors: Vec<String>,
    pub(super) left_files: Vec<String>,
    pub(super) is_ready: bool,
    pub(super) ended: bool,
    pub(super) panics: Vec<String>,
    pub(super) about: String,
    pub(super) command: String,
}

/// The middle of what a process held between two shares of the requests.
fn middle(samples: &[Sample], from: f64, to: f64) -> u64 {
    let all = samples.last().map_or(0, |sample| sample.done) as f64;
    let within = |sample: &&Sample| (from * all..=to * all).contains(&(sample.done as f64));
    let mut bytes: Vec<u64> = samples.iter().filter(within).map(|sample| sample.memory).collect();
    bytes.sort_unstable();
    bytes.get(bytes.len() / 2).copied().unwrap_or_default()
}

impl Report {
    fn thirds(&self) -> (u64, u64) {
        (middle(&self.samples, 0.0, 1.0 / 3.0), middle(&self.samples, 2.0 / 3.0, 1.0))
    }

    fn tenths(&self) -> String {
        let tenth = |number: u32| {
            let bytes = middle(&self.samples, f64::from(number) / 10.0, f64::from(number + 1) / 10.0);
            format!("{:.0}", bytes as f64 / 1e6)
        };
        (0..10).map(tenth).collect::<Vec<_>>().join(", ")
    }

    fn is_flat(&self) -> bool {
        let (first, last) = self.thirds();
        let growth = last.saturating_sub(first);
        growth < GROWTH.1 || (growth as f64) < GROWTH.0 * first as f64
    }

    /// What is not as it should be.
    pub(super) fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        for row in &self.rows {
            faults.extend(row.undeserved.iter().map(|error| format!("{}: {error}", row.name)));
            faults.extend(row.others.iter().map(|other| format!("{}: another text: {other}", row.name)));
        }
        if !self.is_flat() {
            faults.push(format!("memory grew from {} to {} bytes", self.thirds().0, self.thirds().1));
        }
        for (what, list) in
            [("open", &self.left_descriptors), ("left behind", &self.left_files), ("panic", &self.panics)]
        {
            faults.extend(list.iter().map(|name| format!("{what}: {name}")));
        }
        if !self.is_ready {
            faults.push("it is not ready any more".to_owned());
        }
        if !self.ended {
            faults.push("it did not end as it should when it was asked to".to_owned());
        }
        faults
    }

    pub(super) fn markdown(&self) -> String {
        let mut text =
            String::from("| requests of a kind | | answers | undeserved | another text |\n|---|---|---|---|---|\n");
        for row in &self.rows {
            let answers: Vec<String> = row.answers.iter().map(|(status, count)| format!("{status}: {count}")).collect();
            let (undeserved, others) = (row.undeserved.len(), row.others.len());
            let _ = writeln!(
                text,
                "| {} | {} | {} | {undeserved} | {others} |",
                plain(row.name),
                row.requests(),
                answers.join(", "),
            );
        }
        let requests: usize = self.rows.iter().map(Row::requests).sum();
        let (first, last) = self.thirds();
        let most = self.samples.iter().map(|sample| sample.memory).max().unwrap_or_default();
        let most_open = self.samples.iter().map(|sample| sample.descriptors).max().unwrap_or_default();
        let verdict = |is_right: bool| if is_right { "pass" } else { "**fail**" };
        let is_deserved = self.rows.iter().all(|row| row.undeserved.is_empty());
        let is_same = self.rows.iter().all(|row| row.others.is_empty());
        let seconds = self.took.as_secs_f64();
        let _ = write!(
            text,
            "\n| {requests} requests by {} clients in {seconds:.0} s | | |\n|---|---|---|\n\
             | no error that was not deserved | | {} |\n\
             | every answer is what the same request gave alone, to the byte | | {} |\n\
             | memory, last third against first | {} against {}, {} at most | {} |\n\
             | the same by tenths of the requests, in MB | {} | |\n\
             | no file left in the folders of temporary files and of jobs | {} | {} |\n\
             | no descriptor left open | {} at rest before, {most_open} at most, {} more at rest behind | {} |\n\
             | no panic, ready in the end, ends when asked to | | {} |\n",
            self.clients,
            verdict(is_deserved),
            verdict(is_same),
            megabytes(last),
            megabytes(first),
            megabytes(most),
            verdict(self.is_flat()),
            self.tenths(),
            self.left_files.len(),
            verdict(self.left_files.is_empty()),
            self.descriptors,
            self.left_descriptors.len(),
            verdict(self.left_descriptors.is_empty()),
            verdict(self.panics.is_empty() && self.is_ready && self.ended),
        );
        for fault in self.faults() {
            let _ = write!(text, "\n* {}", plain(&fault));
        }
        let _ = writeln!(text, "\n\n`{}`\n\n{}.", self.command, self.about);
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(memory: [u64; 3]) -> Report {
        let sample = |(done, memory): (usize, u64)| Sample { done, memory, descriptors: 9 };
        Report {
            rows: vec![Row::new("health")],
            samples: memory.iter().enumerate().map(|(index, memory)| sample((index * 50, *memory))).collect(),
            took: Duration::from_secs(1),
            clients: 1,
            descriptors: 9,
            left_descriptors: Vec::new(),
            left_files: Vec::new(),
            is_ready: true,
            ended: true,
            panics: Vec::new(),
            about: "here".to_owned(),
            command: "soak".to_owned(),
        }
    }

    #[test]
    fn memory_is_flat_or_it_is_not() {
        assert!(report([100 << 20, 300 << 20, 110 << 20]).faults().is_empty());
        assert!(report([1 << 30, 0, (1 << 30) + (20 << 20)]).faults().is_empty());
        assert_eq!(report([100 << 20, 100 << 20, 120 << 20]).faults().len(), 1);
    }

    #[test]
    fn what_is_wrong_is_said_and_counted() {
        let mut report = report([1, 1, 1]);
        report.rows[0].undeserved.push("500 |oh|".to_owned());
        report.left_files.push("a".to_owned());
        assert_eq!(report.faults().len(), 2);
        assert!(report.markdown().contains("* health: 500 /oh/") && report.markdown().contains("**fail**"));
    }
}
