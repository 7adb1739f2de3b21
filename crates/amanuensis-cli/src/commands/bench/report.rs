//! What was measured of a model, for people and for programs.

use serde::{Serialize, Serializer};

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
    #[serde(serialize_with = "measures")]
    pub(super) measures: Vec<(Measure, Summary)>,
    /// Of the decoder alone, all windows of a batch counted.
    #[serde(serialize_with = "figures")]
    pub(super) tokens_per_second: Figures,
    /// Seconds of sound in a second of work.
    #[serde(serialize_with = "figures")]
    pub(super) realtime: Figures,
}

fn measures<S: Serializer>(measures: &[(Measure, Summary)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(measures.iter().map(|(measure, summary)| (measure.name(), summary)))
}

fn figures<S: Serializer>(figures: &Figures, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(figures.iter().copied())
}

/// How many tokens a second the decoder's steps come to.
pub(super) fn tokens_per_second(measures: &[(Measure, Summary)]) -> Figures {
    let steps = [
        ("greedy", Measure::DecodeStep, 1.0),
        ("batch4", Measure::DecodeStepBatch4, 4.0),
        ("batch8", Measure::DecodeStepBatch8, 8.0),
    ];
    rates(measures, &steps)
}

/// How many times faster than the sound itself the whole ways are.
pub(super) fn realtime(measures: &[(Measure, Summary)]) -> Figures {
    let ways = [
        ("window", Measure::Window, Whole::WINDOW.sound_seconds()),
        ("window_beam5", Measure::WindowBeam5, Whole::WINDOW_BEAM.sound_seconds()),
        ("long", Measure::Long, Whole::LONG.sound_seconds()),
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
    lines.join("\n")
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
            tokens_per_second: tokens_per_second(&measures),
            realtime: realtime(&measures),
            measures,
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
