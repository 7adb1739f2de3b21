//! How long a product may take. These are estimates from what others measured on such devices; nothing here was measured by this
//! program, and nothing but an NPU's own completion says how long something took.

use super::{Arithmetic, Bounds, Element, Overlay, Plan};
use crate::txn::Generation;

/// Rates of a device, each from a publication.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rates {
    /// Operations a second in products of the size of Whisper's; a multiplication and an addition are two.
    pub product: f64,
    /// The same in attention, where the inner side is 64.
    pub attention: f64,
    /// Bytes a second between the host's memory and the array, where somebody published it.
    pub memory: Option<f64>,
    /// Seconds that an encoder's layer spends in changing from one program to the other.
    pub switches: f64,
    /// Where the rate of products is from.
    pub basis: &'static str,
}

/// Seconds before a product of such an overlay begins and after it ends.
const DISPATCH: f64 = 107e-6;
/// Seconds for each word that is written to a core.
const PARAMETER: f64 = 66e-9;

impl Rates {
    /// The rates of a generation for products of such numbers.
    pub const fn published(generation: Generation, input: Element, arithmetic: Arithmetic) -> Self {
        let (product, basis) = match (generation, input, arithmetic) {
            (Generation::Npu1, Element::Int8, _) => (1.95e12, "whisper-xdna, Whisper's shapes in int8"),
            (Generation::Npu1, _, _) => (1.5e12, "whisper-xdna, Whisper's shapes in bf16"),
            (Generation::Npu2, Element::Int8, _) => (38.05e12, "arXiv 2512.13282, the best product in int8"),
            (Generation::Npu2, _, Arithmetic::BlockFloat) => (16.9e12, "IRON flm.GEMM, 1024 x 1536 x 6144"),
            (Generation::Npu2, _, _) => (10e12, "two thirds of the best of arXiv 2512.13282 in bf16"),
        };
        match generation {
            Generation::Npu1 => Self { product, attention: 0.386e12, memory: None, switches: 3.2e-3, basis },
            Generation::Npu2 => Self { product, attention: 3e12, memory: Some(47e9), switches: 1.2e-3, basis },
        }
    }
}

/// An estimate in seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// Multiplying, padding too.
    pub compute: f64,
    /// Moving words, where a rate is known.
    pub memory: Option<f64>,
    /// Beginning and ending.
    pub dispatch: f64,
    /// All: words are moved while others are multiplied.
    pub total: f64,
    /// Where the rate of products is from.
    pub basis: &'static str,
}

/// Estimates a plan on the overlay that it was made for.
pub fn estimate(overlay: &Overlay, plan: &Plan) -> Estimate {
    let rates = Rates::published(overlay.generation, overlay.operands.input, overlay.operands.arithmetic);
    let parameters = match &overlay.bounds {
        Bounds::Fixed { .. } => 0,
        Bounds::Runtime { parameters, barriers, .. } => parameters.len() + barriers.len(),
    };
    let compute = 2.0 * plan.geometry.multiply_adds() as f64 / rates.product;
    let memory = rates.memory.map(|rate| plan.traffic as f64 / rate);
    let dispatch = DISPATCH + PARAMETER * parameters as f64;
    Estimate { compute, memory, dispatch, total: compute.max(memory.unwrap_or(0.0)) + dispatch, basis: rates.basis }
}

/// What an encoder does for a window, in operations.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EncoderWork {
    /// How many layers.
    pub layers: u32,
    /// Convolutions and linear layers.
    pub products: f64,
    /// Attention.
    pub attention: f64,
}

impl EncoderWork {
    /// Seconds with everything on the array.
    pub fn seconds(&self, rates: &Rates) -> f64 {
        self.products / rates.product + self.attention / rates.attention + f64::from(self.layers) * rates.switches
    }
}
