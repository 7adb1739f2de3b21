//! Figures for monitoring, in the text format that Prometheus reads.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use amanuensis::Outcome;
use amanuensis::backend::Receipt;

use crate::scheduler::Failure;

/// The figures there are: name, kind, what it is. `docs/server.md` shows this table, and a test compares.
pub(crate) const FIGURES: [(&str, &str, &str); 27] = [
    ("amanuensis_requests_total", "counter", "Requests that were answered, by endpoint and status"),
    (
        "amanuensis_request_seconds",
        "histogram",
        "From the first byte of a request to the last of its answer, by endpoint",
    ),
    ("amanuensis_upload_bytes_total", "counter", "Bytes of sound that were uploaded"),
    ("amanuensis_wait_seconds", "histogram", "From the time a recording is ready to its first round"),
    ("amanuensis_queued_seconds", "gauge", "Seconds of sound that are not heard yet"),
    ("amanuensis_open_recordings", "gauge", "Recordings that wait for rounds"),
    ("amanuensis_rounds_total", "counter", "Rounds: batches of windows that went through the model"),
    (
        "amanuensis_rounds_given_up_total",
        "counter",
        "Rounds that were ended for somebody urgent, and made up for later",
    ),
    ("amanuensis_round_windows", "histogram", "Windows in a round"),
    ("amanuensis_busy_seconds_total", "counter", "Seconds in which a round was running"),
    (
        "amanuensis_sound_seconds_total",
        "counter",
        "Seconds of sound that were heard; over the busy seconds: times real time",
    ),
    ("amanuensis_windows_total", "counter", "Windows that the encoder ran over"),
    ("amanuensis_tokens_total", "counter", "Tokens that the decoder was given"),
    ("amanuensis_device_rounds_total", "counter", "Rounds in which a device was seen at work, by device"),
    (
        "amanuensis_device_operations_total",
        "counter",
        "Multiplications and additions of encoders and of the cross-attention's keys and values, by the device that did them",
    ),
    (
        "amanuensis_device_fallbacks_total",
        "counter",
        "Windows that a device was asked for and did not do, by device; `/v1/status` has the reasons",
    ),
    ("amanuensis_transcriptions_total", "counter", "Recordings that came to an end, by result"),
    ("amanuensis_segments_total", "counter", "Segments of finished transcripts"),
    ("amanuensis_fallbacks_total", "counter", "Segments whose window was decoded more than once"),
    ("amanuensis_flags_total", "counter", "Segments against which something speaks, by flag"),
    ("amanuensis_live_sessions", "gauge", "Live sessions, those that may be resumed among them"),
    (
        "amanuensis_live_lag_seconds",
        "gauge",
        "Seconds of sound that came and were not told of, in the live session with most",
    ),
    ("amanuensis_live_seconds_total", "counter", "Seconds of sound that came in live sessions that are over"),
    ("amanuensis_models_loaded", "gauge", "Models in memory"),
    ("amanuensis_models_bytes", "gauge", "Memory that the weights of loaded models take"),
    ("amanuensis_jobs", "gauge", "Jobs that are kept, by status"),
    ("process_resident_memory_bytes", "gauge", "Memory that the process holds"),
];

const SECONDS: &[f64] = &[0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0];
const WINDOWS: &[f64] = &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0];

/// How often values lay below each of some bounds.
struct Histogram {
    bounds: &'static [f64],
    counts: Vec<u64>,
    sum: f64,
    count: u64,
}

impl Histogram {
    fn new(bounds: &'static [f64]) -> Self {
        Histogram { bounds, counts: vec![0; bounds.len()], sum: 0.0, count: 0 }
    }

    fn observe(&mut self, value: f64) {
        for (count, bound) in self.counts.iter_mut().zip(self.bounds) {
            *count += u64::from(value <= *bound);
        }
        self.sum += value;
        self.count += 1;
    }

    fn write(&self, name: &str, labels: &str, out: &mut String) {
        let comma = if labels.is_empty() { "" } else { "," };
        for (bound, count) in self.bounds.iter().zip(&self.counts) {
            let _ = writeln!(out, "{name}_bucket{{{labels}{comma}le=\"{bound}\"}} {count}");
        }
        let _ = writeln!(out, "{name}_bucket{{{labels}{comma}le=\"+Inf\"}} {}", self.count);
        let braces = if labels.is_empty() { String::new() } else { format!("{{{labels}}}") };
        let _ = writeln!(out, "{name}_sum{braces} {}\n{name}_count{braces} {}", self.sum, self.count);
    }
}

