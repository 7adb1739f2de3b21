//! `diff`: two models, tensor by tensor, setting by setting.

use amanuensis::model::compare::{self, Comparison, TensorComparison, TensorVerdict};

use super::{FAILED, Stop, weights};
use crate::args::Diff;
use crate::console;
use crate::interrupt::INTERRUPTED;
use crate::table;

pub(super) fn run(asked: &Diff) -> Result<u8, Stop> {
    let (one, other) = (weights::open(&asked.one)?, weights::open(&asked.other)?);
    let compared = weights::with_bar("comparing", |progress| compare::compare(&one, &other, asked.tolerance, progress));
    let Ok(comparison) = compared else { return Ok(INTERRUPTED) };
    if asked.json {
        weights::print_json(&comparison)?;
    } else {
        for line in text(&comparison, asked.all) {
            console::print(format_args!("{}", console::visible(&line)))?;
        }
    }
    Ok(if comparison.verdict.is_same() { 0 } else { FAILED })
}

fn text(comparison: &Comparison, all: bool) -> Vec<String> {
    let mut rows =
        vec![["tensor", "one", "other", "", "largest", "mean", "relative", "cosine"].map(str::to_owned).to_vec()];
    let listed = |tensor: &&TensorComparison| all || tensor.verdict != TensorVerdict::Equal;
    rows.extend(comparison.tensors.iter().filter(listed).map(row));
    let mut lines = Vec::new();
    for (name, side) in [("one", &comparison.one), ("other", &comparison.other)] {
        lines.push(format!("{name:6} {}: {}, {} of weights", side.name, side.format, weights::size(side.bytes)));
    }
    if rows.len() > 1 {
        lines.push(String::new());
        lines.extend(table::aligned(&rows));
    }
    let settings = weights::settings(comparison);
    if !settings.is_empty() {
        lines.push(String::new());
        lines.extend(settings);
    }
    let equal = comparison.tensors.iter().filter(|tensor| tensor.verdict == TensorVerdict::Equal).count();
    let [largest, mean, ..] = weights::cells(Some(&comparison.total));
    lines.push(String::new());
    lines.push(format!(
        "{equal} of {} tensors equal; largest difference {largest}, mean {mean}",
        comparison.tensors.len()
    ));
    lines.push(weights::verdict(&comparison.verdict));
    lines
}

fn row(tensor: &TensorComparison) -> Vec<String> {
    let shape = |shape: &[usize]| shape.iter().map(usize::to_string).collect::<Vec<_>>().join("x");
    let side = |side: &Option<compare::Written>| match side {
        Some(side) if tensor.verdict == TensorVerdict::Shapes => format!("{} {}", side.dtype, shape(&side.shape)),
        Some(side) => side.dtype.to_string(),
        None => "absent".to_owned(),
    };
    let word = match tensor.verdict {
        TensorVerdict::Equal => "equal",
        TensorVerdict::Rounded => "rounded",
        TensorVerdict::Tolerated => "tolerated",
        TensorVerdict::Different => "different",
        TensorVerdict::Shapes => "other shape",
        TensorVerdict::NoWeights => "no weights",
        TensorVerdict::OnlyInOne | TensorVerdict::OnlyInOther if tensor.used => "missing",
        TensorVerdict::OnlyInOne | TensorVerdict::OnlyInOther => "not used",
    };
    let named = [tensor.name.clone(), side(&tensor.one), side(&tensor.other), word.to_owned()];
    named.into_iter().chain(weights::cells(tensor.errors.as_ref())).collect()
}
