//! The parts that encoder and decoder layers are made of, and how each is asked for.

use half::f16;

use super::weights::{Counts, Delivery, Linear, Undelivered};
use crate::driver::{Gpu, GpuError, View};
use crate::kernels::{Activate, LayerNorm, Output, Product};

/// Gain and bias of a layer norm.
#[derive(Debug, Clone, Copy)]
pub(super) struct Norm {
    gain: View<f32>,
    bias: View<f32>,
    width: usize,
}

impl Norm {
    pub(super) fn count(counts: &mut Counts, width: usize) {
        counts.float(width);
        counts.float(width);
    }

    pub(super) fn load(delivery: &mut Delivery<'_>, name: &str, width: usize) -> Result<Self, Undelivered> {
        let gain = delivery.read(&format!("{name}.weight"), &[width])?;
        let bias = delivery.read(&format!("{name}.bias"), &[width])?;
        Ok(Norm { gain: delivery.floats(&gain)?, bias: delivery.floats(&bias)?, width })
    }

    /// All rows, or those that are picked.
    pub(super) fn apply(
        &self,
        gpu: &dyn Gpu,
        input: View<f32>,
        picked: Option<View<i32>>,
        out: View<f16>,
    ) -> Result<(), GpuError> {
        let Norm { gain, bias, width } = *self;
        gpu.run(&LayerNorm { input, gain, bias, picked, out, width }.into())
    }
}

/// A linear layer whose product is the input of what follows, and rounded like it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Inner {
    linear: Linear,
    bias: View<f16>,
}

impl Inner {
    pub(super) fn count(counts: &mut Counts, outputs: usize, inputs: usize) {
        counts.half(outputs * inputs);
        counts.half(outputs);
    }

    pub(super) fn load(
        delivery: &mut Delivery<'_>,
        names: &[&str],
        outputs: usize,
        inputs: usize,
    ) -> Result<Self, Undelivered> {
        let linear = delivery.linear(names, outputs, inputs)?;
        let bias = delivery.biases(names, outputs)?;
        Ok(Inner { linear, bias: delivery.halves(&bias)? })
    }

    pub(super) fn load_convolution(
        delivery: &mut Delivery<'_>,
        name: &str,
        outputs: usize,
        channels: usize,
    ) -> Result<Self, Undelivered> {
        let linear = delivery.convolution(name, outputs, channels)?;
        let bias = delivery.biases(&[name], outputs)?;
        Ok(Inner { linear, bias: delivery.halves(&bias)? })
    }

    /// As many rows as the output has room for.
    pub(super) fn apply(&self, gpu: &dyn Gpu, input: View<f16>, out: View<f16>) -> Result<(), GpuError> {
        let out_to = Output::Half { into: out, bias: Some(self.bias) };
        gpu.run(&self.linear.product(input, out_to, out.len()).into())
    }
}

/// A linear layer whose product is added to the residual stream.
#[derive(Debug, Clone, Copy)]
pub(super) struct Outer {
    linear: Linear,
    bias: View<f32>,
}

impl Outer {
    pub(super) fn count(counts: &mut Counts, outputs: usize, inputs: usize) {
        counts.half(outputs * inputs);
        counts.float(outputs);
    }

    pub(super) fn load(
        delivery: &mut Delivery<'_>,
        name: &str,
        outputs: usize,
        inputs: usize,
    ) -> Result<Self, Undelivered> {
        let linear = delivery.linear(&[name], outputs, inputs)?;
        let bias = delivery.biases(&[name], outputs)?;
        Ok(Outer { linear, bias: delivery.floats(&bias)? })
    }

    /// As many rows as the residual stream has.
    pub(super) fn add(&self, gpu: &dyn Gpu, input: View<f16>, x: View<f32>) -> Result<(), GpuError> {
        let out = Output::Float { into: x, bias: Some(self.bias), add: true };
        gpu.run(&self.linear.product(input, out, x.len()).into())
    }
}

impl Linear {
    /// The product whose output has so many numbers.
    pub(super) fn product(&self, input: View<f16>, out: Output, numbers: usize) -> Product {
        let Linear { weights, outputs, inputs } = *self;
        Product { input, weights, out, rows: numbers / outputs, columns: outputs, depth: inputs, pitch: outputs }
    }
}

/// The weights of a layer's attention to itself: norm, queries, keys and values side by side, and the way back.
#[derive(Debug, Clone, Copy)]
pub(super) struct SelfAttention {
    pub(super) norm: Norm,
    pub(super) queries_keys_values: Inner,
    pub(super) out: Outer,
}

impl SelfAttention {
    pub(super) fn count(counts: &mut Counts, width: usize) {
        Norm::count(counts, width);
        Inner::count(counts, 3 * width, width);
        Outer::count(counts, width, width);
    }

    pub(super) fn load(delivery: &mut Delivery<'_>, layer: &str, width: usize) -> Result<Self, Undelivered> {
        let part = |part: &str| format!("{layer}.self_attn.{part}_proj");
        let (queries, keys, values) = (part("q"), part("k"), part("v"));
        Ok(SelfAttention {
            norm: Norm::load(delivery, &format!("{layer}.self_attn_layer_norm"), width)?,
            queries_keys_values: Inner::load(delivery, &[&queries, &keys, &values], width, width)?,
            out: Outer::load(delivery, &part("out"), width, width)?,
        })
    }
}

/// The feed-forward half of a layer: norm, up, GELU, down, added to what came in.
#[derive(Debug, Clone, Copy)]
pub(super) struct FeedForward {
    norm: Norm,
    up: Inner,
    down: Outer,
    inner: usize,
    width: usize,
}

impl FeedForward {
    pub(super) fn count(counts: &mut Counts, width: usize, inner: usize) {
        Norm::count(counts, width);
        Inner::count(counts, inner, width);
        Outer::count(counts, width, inner);
    }

    pub(super) fn load(
        delivery: &mut Delivery<'_>,
        layer: &str,
        width: usize,
        inner: usize,
    ) -> Result<Self, Undelivered> {
        Ok(FeedForward {
            norm: Norm::load(delivery, &format!("{layer}.final_layer_norm"), width)?,
            up: Inner::load(delivery, &[&format!("{layer}.fc1")], inner, width)?,
            down: Outer::load(delivery, &format!("{layer}.fc2"), width, inner)?,
            inner,
            width,
        })
    }

    /// Adds to `x` what this half of the layer makes of it; `normed` and `wide` are what it is made in.
    pub(super) fn apply(
        &self,
        gpu: &dyn Gpu,
        x: View<f32>,
        normed: View<f16>,
        wide: View<f16>,
    ) -> Result<(), GpuError> {
        let wide = wide.first(x.len() / self.width * self.inner);
        self.norm.apply(gpu, x, None, normed)?;
        self.up.apply(gpu, normed, wide)?;
        gpu.run(&Activate { values: wide }.into())?;
        self.down.add(gpu, wide, x)
    }
}
