//! `quantize`: a model in fewer bits, and what that costs, tensor by tensor.

use std::collections::BTreeSet;
use std::sync::atomic::AtomicBool;

use amanuensis::model::ModelFile;
use amanuensis::model::compare::{Comparison, TensorComparison};
use amanuensis::model::quantize::{Granularity, Smoothed, smooth};
use amanuensis::model::write::{self, Order};
use serde_json::json;

use super::weights::{self, Written};
use super::{Stop, calibrate, usage};
use crate::args::Quantize;
use crate::console;
use crate::interrupt;
use crate::{pattern, table};

pub(super) fn run(asked: &Quantize) -> Result<u8, Stop> {
    let mut order = Order::new(asked.format, asked.to);
    if asked.per_tensor {
        order.granularity = Granularity::Tensor;
    }
    // What is kept is known when the model is open; whether anything can be, is known before.
    order.keep.extend(asked.keep.iter().cloned());
    order.check().map_err(usage)?;
    write::check_place(asked.format, &asked.place.output, asked.place.force).map_err(anyhow::Error::new)?;
    let model = weights::open(&asked.model)?;
    order.keep = kept(&model, &asked.keep)?;
    let cancel = interrupt::listen();
    let (model, smoothed) = match smoothed(model, asked, cancel) {
        _ if interrupt::asked() => return Ok(weights::interrupted()),
        smoothed => smoothed?,
    };
    let comparison = match weights::write(&model, &asked.model, &order, &asked.place)? {
        Written::Interrupted => return Ok(weights::interrupted()),
        Written::Whole(comparison) => comparison,
    };
    weights::tell_losses(&comparison);
    if asked.place.json {
        weights::print_json(&json!({
            "format": asked.format.name, "type": order.kind, "output": asked.place.output, "comparison": comparison,
            "smoothed": smoothed,
        }))?;
    } else {
        let smoothed = smoothed.iter().flat_map(smoothing);
        for line in smoothed.chain(report(&comparison)) {
            console::print(format_args!("{}", console::visible(&line)))?;
        }
    }
    Ok(0)
}

/// The model, smoothed if recordings were given.
fn smoothed(model: ModelFile, asked: &Quantize, cancel: &AtomicBool) -> anyhow::Result<(ModelFile, Option<Smoothed>)> {
    if asked.calibrate.is_empty() {
        return Ok((model, None));
    }
    let activations = calibrate::activations(&model, &asked.calibrate, cancel)?;
    let (model, smoothed) = smooth(model, &activations, asked.smoothing)?;
    Ok((model, Some(smoothed)))
}

/// What smoothing changed, as a table.
fn smoothing(smoothed: &Smoothed) -> Vec<String> {
    let heading =
        ["largest to median channel", "activations", "after", "weights", "after", "error", "channels changed"];
    let mut rows = vec![heading.map(str::to_owned).to_vec()];
    rows.extend(smoothed.parts.iter().map(|part| {
        let ratios = [part.activations_before, part.activations_after, part.weights_before, part.weights_after];
        let ratios = ratios.map(|ratio| format!("{ratio:.1}"));
        let last = [format!("x {:.2}", part.error), part.changed.to_string()];
        [part.norm.clone()].into_iter().chain(ratios).chain(last).collect()
    }));
    let mut lines = table::aligned(&rows);
    lines.push(String::new());
    lines
}

/// The tensors that patterns choose. A pattern that chooses none is an error, or a slip of the pen would cost precision.
fn kept(model: &ModelFile, patterns: &[String]) -> Result<BTreeSet<String>, Stop> {
    let mut kept = BTreeSet::new();
    for wanted in patterns {
        let tensors = model.dims.tensors().into_iter().map(|(name, _)| name);
        let before = kept.len();
        let chosen: Vec<String> = tensors.filter(|name| pattern::fits(wanted, name)).collect();
        kept.extend(chosen.iter().cloned());
        if chosen.is_empty() && kept.len() == before {
            return Err(Stop::Usage(format!(
                "--keep {wanted:?} fits no tensor of this model; `amanuensis inspect` lists their names"
            )));
        }
    }
    Ok(kept)
}

/// The table.
fn report(comparison: &Comparison) -> Vec<String> {
    let mut rows = vec![
        ["tensor", "from", "to", "bytes before", "after", "largest error", "mean", "relative", "cosine"]
            .map(str::to_owned)
            .to_vec(),
    ];
    rows.extend(comparison.tensors.iter().filter(|tensor| tensor.used).filter_map(row));
    let [largest, mean, relative, cosine] = weights::cells(Some(&comparison.total));
    let (before, after) = (comparison.one.bytes.to_string(), comparison.other.bytes.to_string());
    rows.push(vec!["all".to_owned(), String::new(), String::new(), before, after, largest, mean, relative, cosine]);
    let mut lines = table::aligned(&rows);
    lines.push(String::new());
    lines.push(format!(
        "{} before, {} after: {:.1} %",
        weights::size(comparison.one.bytes),
        weights::size(comparison.other.bytes),
        100.0 * comparison.other.bytes as f64 / comparison.one.bytes.max(1) as f64,
    ));
    lines
}

fn row(tensor: &TensorComparison) -> Option<Vec<String>> {
    let (one, other) = (tensor.one.as_ref()?, tensor.other.as_ref()?);
    let named = [tensor.name.clone(), one.dtype.to_string(), other.dtype.to_string()];
    let sizes = [one.bytes.to_string(), other.bytes.to_string()];
    Some(named.into_iter().chain(sizes).chain(weights::cells(tensor.errors.as_ref())).collect())
}
