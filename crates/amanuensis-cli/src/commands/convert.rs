//! `convert`: a model as files of another format.

use amanuensis::model::write::{self, Order};
use serde_json::json;

use super::weights::{self, Written};
use super::{Stop, usage};
use crate::args::Convert;
use crate::console;
use crate::interrupt;

pub(super) fn run(asked: &Convert) -> Result<u8, Stop> {
    let container = asked.to;
    if let Some(kind) = asked.kind {
        Order::new(container, kind).check().map_err(usage)?;
    }
    write::check_place(container, &asked.place.output, asked.place.force).map_err(anyhow::Error::new)?;
    let model = weights::open(&asked.model)?;
    interrupt::listen();
    let order = Order::new(container, asked.kind.unwrap_or_else(|| container.type_of(&model)));
    let comparison = match weights::write(&model, &asked.model, &order, &asked.place)? {
        Written::Interrupted => return Ok(weights::interrupted()),
        Written::Whole(comparison) => comparison,
    };
    weights::tell_losses(&comparison);
    if asked.place.json {
        weights::print_json(&json!({
            "format": container.name, "type": order.kind, "output": asked.place.output, "comparison": comparison,
        }))?;
    } else {
        console::print(format_args!(
            "{}: {} in {}, {} of weights (before: {}), {}",
            console::visible(&asked.place.output.display().to_string()),
            container.name,
            order.kind,
            weights::size(comparison.other.bytes),
            weights::size(comparison.one.bytes),
            weights::verdict(&comparison.verdict),
        ))?;
    }
    Ok(0)
}
