//! `inspect`: what a model is, and what is in its files.

use std::fmt::Write as _;

use amanuensis::model::inspect::{self, LayerSummary, Summary, TensorSummary};
use amanuensis::model::{self, Source};
use anyhow::Context;

use super::weights::size;
use super::{Stop, weights};
use crate::args::Inspect;
use crate::console::{self, say};
use crate::interrupt::INTERRUPTED;
use crate::table;

pub(super) fn run(asked: &Inspect) -> Result<u8, Stop> {
    let source = Source::resolve(&asked.model).map_err(anyhow::Error::new)?;
    let file = model::open(&source).map_err(anyhow::Error::new)?;
    let mut summary = inspect::summary(&file);
    if asked.stats
        && weights::with_bar("reading", |progress| inspect::add_statistics(&mut summary, &file, progress)).is_err()
    {
        return Ok(INTERRUPTED);
    }
    for warning in &summary.warnings {
        say!("warning: {warning}");
    }
    if asked.json {
        let json = serde_json::to_string_pretty(&summary).context("the summary cannot be written as JSON")?;
        console::print(format_args!("{json}"))?;
    } else {
        console::print(format_args!("{}", console::visible_lines(text(&summary, file.format).trim_end())))?;
    }
    Ok(0)
}

/// The model in a few lines, its layers, its tensors.
fn text(summary: &Summary, format: model::Format) -> String {
    let dims = &summary.dims;
    let heads: Vec<String> = summary.alignment_heads.iter().map(|(layer, head)| format!("{layer}.{head}")).collect();
    let facts = [
        ("model", format!("{}: {}", summary.name, summary.description)),
        ("files", format!("{format}, {} of weights", size(summary.file_bytes))),
        (
            "memory",
            format!(
                "{} in f32, {} in f16 or bf16, {} in int8, {} in int4",
                size(summary.f32_bytes),
                size(summary.f16_bytes),
                size(summary.int8_bytes),
                size(summary.int4_bytes)
            ),
        ),
        (
            "encoder",
            format!(
                "{} layers, width {}, {} heads, feed-forward {}, {} positions, {} mel bands",
                dims.audio_layers,
                dims.audio_width,
                dims.audio_heads,
                dims.audio_feed_forward,
                dims.audio_context,
                dims.mel_bins
            ),
        ),
        (
            "decoder",
            format!(
                "{} layers, width {}, {} heads, feed-forward {}, {} positions",
                dims.text_layers, dims.text_width, dims.text_heads, dims.text_feed_forward, dims.text_context
            ),
        ),
        ("tokens", format!("{} in a table of {} rows", summary.tokens, dims.vocabulary)),
        ("languages", languages(summary)),
        (
            "alignment",
            if heads.is_empty() { "no heads".to_owned() } else { format!("heads (layer.head) {}", heads.join(" ")) },
        ),
    ];
    let mut text = String::new();
    for (name, value) in facts {
        // Writing to a String does not fail, here and below.
        let _ = writeln!(text, "{name:10} {value}");
    }
    let layer_width = widest(summary.layers.iter().map(|layer| layer.name.as_str()), "layer");
    let _ = writeln!(text, "\n{:layer_width$}  {:>12}  {:>12}  types", "layer", "parameters", "bytes");
    for layer in &summary.layers {
        let LayerSummary { name, parameters, bytes, dtypes, .. } = layer;
        let _ = writeln!(text, "{name:layer_width$}  {parameters:>12}  {bytes:>12}  {}", dtypes.join(", "));
    }
    let bytes: u64 = summary.layers.iter().map(|layer| layer.bytes).sum();
    let _ = writeln!(text, "{:layer_width$}  {:>12}  {:>12}", "all", summary.parameters, bytes);

    let tensor_width = widest(summary.tensors.iter().map(|tensor| tensor.name.as_str()), "tensor");
    let _ = writeln!(text, "\n{:tensor_width$}  {:5}  {:>12}  {:>12}  shape", "tensor", "type", "parameters", "bytes");
    for tensor in &summary.tensors {
        let shape = tensor.shape.iter().map(usize::to_string).collect::<Vec<_>>().join(" x ");
        let unused = if tensor.used { "" } else { "  (not part of the model)" };
        let _ = writeln!(
            text,
            "{:tensor_width$}  {:5}  {:>12}  {:>12}  {shape}{unused}",
            tensor.name,
            tensor.dtype.to_string(),
            tensor.parameters,
            tensor.bytes
        );
    }
    let statistics = summary.tensors.iter().filter_map(statistics_row);
    let rows: Vec<Vec<String>> = [STATISTICS.map(str::to_owned).to_vec()].into_iter().chain(statistics).collect();
    if rows.len() > 1 {
        let _ = writeln!(text);
        for line in table::aligned(&rows) {
            let _ = writeln!(text, "{line}");
        }
    }
    text
}

const STATISTICS: [&str; 9] =
    ["tensor", "min", "max", "mean", "std", "outliers", "not finite", "output ratio", "input ratio"];

/// What the numbers of a tensor are like.
fn statistics_row(tensor: &TensorSummary) -> Option<Vec<String>> {
    let found = tensor.statistics?;
    let number = |number: f64| format!("{number:.4}");
    let ratio = |ratio: Option<f64>| ratio.map(|ratio| format!("{ratio:.1}")).unwrap_or_default();
    Some(vec![
        tensor.name.clone(),
        number(found.min),
        number(found.max),
        format!("{:.1e}", found.mean),
        number(found.std),
        if found.outliers == 0.0 { "0".to_owned() } else { format!("{:.1e}", found.outliers) },
        if found.not_finite == 0 { String::new() } else { found.not_finite.to_string() },
        ratio(found.output_ratio),
        ratio(found.input_ratio),
    ])
}

fn languages(summary: &Summary) -> String {
    match summary.languages.as_slice() {
        _ if !summary.multilingual => "English only".to_owned(),
        languages => format!("{}: {}", languages.len(), languages.join(" ")),
    }
}

fn widest<'a>(names: impl Iterator<Item = &'a str>, heading: &str) -> usize {
    names.map(str::len).chain([heading.len()]).max().unwrap_or(0)
}
