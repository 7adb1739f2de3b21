//! `inspect`: what a model is, and what is in its files.

use std::fmt::Write as _;

use amanuensis::model;
use amanuensis::model::inspect::{self, Summary};
use anyhow::Context;

use super::{Stop, load};
use crate::args::{Inspect, ProgressStyle};
use crate::console::{self, say};

pub(super) fn run(asked: &Inspect) -> Result<u8, Stop> {
    let source = load::source(&asked.model, &asked.fetching, ProgressStyle::Auto)?;
    let file = model::open(&source).map_err(anyhow::Error::new)?;
    let summary = inspect::summary(&file);
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
                "{} in f32, {} in f16, {} in int8",
                size(summary.f32_bytes),
                size(summary.f16_bytes),
                size(summary.int8_bytes)
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
    let _ = writeln!(text, "\n{:layer_width$}  {:>12}  {:>12}", "layer", "parameters", "bytes");
    for layer in &summary.layers {
        let _ = writeln!(text, "{:layer_width$}  {:>12}  {:>12}", layer.name, layer.parameters, layer.bytes);
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
    text
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

/// Bytes as a person reads them, in powers of ten.
fn size(bytes: u64) -> String {
    match bytes {
        0..1_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", bytes as f64 / 1e6),
        _ => format!("{:.2} GB", bytes as f64 / 1e9),
    }
}
