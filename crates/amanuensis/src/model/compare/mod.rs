//! Two models beside each other: every tensor, every setting, every token, whatever files they come from.

mod numbers;
mod rounding;
mod settings;

use std::collections::BTreeSet;

use serde::Serialize;

use super::progress::Steps;
use super::{Encoding, Format, ModelFile, Progress, Stopped, Tensor};
pub use numbers::Errors;
pub use settings::Difference;

/// What two models have in common.
#[derive(Debug, Clone, Serialize)]
pub struct Comparison {
    /// The first model.
    pub one: Side,
    /// The second.
    pub other: Side,
    /// Every tensor that one of them has, in the order of the computation, those that are no part of a model last.
    pub tensors: Vec<TensorComparison>,
    /// All tensors together, as one long vector.
    pub total: Errors,
    /// Settings and tokens that are not the same.
    pub differences: Vec<Difference>,
    /// What it comes to.
    pub verdict: Verdict,
}

/// One of the models.
#[derive(Debug, Clone, Serialize)]
pub struct Side {
    /// What it is called.
    pub name: String,
    /// Kind of its files.
    pub format: Format,
    /// Bytes of the tensors that are part of the model, with their scales.
    pub bytes: u64,
}

/// One tensor in both models.
#[derive(Debug, Clone, Serialize)]
pub struct TensorComparison {
    /// Canonical name.
    pub name: String,
    /// The tensor in the first model, if it is there.
    pub one: Option<Written>,
    /// The tensor in the second.
    pub other: Option<Written>,
    /// Whether it is part of both models.
    pub used: bool,
    /// How far apart the numbers are; none where there are not two tensors of one shape that hold weights.
    pub errors: Option<Errors>,
    /// What it comes to.
    pub verdict: TensorVerdict,
}

/// How a model's files hold a tensor.
#[derive(Debug, Clone, Serialize)]
pub struct Written {
    /// How the numbers are written.
    pub dtype: Encoding,
    /// Lengths of the axes.
    pub shape: Vec<usize>,
    /// Bytes, with those of the scales.
    pub bytes: u64,
}

/// What the comparison of a tensor comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TensorVerdict {
    /// All numbers are the same.
    Equal,
    /// No number is farther off than rounding to what it is written as explains.
    Rounded,
    /// No number is farther off than was allowed.
    Tolerated,
    /// Some number is.
    Different,
    /// Their shapes differ.
    Shapes,
    /// Only the first model has it.
    OnlyInOne,
    /// Only the second model has it.
    OnlyInOther,
    /// It is not of a kind that weights are of.
    NoWeights,
}

/// What the comparison of two models comes to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "is")]
pub enum Verdict {
    /// All numbers, settings and tokens are the same.
    Equal,
    /// Settings and tokens are the same, and the numbers but for rounding.
    Rounded {
        /// What they were rounded to.
        to: Vec<String>,
    },
    /// Settings and tokens are the same, and the numbers as near as was allowed.
    Tolerated,
    /// They are different models.
    Different {
        /// Tensors that are not the same.
        tensors: usize,
        /// Settings and kinds of tokens that are not the same.
        settings: usize,
    },
}

