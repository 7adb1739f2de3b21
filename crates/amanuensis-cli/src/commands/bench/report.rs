//! What was measured of a model, for people and for programs.

use amanuensis::model::Dims;
use serde::{Serialize, Serializer};

use super::roofs::Roofs;
use super::statistics::Summary;
use super::usage::Usage;
use super::work::Whole;
use crate::args::Measure;
use crate::table::aligned;

/// Names and figures in an order of their own, which JSON keeps.
type Figures = Vec<(&'static str, f64)>;

/// A model's figures.
#[derive(Serialize)]
pub(super) struct Report {
    pub(super) model: String,
    pub(super) device: String,
    pub(super) threads: usize,
    /// As it was asked for; the device says what `auto` came to.
    pub(super) compute_type: &'static str,
    /// The most memory that was resident at once, of everything measured in this run; only Linux says.
    pub(super) peak_memory_bytes: Option<u64>,
    /// Of the whole run.
    #[serde(flatten)]
    pub(super) usage: Usage,
    /// What `long` is.
    pub(super) long: Long,
    #[serde(serialize_with = "measures")]
    pub(super) measures: Vec<(Measure, Summary)>,
    /// Of the decoder alone, all windows of a batch counted.
    #[serde(serialize_with = "figures")]
    pub(super) tokens_per_second: Figures,
    /// Seconds of sound in a second of work.
    #[serde(serialize_with = "figures")]
    pub(super) realtime: Figures,
    /// What the stages of encoder and decoder took by the device's own clock, on GPUs.
    #[serde(serialize_with = "self::measures", skip_serializing_if = "Vec::is_empty")]
    pub(super) device_measures: Vec<(Measure, Summary)>,
    /// What the device can do at most, where that was measured, or why it was not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) roofs: Option<Roofs>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) roofs_missing: Option<String>,
    /// The part of its roof that a piece of work reaches.
    #[serde(serialize_with = "figures_of_measures", skip_serializing_if = "Vec::is_empty")]
    pub(super) of_roof: Vec<(Measure, f64)>,
    /// What could not be measured, and why.
    #[serde(serialize_with = "reasons", skip_serializing_if = "Vec::is_empty")]
    pub(super) failed: Vec<(Measure, String)>,
}

/// The long piece of work.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Long {
    /// Minutes of sound.
    pub(super) minutes: u32,
    /// Windows of it that are encoded and decoded together.
    pub(super) together: u32,
}

