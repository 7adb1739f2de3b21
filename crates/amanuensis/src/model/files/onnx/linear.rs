//! The places of a graph where something is multiplied with weights, whichever operations that is written in.

use std::collections::HashMap;

use super::constant::Constant;
use super::message::Node;
use super::view::View;

/// Outputs = weights x inputs + bias.
#[derive(Debug)]
pub(super) struct Linear<'a> {
    /// As they are meant: `[outputs, inputs]`, or `[outputs, inputs, taps]` of a convolution.
    pub(super) weight: Constant<'a>,
    pub(super) bias: Option<Constant<'a>>,
    /// The value that it makes, with the bias in it.
    pub(super) output: &'a str,
    pub(super) is_convolution: bool,
}

/// All of them in the order of the computation.
pub(super) struct Linears<'a> {
    pub(super) all: Vec<Linear<'a>>,
    /// By the values that they make, with the bias and without.
    by_output: HashMap<&'a str, usize>,
    by_input: HashMap<&'a str, Vec<usize>>,
}

impl<'a> Linears<'a> {
    pub(super) fn find(view: &View<'a>) -> Self {
        let mut found = Self { all: Vec::new(), by_output: HashMap::new(), by_input: HashMap::new() };
        for node in &view.nodes {
            let Some(Raw { weight, mut bias, mut output, is_convolution }) = raw(view, node) else { continue };
            let place = found.all.len();
            found.by_output.insert(output, place);
            if let Some(input) = node.input(0) {
                found.by_input.entry(input).or_default().push(place);
            }
            if bias.is_none()
                && let Some((added, sum)) = bias_of(view, output, weight.shape().first().copied())
            {
                bias = Some(added);
                output = sum;
                found.by_output.insert(output, place);
            }
            found.all.push(Linear { weight, bias, output, is_convolution });
        }
        found
    }

    /// The one that makes a value.
    pub(super) fn making(&self, value: &str) -> Option<usize> {
        self.by_output.get(value).copied()
    }

    /// The first one that a value goes into.
    pub(super) fn taking(&self, value: &str) -> Option<usize> {
        self.by_input.get(value)?.first().copied()
    }
}

struct Raw<'a> {
    weight: Constant<'a>,
    bias: Option<Constant<'a>>,
    output: &'a str,
    is_convolution: bool,
}

/// What a node multiplies with, if it does. Its first input is what is multiplied.
fn raw<'a>(view: &View<'a>, node: &Node<'a>) -> Option<Raw<'a>> {
    let constant = |place: usize| node.input(place).and_then(|value| Constant::of(view, value));
    let matrix = |place: usize| constant(place).filter(|found| found.shape().len() == 2);
    let scaled = |place: usize, scales: usize, zeros: usize| {
        let scales = view.tensor(node.input(scales)?)?;
        matrix(place)?.scaled(view, scales, node.input(zeros), 1).map(Constant::turned)
    };
    let simple = |weight, bias| Some(Raw { weight, bias, output: node.output(), is_convolution: false });
    let is_one = |name: &str| node.attribute(name).is_none_or(|attribute| attribute.float == 1.0);
    match node.operator {
        "MatMul" => simple(matrix(1)?.turned(), None),
        "FusedMatMul" if is_one("alpha") && node.number("transA", 0) == 0 => {
            let weight = matrix(1)?;
            simple(if node.number("transB", 0) == 1 { weight } else { weight.turned() }, None)
        }
        "Gemm" if is_one("alpha") && is_one("beta") && node.number("transA", 0) == 0 => {
            let weight = matrix(1)?;
            simple(if node.number("transB", 0) == 1 { weight } else { weight.turned() }, constant(2))
        }
        "Conv" => Some(Raw {
            weight: constant(1).filter(|found| found.shape().len() == 3)?,
            bias: constant(2),
            output: node.output(),
            is_convolution: true,
        }),
        "MatMulNBits" => simple(Constant::of_blocks(view, node)?, constant(5)),
        "DynamicQuantizeMatMul" => simple(scaled(1, 2, 3)?, constant(4)),
        "MatMulIntegerToFloat" => simple(scaled(1, 3, 5)?, constant(6)),
        "MatMulInteger" => {
            let (scales, output) = scales_behind(view, node)?;
            let weight = matrix(1)?.scaled(view, scales, node.input(3), 1)?.turned();
            Some(Raw { weight, bias: None, output, is_convolution: false })
        }
        "ConvInteger" => {
            let (scales, output) = scales_behind(view, node)?;
            let weight = constant(1).filter(|found| found.shape().len() == 3)?;
            let weight = weight.scaled(view, scales, node.input(3), 0)?;
            Some(Raw { weight, bias: None, output, is_convolution: true })
        }
        _ => None,
    }
}

/// The scales of the weights behind a product of whole numbers, and the value that they make of it:
///
/// ```text
/// product -> Cast -> Mul -> value
///            Mul(scale of the inputs, scales of the weights) -^
/// ```
fn scales_behind<'a>(view: &View<'a>, node: &Node<'a>) -> Option<(&'a super::message::Tensor<'a>, &'a str)> {
    let cast = view.used_by(node.output()).find(|user| user.operator == "Cast")?;
    let product = view.used_by(cast.output()).find(|user| user.operator == "Mul")?;
    let scale = product.inputs.iter().find(|input| **input != cast.output())?;
    let scale = view.made_by(scale).filter(|maker| maker.operator == "Mul")?;
    let scales = scale.inputs.iter().find_map(|input| view.tensor(input))?;
    Some((scales, product.output()))
}

/// The bias that is added to a value, and the sum.
fn bias_of<'a>(view: &View<'a>, value: &str, outputs: Option<usize>) -> Option<(Constant<'a>, &'a str)> {
    view.used_by(value).filter(|user| matches!(user.operator, "Add" | "BiasGelu")).find_map(|user| {
        let other = user.inputs.iter().find(|input| **input != value)?;
        let bias =
            Constant::of(view, other).filter(|bias| matches!(bias.shape()[..], [length] if Some(length) == outputs))?;
        Some((bias, user.output()))
    })
}