/// Compares two models. Numbers that are no farther apart than `tolerance` pass for the same.
pub fn compare(
    one: &ModelFile,
    other: &ModelFile,
    tolerance: f32,
    progress: &mut Progress<'_>,
) -> Result<Comparison, Stopped> {
    let expected = [one, other].map(|model| model.dims.tensors());
    let used: BTreeSet<&str> = expected.iter().flatten().map(|(name, _)| name.as_str()).collect();
    let mut names: Vec<&str> = expected[0].iter().map(|(name, _)| name.as_str()).collect();
    let mut listed: BTreeSet<&str> = names.iter().copied().collect();
    let others = expected[1].iter().map(|(name, _)| name.as_str());
    for name in others.chain(one.weights.names()).chain(other.weights.names()) {
        if listed.insert(name) {
            names.push(name);
        }
    }
    let mut steps = Steps::through(&one.dims, progress);
    let mut total = numbers::Sums::default();
    let mut rounded_to = BTreeSet::new();
    let mut tensors = Vec::with_capacity(names.len());
    for name in names {
        let pair = (one.weights.get(name), other.weights.get(name));
        let used = used.contains(name);
        steps.next(name, if used { pair.0.map_or(0, |tensor| tensor.count()) } else { 0 })?;
        let (errors, verdict) = judge(pair, tolerance, used, &mut total);
        if verdict == TensorVerdict::Rounded {
            let encodings = [pair.0, pair.1].into_iter().flatten().map(|tensor| tensor.encoding);
            rounded_to.extend(encodings.filter(|encoding| rounding::rounds(encoding)).map(Encoding::to_string));
        }
        let written = |tensor: Tensor<'_>| Written {
            dtype: tensor.encoding.clone(),
            shape: tensor.shape.to_vec(),
            bytes: tensor.stored_bytes() as u64,
        };
        let (one, other) = (pair.0.map(written), pair.1.map(written));
        tensors.push(TensorComparison { name: name.to_owned(), one, other, used, errors, verdict });
    }
    steps.end();
    let differences = settings::compare(one, other);
    let verdict = verdict(&tensors, &differences, rounded_to);
    let side = |model: &ModelFile, written: fn(&TensorComparison) -> &Option<Written>| Side {
        name: model.name.clone(),
        format: model.format,
        bytes: tensors
            .iter()
            .filter(|tensor| tensor.used)
            .filter_map(|tensor| Some(written(tensor).as_ref()?.bytes))
            .sum(),
    };
    Ok(Comparison {
        one: side(one, |tensor| &tensor.one),
        other: side(other, |tensor| &tensor.other),
        total: total.errors(),
        differences,
        verdict,
        tensors,
    })
}

type Pair<'a> = (Option<Tensor<'a>>, Option<Tensor<'a>>);

fn judge(pair: Pair<'_>, tolerance: f32, used: bool, total: &mut numbers::Sums) -> (Option<Errors>, TensorVerdict) {
    let (one, other) = match pair {
        (Some(one), Some(other)) => (one, other),
        (Some(_), None) => return (None, TensorVerdict::OnlyInOne),
        _ => return (None, TensorVerdict::OnlyInOther),
    };
    if one.shape != other.shape {
        return (None, TensorVerdict::Shapes);
    }
    if !one.encoding.is_weight() || !other.encoding.is_weight() {
        return (None, TensorVerdict::NoWeights);
    }
    let sums = numbers::compare(&one, &other);
    if used {
        total.add(&sums);
    }
    let errors = sums.errors();
    let verdict = match () {
        () if sums.is_equal() => TensorVerdict::Equal,
        () if sums.is_rounded() => TensorVerdict::Rounded,
        () if errors.largest <= f64::from(tolerance) => TensorVerdict::Tolerated,
        () => TensorVerdict::Different,
    };
    (Some(errors), verdict)
}

/// Tensors that are part of no model, and settings that one model does not say, are told and not counted.
fn verdict(tensors: &[TensorComparison], differences: &[Difference], rounded_to: BTreeSet<String>) -> Verdict {
    use TensorVerdict::{Equal, Rounded, Tolerated};
    let used = || tensors.iter().filter(|tensor| tensor.used).map(|tensor| tensor.verdict);
    let apart = used().filter(|verdict| !matches!(verdict, Equal | Rounded | Tolerated)).count();
    let settings = differences.iter().filter(|difference| difference.counts).count();
    match () {
        () if apart + settings > 0 => Verdict::Different { tensors: apart, settings },
        () if used().any(|verdict| verdict == Tolerated) => Verdict::Tolerated,
        () if used().any(|verdict| verdict == Rounded) => Verdict::Rounded { to: rounded_to.into_iter().collect() },
        () => Verdict::Equal,
    }
}

impl Verdict {
    /// Whether the models are the same, as far as what they are written as allows.
    pub fn is_same(&self) -> bool {
        !matches!(self, Self::Different { .. })
    }
}