/// All that is counted.
pub(crate) struct Metrics {
    requests: Mutex<BTreeMap<(String, u16), u64>>,
    request_seconds: Mutex<BTreeMap<String, Histogram>>,
    upload_bytes: AtomicU64,
    wait: Mutex<Histogram>,
    rounds: AtomicU64,
    given_up: AtomicU64,
    round_windows: Mutex<Histogram>,
    devices: Mutex<BTreeMap<String, u64>>,
    results: Mutex<BTreeMap<&'static str, u64>>,
    segments: AtomicU64,
    fallbacks: AtomicU64,
    flags: Mutex<BTreeMap<String, u64>>,
    /// Milliseconds.
    live: AtomicU64,
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What others know at the moment of asking.
pub(crate) struct Gauges {
    pub(crate) queued_seconds: f64,
    pub(crate) open: u64,
    /// Seconds of sound that were heard, and that it took.
    pub(crate) work: (f64, f64),
    /// What ran where since the start.
    pub(crate) receipt: Receipt,
    /// Live sessions, and the most seconds that one of them lags behind.
    pub(crate) live: (usize, f64),
    pub(crate) models_loaded: usize,
    pub(crate) models_bytes: u64,
    pub(crate) jobs: BTreeMap<&'static str, u64>,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        Metrics {
            requests: Mutex::default(),
            request_seconds: Mutex::default(),
            upload_bytes: AtomicU64::new(0),
            wait: Mutex::new(Histogram::new(SECONDS)),
            rounds: AtomicU64::new(0),
            given_up: AtomicU64::new(0),
            round_windows: Mutex::new(Histogram::new(WINDOWS)),
            devices: Mutex::default(),
            results: Mutex::default(),
            segments: AtomicU64::new(0),
            fallbacks: AtomicU64::new(0),
            flags: Mutex::default(),
            live: AtomicU64::new(0),
        }
    }

    /// A request was answered. The endpoint is a route, not what the client wrote, so there are few.
    pub(crate) fn request(&self, endpoint: &str, status: u16, took: Duration) {
        *held(&self.requests).entry((endpoint.to_owned(), status)).or_default() += 1;
        let mut seconds = held(&self.request_seconds);
        seconds.entry(endpoint.to_owned()).or_insert_with(|| Histogram::new(SECONDS)).observe(took.as_secs_f64());
    }

    pub(crate) fn uploaded(&self, bytes: u64) {
        self.upload_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// A live session is over, of so many seconds.
    pub(crate) fn heard_live(&self, seconds: f64) {
        self.live.fetch_add((seconds * 1e3) as u64, Ordering::Relaxed);
    }

    pub(crate) fn waited(&self, time: Duration) {
        held(&self.wait).observe(time.as_secs_f64());
    }

    pub(crate) fn round(&self, receipt: &Receipt) {
        self.rounds.fetch_add(1, Ordering::Relaxed);
        held(&self.round_windows).observe(receipt.windows as f64);
        for device in receipt.devices() {
            *held(&self.devices).entry(device.clone()).or_default() += 1;
        }
    }

    pub(crate) fn gave_up(&self) {
        self.given_up.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn finished(&self, result: &Result<Box<Outcome>, Failure>) {
        let name = match result {
            Ok(_) => "complete",
            Err(Failure::Engine(amanuensis::Error::Cancelled)) => "cancelled",
            Err(Failure::Deadline) => "too_late",
            Err(Failure::Engine(_) | Failure::Device(..) | Failure::Broken(_)) => "failed",
        };
        *held(&self.results).entry(name).or_default() += 1;
        let Ok(outcome) = result else { return };
        let segments = &outcome.transcript.segments;
        self.segments.fetch_add(segments.len() as u64, Ordering::Relaxed);
        let fallbacks = segments.iter().filter(|segment| segment.tries > 1).count();
        self.fallbacks.fetch_add(fallbacks as u64, Ordering::Relaxed);
        for flag in segments.iter().flat_map(|segment| &segment.flags) {
            // The name that it has in transcripts.
            let name = serde_json::to_value(flag).ok().and_then(|name| name.as_str().map(str::to_owned));
            *held(&self.flags).entry(name.unwrap_or_default()).or_default() += 1;
        }
    }

    /// The page that Prometheus reads.
    pub(crate) fn page(&self, gauges: &Gauges) -> String {
        let mut out = String::with_capacity(8 << 10);
        for (name, kind, about) in FIGURES {
            let _ = writeln!(out, "# HELP {name} {about}\n# TYPE {name} {kind}");
            self.write(name, gauges, &mut out);
        }
        out
    }

    fn write(&self, name: &str, gauges: &Gauges, out: &mut String) {
        let plain = |out: &mut String, value: f64| {
            let _ = writeln!(out, "{name} {value}");
        };
        let count = |out: &mut String, value: &AtomicU64| plain(out, value.load(Ordering::Relaxed) as f64);
        match name {
            "amanuensis_requests_total" => {
                for ((endpoint, status), count) in held(&self.requests).iter() {
                    let _ = writeln!(out, "{name}{{endpoint=\"{}\",status=\"{status}\"}} {count}", escaped(endpoint));
                }
            }
            "amanuensis_request_seconds" => {
                for (endpoint, histogram) in held(&self.request_seconds).iter() {
                    histogram.write(name, &format!("endpoint=\"{}\"", escaped(endpoint)), out);
                }
            }
            "amanuensis_upload_bytes_total" => count(out, &self.upload_bytes),
            "amanuensis_wait_seconds" => held(&self.wait).write(name, "", out),
            "amanuensis_queued_seconds" => plain(out, gauges.queued_seconds),
            "amanuensis_open_recordings" => plain(out, gauges.open as f64),
            "amanuensis_rounds_total" => count(out, &self.rounds),
            "amanuensis_rounds_given_up_total" => count(out, &self.given_up),
            "amanuensis_round_windows" => held(&self.round_windows).write(name, "", out),
            "amanuensis_busy_seconds_total" => plain(out, gauges.work.1),
            "amanuensis_sound_seconds_total" => plain(out, gauges.work.0),
            "amanuensis_windows_total" => plain(out, gauges.receipt.windows as f64),
            "amanuensis_tokens_total" => plain(out, gauges.receipt.tokens as f64),
            "amanuensis_device_rounds_total" => labelled(name, "device", held(&self.devices).iter(), out),
            "amanuensis_device_operations_total" => {
                labelled(name, "device", gauges.receipt.placement.operations.iter(), out);
            }
            "amanuensis_device_fallbacks_total" => {
                let fallbacks = &gauges.receipt.placement.fallbacks;
                let windows: BTreeMap<&String, u64> =
                    fallbacks.iter().map(|(device, reasons)| (device, reasons.values().sum())).collect();
                labelled(name, "device", windows.iter(), out);
            }
            "amanuensis_transcriptions_total" => labelled(name, "result", held(&self.results).iter(), out),
            "amanuensis_segments_total" => count(out, &self.segments),
            "amanuensis_fallbacks_total" => count(out, &self.fallbacks),
            "amanuensis_flags_total" => labelled(name, "flag", held(&self.flags).iter(), out),
            "amanuensis_live_sessions" => plain(out, gauges.live.0 as f64),
            "amanuensis_live_lag_seconds" => plain(out, gauges.live.1),
            "amanuensis_live_seconds_total" => plain(out, self.live.load(Ordering::Relaxed) as f64 / 1e3),
            "amanuensis_models_loaded" => plain(out, gauges.models_loaded as f64),
            "amanuensis_models_bytes" => plain(out, gauges.models_bytes as f64),
            "amanuensis_jobs" => labelled(name, "status", gauges.jobs.iter(), out),
            "process_resident_memory_bytes" => {
                if let Some(bytes) = resident() {
                    plain(out, bytes as f64);
                }
            }
            _ => {}
        }
    }
}

fn labelled<'a, K: AsRef<str> + 'a>(
    name: &str,
    label: &str,
    values: impl Iterator<Item = (K, &'a u64)>,
    out: &mut String,
) {
    for (key, count) in values {
        let _ = writeln!(out, "{name}{{{label}=\"{}\"}} {count}", escaped(key.as_ref()));
    }
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

/// Bytes of memory that the process holds, where the system tells.
pub(crate) fn resident() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().trim_end_matches("kB").trim().parse::<u64>().ok().map(|kilobytes| kilobytes << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gauges() -> Gauges {
        let jobs = BTreeMap::from([("queued", 2)]);
        let work = (90.0, 1.0);
        let mut receipt = Receipt::default();
        receipt.did("cpu", 7);
        receipt.placement.fell_back("npu", "there is none", 3);
        Gauges { queued_seconds: 1.5, open: 1, work, receipt, live: (2, 0.5), models_loaded: 1, models_bytes: 5, jobs }
    }

    #[test]
    fn the_manual_has_the_table() {
        let manual = include_str!("../../../docs/server.md");
        for (name, kind, about) in FIGURES {
            assert!(manual.contains(&format!("| `{name}` | {kind} | {about} |\n")), "{name}");
        }
    }

    #[test]
    fn every_figure_stands_on_the_page_with_its_kind() {
        let metrics = Metrics::new();
        metrics.request("/v1/models", 200, Duration::from_millis(3));
        metrics.waited(Duration::from_secs(2));
        let mut receipt = Receipt::default();
        receipt.ran_on("a \"device\"");
        receipt.windows = 3;
        metrics.round(&receipt);
        let page = metrics.page(&gauges());
        for (name, kind, _) in FIGURES {
            assert!(page.contains(&format!("# TYPE {name} {kind}\n")), "{name}");
        }
        assert!(page.contains("amanuensis_requests_total{endpoint=\"/v1/models\",status=\"200\"} 1\n"));
        assert!(page.contains("amanuensis_request_seconds_bucket{endpoint=\"/v1/models\",le=\"0.005\"} 1\n"));
        assert!(
            page.contains("amanuensis_round_windows_bucket{le=\"2\"} 0\namanuensis_round_windows_bucket{le=\"4\"} 1\n")
        );
        assert!(page.contains("amanuensis_device_rounds_total{device=\"a \\\"device\\\"\"} 1\n"));
        assert!(page.contains("amanuensis_device_operations_total{device=\"cpu\"} 7\n"));
        assert!(page.contains("amanuensis_device_fallbacks_total{device=\"npu\"} 3\n"));
        assert!(page.contains("amanuensis_jobs{status=\"queued\"} 2\n"));
        assert!(page.contains("amanuensis_sound_seconds_total 90\n"));
    }
}
