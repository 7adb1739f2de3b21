//! What the kernels reached, for people and for programs.

use serde::Serialize;

use super::measure::{Need, Times};
use super::roofs::Roof;
use crate::args::Group;
use crate::table::aligned;

/// The figures of one run.
#[derive(Serialize)]
pub(super) struct Report {
    /// The instruction set of the kernels.
    pub(super) isa: &'static str,
    pub(super) threads: usize,
    pub(super) roofs: Vec<Roof>,
    pub(super) operations: Vec<Measured>,
}

/// What an operation takes, and how near that is to what it could take at least.
#[derive(Serialize)]
pub(super) struct Measured {
    group: String,
    name: String,
    /// The instruction set it was computed with; none where it is not the kernels'.
    isa: Option<&'static str>,
    best_seconds: f64,
    median_seconds: f64,
    iterations: usize,
    /// Where it needs arithmetic that there is a roof for.
    operations_per_second: Option<f64>,
    bytes_per_second: Option<f64>,
    /// The name of the roof that is nearest.
    roof: Option<String>,
    /// The least time that the roof allows over the best that was measured: 1 is at the roof.
    share_of_roof: Option<f64>,
}

impl Measured {
    pub(super) fn new(
        group: Group,
        name: String,
        isa: Option<&'static str>,
        times: Times,
        need: Option<Need>,
        bound: Option<(f64, &Roof)>,
    ) -> Measured {
        let rate = |amount: f64| (amount > 0.0).then_some(amount / times.best);
        Measured {
            group: group.name(),
            name,
            isa,
            best_seconds: times.best,
            median_seconds: times.median,
            iterations: times.samples,
            operations_per_second: need.and_then(|need| rate(need.operations)),
            bytes_per_second: need.and_then(|need| rate(need.bytes)),
            roof: bound.map(|(_, roof)| roof.name.clone()),
            share_of_roof: bound.map(|(seconds, _)| seconds / times.best),
        }
    }
}

const HEADINGS: [&str; 8] = ["operation", "best", "median", "GOP/s", "GB/s", "share", "kernels", "of roof"];

/// The roofs, then the operations.
pub(super) fn text(report: &Report) -> String {
    let plural = if report.threads == 1 { "" } else { "s" };
    let mut lines = vec![format!("{} kernels, {} thread{plural}", report.isa, report.threads)];
    let mut rows = vec![["roof", "at most", "instruction"].map(str::to_owned).to_vec()];
    rows.extend(report.roofs.iter().map(|roof| {
        let unit = if roof.unit == "bytes" { "GB/s" } else { "GOP/s" };
        let speed = format!("{:.1} {unit}", roof.per_second / 1e9);
        vec![roof.name.clone(), speed, roof.instruction.unwrap_or_default().to_owned()]
    }));
    lines.extend(aligned(&rows));
    if !report.operations.is_empty() {
        lines.push(String::new());
        let mut rows = vec![HEADINGS.map(str::to_owned).to_vec()];
        rows.extend(report.operations.iter().map(row));
        lines.extend(aligned(&rows));
    }
    lines.join("\n")
}

fn row(measured: &Measured) -> Vec<String> {
    let giga = |rate: Option<f64>| rate.map_or(String::new(), |rate| format!("{:.1}", rate / 1e9));
    vec![
        measured.name.clone(),
        duration(measured.best_seconds),
        duration(measured.median_seconds),
        giga(measured.operations_per_second),
        giga(measured.bytes_per_second),
        measured.share_of_roof.map_or(String::new(), |share| format!("{:.0}%", 100.0 * share)),
        measured.isa.unwrap_or("-").to_owned(),
        measured.roof.clone().unwrap_or_default(),
    ]
}

fn duration(seconds: f64) -> String {
    if seconds < 1e-3 { format!("{:.2} us", 1e6 * seconds) } else { format!("{:.2} ms", 1e3 * seconds) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_see_each_operation_beside_its_roof() {
        let roof = |name: &str, unit, instruction| Roof { name: name.to_owned(), unit, instruction, per_second: 1e11 };
        let roofs = vec![roof("multiply-add", "operations", Some("fma")), roof("read", "bytes", None)];
        let times = |best| Times { best, median: 2.0 * best, samples: 5 };
        let need = Need { arithmetic: |roofs| &roofs.multiply_add, operations: 1e8, bytes: 1e6 };
        let bound = Some((0.001, &roofs[0]));
        let operations = vec![
            Measured::new(Group::LinearManyRows, "linear".into(), Some("avx2"), times(0.002), Some(need), bound),
            Measured::new(Group::Mel, "mel".into(), None, times(0.000_005), None, None),
        ];
        let expected = "\
avx2 kernels, 1 thread
roof              at most  instruction
multiply-add  100.0 GOP/s          fma
read           100.0 GB/s

operation     best    median  GOP/s  GB/s  share  kernels       of roof
linear     2.00 ms   4.00 ms   50.0   0.5    50%     avx2  multiply-add
mel        5.00 us  10.00 us                            -";
        assert_eq!(text(&Report { isa: "avx2", threads: 1, roofs: roofs.clone(), operations }), expected);
    }
}
