//! The attentions of a graph, found around their softmaxes:
//!
//! ```text
//! queries -> ... -> MatMul -> ... -> Softmax -> ... -> MatMul -> ... -> output projection
//! keys    -> ... -^                                    ^- ... <- values
//! ```
//!
//! Between them things are only brought into another form, scaled, masked and joined with what came before.

use super::linear::Linears;
use super::message::Node;
use super::view::View;

/// The projections of an attention, by their places among the linear operations.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Attention {
    pub(super) queries: Option<usize>,
    /// None where keys and values come from outside the graph.
    pub(super) keys: Option<usize>,
    pub(super) values: Option<usize>,
    pub(super) output: Option<usize>,
}

/// No model has more layers of both kinds.
const MOST_ATTENTIONS: usize = 1024;
/// Between two operations that matter there are no more others than this; a graph that goes on longer is not Whisper's.
const MOST_STEPS: usize = 256;

/// All of them in the order of the computation.
pub(super) fn find<'a>(view: &View<'a>, linears: &Linears<'a>) -> Vec<Attention> {
    let of = |node: &&Node<'a>| match node.operator {
        "Softmax" => around_softmax(view, linears, node),
        "Attention" if node.domain.is_empty() || node.domain == "ai.onnx" => {
            let before = |place| node.input(place).and_then(|value| before(view, value, Some(linears)).linear);
            let output = behind(view, node.output(), Some(linears)).linear;
            Some(Attention { queries: before(0), keys: before(1), values: before(2), output })
        }
        _ => None,
    };
    view.nodes.iter().filter_map(of).take(MOST_ATTENTIONS).collect()
}

fn around_softmax<'a>(view: &View<'a>, linears: &Linears<'a>, softmax: &Node<'a>) -> Option<Attention> {
    let scores = before(view, softmax.input(0)?, None).product?;
    let mixture = behind(view, softmax.output(), None).product?;
    let linear = |node: &Node<'a>, place| before(view, node.input(place)?, Some(linears)).linear;
    Some(Attention {
        queries: linear(scores, 0),
        keys: linear(scores, 1),
        values: linear(mixture, 1),
        output: behind(view, mixture.output(), Some(linears)).linear,
    })
}

/// What is met on the way: the first linear operation where they are looked for, or the first product of two values.
#[derive(Default)]
struct Met<'a> {
    linear: Option<usize>,
    product: Option<&'a Node<'a>>,
}

fn is_product(node: &Node<'_>) -> bool {
    matches!(node.operator, "MatMul" | "FusedMatMul")
}

/// Against the flow from a value.
fn before<'a>(view: &View<'a>, value: &str, linears: Option<&Linears<'a>>) -> Met<'a> {
    let mut open = vec![value.to_owned()];
    let mut seen = Vec::new();
    while let Some(value) = open.pop() {
        if let Some(linear) = linears.and_then(|linears| linears.making(&value)) {
            return Met { linear: Some(linear), product: None };
        }
        let Some(place) = view.maker(&value) else { continue };
        if seen.contains(&place) || seen.len() >= MOST_STEPS {
            continue;
        }
        seen.push(place);
        let node = view.nodes[place];
        if linears.is_none() && is_product(node) {
            return Met { linear: None, product: Some(node) };
        }
        // The last one is looked at first.
        let ways: &[usize] = match node.operator {
            "Reshape" | "Transpose" | "Unsqueeze" | "Squeeze" | "Slice" | "Cast" | "Identity" | "Expand" | "Gather"
            | "Split" | "QuantizeLinear" | "DequantizeLinear" | "Softmax" | "Dropout" => &[0],
            "Add" | "Sub" | "Mul" | "Div" | "Max" | "Min" => &[1, 0],
            "Where" => &[2, 1],
            // What is joined to what came before, or written over it, is what is meant.
            "Concat" => &[0, 1],
            "ScatterND" | "ScatterElements" => &[0, 2],
            _ => &[],
        };
        open.extend(ways.iter().filter_map(|way| node.input(*way)).map(ToOwned::to_owned));
    }
    Met::default()
}

/// With the flow from a value.
fn behind<'a>(view: &View<'a>, value: &str, linears: Option<&Linears<'a>>) -> Met<'a> {
    let mut open = vec![value.to_owned()];
    let mut seen = Vec::new();
    while let Some(value) = open.pop() {
        if let Some(linear) = linears.and_then(|linears| linears.taking(&value)) {
            return Met { linear: Some(linear), product: None };
        }
        for place in view.users(&value).iter().rev() {
            if seen.contains(place) || seen.len() >= MOST_STEPS {
                continue;
            }
            seen.push(*place);
            let node = view.nodes[*place];
            if linears.is_none() && is_product(node) && node.input(0) == Some(&value) {
                return Met { linear: None, product: Some(node) };
            }
            let goes_on = match node.operator {
                "Reshape"
                | "Transpose"
                | "Unsqueeze"
                | "Squeeze"
                | "Slice"
                | "Cast"
                | "Identity"
                | "Expand"
                | "QuantizeLinear"
                | "DequantizeLinear"
                | "DynamicQuantizeLinear"
                | "Dropout" => node.input(0) == Some(&value),
                "Where" | "Mul" | "Div" | "Concat" => true,
                _ => false,
            };
            if goes_on {
                open.push(node.output().to_owned());
            }
        }
    }
    Met::default()
}

/// The place of a value among those that are stacked: the input of the first `Concat` that it goes into, as it is or
/// in another form.
pub(super) fn place_in_stack<'a>(view: &View<'a>, value: &str) -> Option<(&'a str, usize)> {
    let mut value = value.to_owned();
    for _ in 0..MOST_STEPS {
        let next = view.used_by(&value).find(|user| {
            matches!(user.operator, "Unsqueeze" | "Cast" | "Reshape" | "Transpose" | "Identity" | "Concat")
                && user.inputs.iter().any(|input| *input == value)
        })?;
        if next.operator == "Concat" {
            let place = next.inputs.iter().position(|input| *input == value)?;
            return Some((next.output(), place));
        }
        value = next.output().to_owned();
    }
    None
}
