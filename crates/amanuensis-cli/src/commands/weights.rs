//! What the verbs that read and write whole models share: opening them, showing how far the work is, and writing a model
//! that is read back and compared before it appears.

use std::ops::ControlFlow;
use std::path::Path;

use amanuensis::model::compare::{self, Comparison, Errors, TensorVerdict, Verdict};
use amanuensis::model::write::{self, Order, WriteError};
use amanuensis::model::{self, ModelFile, Progress, Source, Stopped};
use anyhow::{Context, bail};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::Stop;
use crate::args::Place;
use crate::console::{self, say, set_bar};
use crate::interrupt::{self, INTERRUPTED};

/// Opens a model by its name, and says what is odd about it.
pub(super) fn open(name: &str) -> anyhow::Result<ModelFile> {
    let model = model::open(&Source::resolve(name)?)?;
    for warning in &model.warnings {
        say!("warning: {warning}");
    }
    Ok(model)
}

/// A bar over all numbers of a model, on a terminal. Ctrl-C ends the work.
pub(super) fn with_bar<T>(doing: &str, work: impl FnOnce(&mut Progress<'_>) -> T) -> T {
    let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr_with_hz(10));
    let style = ProgressStyle::with_template("{bar:12} {percent:>3}% {wide_msg}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    set_bar(Some(bar.clone()));
    let result = work(&mut |tensor, done, all| {
        bar.set_length(all);
        bar.set_position(done);
        bar.set_message(format!("{doing}  {}", console::visible(tensor)));
        if interrupt::asked() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    set_bar(None);
    bar.finish_and_clear();
    result
}

/// How a model was written.
pub(super) enum Written {
    /// It is in its place; how it compares with the model it was made from.
    Whole(Box<Comparison>),
    /// Ctrl-C came, and nothing was written.
    Interrupted,
}

/// Writes a model, reads it back, compares it, and lets it appear.
pub(super) fn write(model: &ModelFile, input: &str, order: &Order, place: &Place) -> anyhow::Result<Written> {
    spare_the_input(input, &place.output)?;
    let draft = with_bar("writing", |progress| write::draft(model, order, &place.output, place.force, progress));
    let draft = match draft {
        Err(WriteError::Stopped(_)) => return Ok(Written::Interrupted),
        draft => draft?,
    };
    let written = draft.open().context("what was written cannot be read back")?;
    let comparison = match with_bar("comparing", |progress| compare::compare(model, &written, 0.0, progress)) {
        Err(Stopped) => return Ok(Written::Interrupted),
        Ok(comparison) => comparison,
    };
    let wrong = |tensor: &&compare::TensorComparison| {
        use TensorVerdict::{Equal, Rounded};
        tensor.used && !matches!(tensor.verdict, Equal | Rounded)
    };
    if let Some(tensor) = comparison.tensors.iter().find(wrong) {
        bail!(
            "what was written is farther from the model than rounding explains, first in {}: nothing is kept; this is an \
             error of this program",
            tensor.name
        );
    }
    drop(written);
    draft.publish()?;
    Ok(Written::Whole(Box::new(comparison)))
}

/// The exit code after Ctrl-C.
pub(super) fn interrupted() -> u8 {
    say!("stopped; nothing was written");
    INTERRUPTED
}

/// The file that is read is never the one that is replaced.
fn spare_the_input(input: &str, output: &Path) -> anyhow::Result<()> {
    let real = |path: &Path| path.canonicalize().ok();
    let Some(output_path) = real(output) else { return Ok(()) };
    let input = Path::new(input);
    if [Some(input), input.parent()].into_iter().flatten().filter_map(real).any(|input| input == output_path) {
        bail!("{} is the model that is read; give another --output", output.display());
    }
    Ok(())
}

/// Settings that are not the same, a line each.
pub(super) fn settings(comparison: &Comparison) -> Vec<String> {
    let line = |difference: &compare::Difference| {
        let compare::Difference { setting, one, other, counts } = difference;
        let unsaid = if *counts { "" } else { " (only one of the models says it)" };
        format!("{setting}: {one} | {other}{unsaid}")
    };
    comparison.differences.iter().map(line).collect()
}

/// Writing is a choice of what a format has a place for; what it has none for is told.
pub(super) fn tell_losses(comparison: &Comparison) {
    for line in settings(comparison) {
        say!("note: not the same as before: {line}");
    }
}

/// Bytes as a person reads them, in powers of ten.
pub(super) fn size(bytes: u64) -> String {
    match bytes {
        0..1_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", bytes as f64 / 1e6),
        _ => format!("{:.2} GB", bytes as f64 / 1e9),
    }
}

/// Largest, mean and relative error, and the cosine, as cells of a table.
pub(super) fn cells(errors: Option<&Errors>) -> [String; 4] {
    let Some(errors) = errors else { return Default::default() };
    let small = |number: f64| if number == 0.0 { "0".to_owned() } else { format!("{number:.2e}") };
    [
        small(errors.largest),
        small(errors.mean),
        errors.relative.map(small).unwrap_or_default(),
        errors.cosine.map(|cosine| format!("{cosine:.6}")).unwrap_or_default(),
    ]
}

/// What a comparison comes to, in words.
pub(super) fn verdict(verdict: &Verdict) -> String {
    let count = |count: usize, what: &str| match count {
        0 => None,
        1 => Some(format!("1 {what}")),
        more => Some(format!("{more} {what}s")),
    };
    match verdict {
        Verdict::Equal => "equal".to_owned(),
        Verdict::Rounded { to } => format!("equal within the rounding of {}", to.join(", ")),
        Verdict::Tolerated => "equal within the tolerance".to_owned(),
        Verdict::Different { tensors, settings } => {
            let parts: Vec<String> =
                [count(*tensors, "tensor"), count(*settings, "setting")].into_iter().flatten().collect();
            format!("different: {}", parts.join(" and "))
        }
    }
}

/// Whoever wants JSON gets the comparison with what was asked for.
pub(super) fn print_json(value: &impl serde::Serialize) -> Result<(), Stop> {
    let json = serde_json::to_string_pretty(value).context("the report cannot be written as JSON")?;
    console::print(format_args!("{json}"))?;
    Ok(())
}