fn measures<S: Serializer>(measures: &[(Measure, Summary)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(measures.iter().map(|(measure, summary)| (measure.name(), summary)))
}

fn figures<S: Serializer>(figures: &Figures, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(figures.iter().copied())
}

fn figures_of_measures<S: Serializer>(figures: &[(Measure, f64)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(figures.iter().map(|(measure, figure)| (measure.name(), figure)))
}

fn reasons<S: Serializer>(reasons: &[(Measure, String)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(reasons.iter().map(|(measure, reason)| (measure.name(), reason)))
}

/// What part of its roof each piece of work reaches, by the device's clock where that tells.
pub(super) fn of_roof(
    roofs: &Roofs,
    dims: &Dims,
    measures: &[(Measure, Summary)],
    device: &[(Measure, Summary)],
) -> Vec<(Measure, f64)> {
    let seconds = |(measure, whole): &(Measure, Summary)| {
        let told = device.iter().find(|(of, summary)| of == measure && summary.median_seconds > 0.0);
        told.map_or(whole.median_seconds, |(_, summary)| summary.median_seconds)
    };
    let share = |of: &(Measure, Summary)| Some((of.0, roofs.share(of.0, dims, seconds(of))?));
    measures.iter().filter_map(share).collect()
}

/// How many tokens a second the decoder's steps come to.
pub(super) fn tokens_per_second(measures: &[(Measure, Summary)]) -> Figures {
    let steps = [
        ("greedy", Measure::DecodeStep, 1.0),
        ("batch4", Measure::DecodeStepBatch4, 4.0),
        ("batch8", Measure::DecodeStepBatch8, 8.0),
        ("greedy_step", Measure::GreedyStep, 1.0),
        ("greedy_step_batch8", Measure::GreedyStepBatch8, 8.0),
        ("greedy_step_batch64", Measure::GreedyStepBatch64, 64.0),
        ("greedy_step_batch256", Measure::GreedyStepBatch256, 256.0),
    ];
    rates(measures, &steps)
}

/// How many times faster than the sound itself the whole ways are.
pub(super) fn realtime(measures: &[(Measure, Summary)], long: &Whole) -> Figures {
    let ways = [
        ("window", Measure::Window, Whole::WINDOW.sound_seconds()),
        ("window_beam5", Measure::WindowBeam5, Whole::WINDOW_BEAM.sound_seconds()),
        ("long", Measure::Long, long.sound_seconds()),
    ];
    rates(measures, &ways)
}

/// An amount over the median of what it took, where that was measured.
fn rates(measures: &[(Measure, Summary)], wanted: &[(&'static str, Measure, f64)]) -> Figures {
    let median = |wanted: &Measure| {
        let (_, summary) = measures.iter().find(|(measure, _)| measure == wanted)?;
        (summary.median_seconds > 0.0).then_some(summary.median_seconds)
    };
    wanted.iter().filter_map(|(name, measure, amount)| Some((*name, amount / median(measure)?))).collect()
}

const HEADINGS: [&str; 7] = ["ms", "median", "mean", "min", "max", "deviation", "consistency"];

/// The table, and what was derived from it.
pub(super) fn text(report: &Report) -> String {
    let iterations = report.measures.first().map_or(0, |(_, summary)| summary.iterations);
    let plural = if iterations == 1 { "" } else { "s" };
    let mut lines = vec![format!("{} on {}, {iterations} iteration{plural}", report.model, report.device)];
    let mut rows = vec![HEADINGS.map(str::to_owned).to_vec()];
    rows.extend(report.measures.iter().map(|(measure, summary)| row(&measure.name(), summary)));
    lines.extend(aligned(&rows));
    let list = |figures: &Figures, unit: &str| {
        figures.iter().map(|(name, figure)| format!("{name} {figure:.1}{unit}")).collect::<Vec<_>>().join(", ")
    };
    if !report.tokens_per_second.is_empty() {
        lines.push(format!("tokens a second: {}", list(&report.tokens_per_second, "")));
    }
    if !report.realtime.is_empty() {
        lines.push(format!("realtime: {}", list(&report.realtime, "x")));
    }
    if !report.device_measures.is_empty() {
        let one = |(measure, summary): &(Measure, Summary)| {
            format!("{} {:.3} ms", measure.name(), 1000.0 * summary.median_seconds)
        };
        lines.push(format!("by the device's clock: {}", joined(&report.device_measures, one)));
    }
    lines.extend(report.roofs.map(|roofs| roofs.text()));
    lines.extend(report.roofs_missing.iter().map(|reason| format!("roofs not measured: {reason}")));
    if !report.of_roof.is_empty() {
        let one = |(measure, share): &(Measure, f64)| format!("{} {:.1}%", measure.name(), 100.0 * share);
        lines.push(format!("part of its roof: {}", joined(&report.of_roof, one)));
    }
    let Usage { cpu_seconds, wall_seconds, cpu_share } = report.usage;
    if let (Some(cpu), Some(share)) = (cpu_seconds, cpu_share) {
        let (threads, percent) = (report.threads, 100.0 * share);
        lines.push(format!(
            "processor: {cpu:.2} s in {wall_seconds:.2} s, {percent:.0}% of {threads} thread{}",
            if threads == 1 { "" } else { "s" }
        ));
    }
    if let Some(bytes) = report.peak_memory_bytes {
        lines.push(format!("memory at most: {} MiB", bytes >> 20));
    }
    lines.extend(report.failed.iter().map(|(measure, reason)| format!("{} not measured: {reason}", measure.name())));
    lines.join("\n")
}

fn joined<T>(all: &[T], one: impl Fn(&T) -> String) -> String {
    all.iter().map(one).collect::<Vec<_>>().join(", ")
}

fn row(name: &str, summary: &Summary) -> Vec<String> {
    let Summary { median_seconds, mean_seconds, min_seconds, max_seconds, deviation_seconds, .. } = *summary;
    let times = [median_seconds, mean_seconds, min_seconds, max_seconds, deviation_seconds];
    let mut row = vec![name.to_owned()];
    row.extend(times.map(|seconds| format!("{:.3}", 1000.0 * seconds)));
    row.push(format!("{:.1}%", summary.consistency));
    row
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn report() -> Report {
        let times = |milliseconds: u64| Summary::of(&[Duration::from_millis(milliseconds)]).unwrap();
        let measures = vec![
            (Measure::Encoder, times(500)),
            (Measure::DecodeStep, times(5)),
            (Measure::DecodeStepBatch4, times(10)),
            (Measure::Window, times(1500)),
        ];
        Report {
            model: "demo".to_owned(),
            device: "cpu".to_owned(),
            threads: 2,
            compute_type: "f32",
            peak_memory_bytes: Some(5 << 20),
            usage: Usage { cpu_seconds: Some(3.0), wall_seconds: 2.0, cpu_share: Some(0.75) },
            long: Long { minutes: 10, together: 5 },
            tokens_per_second: tokens_per_second(&measures),
            realtime: realtime(&measures, &Whole::long(10, 5)),
            measures,
            device_measures: Vec::new(),
            roofs: None,
            roofs_missing: None,
            of_roof: Vec::new(),
            failed: Vec::new(),
        }
    }

    #[test]
    fn what_was_not_measured_has_no_figure() {
        let report = report();
        assert_eq!(report.tokens_per_second, [("greedy", 200.0), ("batch4", 400.0)]);
        assert_eq!(report.realtime, [("window", 20.0)]);
        assert_eq!(rates(&[], &[("none", Measure::Mel, 1.0)]), []);
    }

    #[test]
    fn programs_find_every_figure_by_its_name() {
        let json = serde_json::to_value(report()).unwrap();
        assert_eq!(json["measures"]["decode_step_batch4"]["median_seconds"], 0.010);
        assert_eq!(json["measures"]["encoder"]["iterations"], 1);
        assert_eq!((&json["cpu_seconds"], &json["cpu_share"]), (&3.0.into(), &0.75.into()));
        assert_eq!((&json["tokens_per_second"]["greedy"], &json["realtime"]["window"]), (&200.0.into(), &20.0.into()));
        // What only GPUs have is not there.
        for absent in ["device_measures", "roofs", "roofs_missing", "of_roof", "failed"] {
            assert!(json.get(absent).is_none(), "{absent}");
        }
    }

    /// As on a GPU: two of its clock's times, and a piece that failed.
    fn on_a_gpu() -> Report {
        let (mut report, base) = (report(), super::super::roofs::tests::LARGE_V3);
        let roofs = Roofs { operations_per_second: 1e14, side: 8192, bytes_per_second: 4e12, copied: 1 << 30 };
        let device = [(Measure::Encoder, 100), (Measure::DecodeStep, 4)];
        let time = |(measure, milliseconds)| (measure, Summary::of(&[Duration::from_millis(milliseconds)]).unwrap());
        report.device_measures = device.map(time).to_vec();
        report.of_roof = of_roof(&roofs, &base, &report.measures, &report.device_measures);
        report.roofs = Some(roofs);
        report.failed = vec![(Measure::Long, "the GPU has no 10 bytes".to_owned())];
        report
    }

    #[test]
    fn a_gpu_has_its_clock_its_roofs_and_their_parts() {
        let json = serde_json::to_value(on_a_gpu()).unwrap();
        assert_eq!(json["device_measures"]["decode_step"]["median_seconds"], 0.004);
        assert_eq!((&json["roofs"]["side"], &json["long"]["minutes"]), (&8192.into(), &10.into()));
        // 2273.7 G operations in the 100 ms of the device's clock, and not in the 500 of the host's.
        let share = json["of_roof"]["encoder"].as_f64().unwrap();
        assert!((share - 0.227).abs() < 1e-3, "{share}");
        // Where only the host's clock tells, it does.
        assert!(json["of_roof"]["decode_step_batch4"].as_f64().unwrap() > 0.0);
        assert_eq!(json["failed"]["long"], "the GPU has no 10 bytes");
        let text = text(&on_a_gpu());
        for line in [
            "by the device's clock: encoder 100.000 ms, decode_step 4.000 ms",
            "roofs: 100.0 T operations a second (product of 8192 x 8192, f16), 4.00 TB/s read and written (copy of 1024 MiB)",
            "long not measured: the GPU has no 10 bytes",
        ] {
            assert!(text.lines().any(|found| found == line), "{text}");
        }
    }

    #[test]
    fn people_find_a_table() {
        let expected = "\
demo on cpu, 1 iteration
ms                    median      mean       min       max  deviation  consistency
encoder              500.000   500.000   500.000   500.000      0.000       100.0%
decode_step            5.000     5.000     5.000     5.000      0.000       100.0%
decode_step_batch4    10.000    10.000    10.000    10.000      0.000       100.0%
window              1500.000  1500.000  1500.000  1500.000      0.000       100.0%
tokens a second: greedy 200.0, batch4 400.0
realtime: window 20.0x
processor: 3.00 s in 2.00 s, 75% of 2 threads
memory at most: 5 MiB";
        assert_eq!(text(&report()), expected);
    }
}
