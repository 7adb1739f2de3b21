//! The algorithms, written once over [`Vector`] and compiled once per instruction set.

pub(crate) mod arithmetic;
pub(crate) mod attend;
mod integers;
pub(crate) mod nibbles;
pub(crate) mod pointwise;
pub(crate) mod product;
pub(crate) mod quantize;
pub(crate) mod softmax;
pub(crate) mod spectrum;
mod vector;

pub(crate) use arithmetic::Arithmetic;
pub(crate) use integers::{Integers, LARGEST};
pub(crate) use vector::{Vector, WIDEST};

/// Compile the generic algorithms for one vector type under the features it needs, as a table of kernels.
///
/// Every function body is inlined into a function that enables the features, so the vector instructions are chosen at
/// run time and the rest of the program stays runnable everywhere.
macro_rules! kernels_for {
    ($table:ident, $isa:expr, $vector:ty, $integers:ty, $(#[$features:meta])*) => {
        pub(crate) static $table: $crate::kernels::Kernels = $crate::kernels::Kernels {
            isa: $isa,
            tile: $crate::generic::product::tile_rows::<$vector>(),
            tile_of_bytes: $crate::generic::product::tile_rows::<$vector>(),
            panel: $crate::generic::product::panel::<$vector>(),
            offset: <$integers as $crate::generic::Integers>::OFFSET,
            largest_pair: <$integers as $crate::generic::Integers>::LARGEST_PAIR,
            product: compiled::product,
            product_of_halves: compiled::product_of_halves,
            product_of_bytes: compiled::product_of_bytes,
            product_of_nibbles: compiled::product_of_nibbles,
            quantize: compiled::quantize,
            weights: compiled::weights,
            keys: compiled::keys,
            values: compiled::values,
            attend: compiled::attend,
            softmax: compiled::softmax,
            layer_norm: compiled::layer_norm,
            gelu: compiled::gelu,
            exponential: compiled::exponential,
            log_sum_exp: compiled::log_sum_exp,
            argmax: compiled::argmax,
            power: compiled::power,
        };

        /// The same algorithms for every instruction set; what each demands of its caller stands with the algorithm.
        mod compiled {
            #[allow(unused_imports, reason = "an instruction set's vector type is named by path or by import")]
            use super::*;
            use $crate::generic::{arithmetic, attend, nibbles, pointwise, product, quantize, softmax, spectrum};

            $(#[$features])*
            pub(super) unsafe fn product(job: &product::Product) {
                // SAFETY: the caller keeps the contract of this job; the processor has the features (Kernels::new).
                unsafe { product::product::<arithmetic::Singles<$vector>>(job) }
            }
            $(#[$features])*
            pub(super) unsafe fn product_of_halves(job: &product::Product) {
                // SAFETY: the caller keeps the contract of this job; the processor has the features (Kernels::new).
                unsafe { product::product::<arithmetic::Halves<$vector>>(job) }
            }
            $(#[$features])*
            pub(super) unsafe fn product_of_bytes(job: &product::Product) {
                // SAFETY: the caller keeps the contract of this job; the processor has the features (Kernels::new).
                unsafe { product::product::<arithmetic::Bytes<$integers>>(job) }
            }
            $(#[$features])*
            pub(super) unsafe fn product_of_nibbles(job: &product::Product) {
                // SAFETY: the caller keeps the contract of this job; the processor has the features (Kernels::new).
                unsafe { nibbles::product_of_nibbles::<$integers>(job) }
            }
            $(#[$features])*
            pub(super) unsafe fn quantize(job: &quantize::Quantize) {
                // SAFETY: the caller keeps the contract of this job; the processor has the features (Kernels::new).
                unsafe { quantize::quantize::<$integers>(job) }
            }
            $(#[$features])*
            pub(super) unsafe fn weights(numbers: &[f32], cells: &mut [u32]) -> (f32, i32) {
                // SAFETY: the processor has the features (Kernels::new).
                unsafe { quantize::weights::<$integers>(numbers, cells) }
            }
            $(#[$features])*
            pub(super) unsafe fn keys(job: &quantize::Keys) {
                // SAFETY: the caller keeps the contract of this job; the processor has the features (Kernels::new).
                unsafe { quantize::keys::<$integers>(job) }
            }
            $(#[$features])*
            pub(super) unsafe fn values(job: &quantize::Values) {
                // SAFETY: the caller keeps the contract of this job; the processor has the features (Kernels::new).
                unsafe { quantize::values::<$integers>(job) }
            }
            $(#[$features])*
            pub(super) unsafe fn attend(job: &attend::Attend) {
                // SAFETY: the caller keeps the contract of this job; the processor has the features (Kernels::new).
                unsafe { attend::attend::<$integers, softmax::Calculated>(job) }
            }
            $(#[$features])*
            pub(super) unsafe fn softmax(strip: &mut [f32], rows: usize, lengths: &[usize], scales: &mut [f32]) {
                // SAFETY: the processor has the features (Kernels::new).
                unsafe { pointwise::softmax::<$vector>(strip, rows, lengths, scales) }
            }
            $(#[$features])*
            pub(super) unsafe fn layer_norm(input: &[f32], gain: &[f32], bias: &[f32], out: &mut [f32]) {
                // SAFETY: the processor has the features (Kernels::new).
                unsafe { pointwise::layer_norm::<$vector>(input, gain, bias, out) }
            }
            $(#[$features])*
            pub(super) unsafe fn gelu(numbers: &mut [f32]) {
                // SAFETY: the processor has the features (Kernels::new).
                unsafe { pointwise::gelu::<$vector>(numbers) }
            }
            $(#[$features])*
            pub(super) unsafe fn exponential(numbers: &mut [f32]) {
                // SAFETY: the processor has the features (Kernels::new).
                unsafe { pointwise::exponential::<$vector>(numbers) }
            }
            $(#[$features])*
            pub(super) unsafe fn log_sum_exp(numbers: &[f32]) -> f32 {
                // SAFETY: the processor has the features (Kernels::new).
                unsafe { pointwise::log_sum_exp::<$vector>(numbers) }
            }
            $(#[$features])*
            pub(super) unsafe fn power(job: &spectrum::Frames<'_>) {
                // SAFETY: the caller keeps the contract of this job; the processor has the features (Kernels::new).
                unsafe { spectrum::power::<$vector>(job) }
            }
            $(#[$features])*
            pub(super) unsafe fn argmax(numbers: &[f32]) -> usize {
                // SAFETY: the processor has the features (Kernels::new).
                unsafe { pointwise::argmax::<$vector>(numbers) }
            }
        }
    };
}
pub(crate) use kernels_for;

mod portable;
pub(crate) use portable::SCALAR;
