//! What a device is asked to do. Each operation is a pair of files: the kernel (`.cu`), and beside it (`.rs`) its arguments, how
//! it is launched, and the naive truth that it is compared with.
//!
//! Numbers: weights and what flows between operations are f16, sums are f32, and so is the residual stream. A window's rows lie
//! behind those of the window before, without filling between them.

#![deny(unsafe_code)]

mod activate;
mod choose;
mod copy_lanes;
mod embed;
mod firsts;
mod lane_attention;
mod launch;
mod layer_norm;
mod product;
mod remember;
mod settle;
mod unfold;
mod window_attention;
mod windows;

#[cfg(test)]
mod tests;

pub use activate::Activate;
pub use choose::{ASKED, Asked, Choose, FOUND_FIRST};
pub use copy_lanes::{Copies, CopyLanes};
pub use embed::Embed;
pub use firsts::Firsts;
pub use lane_attention::{Kept, LaneAttention, Split};
pub use launch::{Argument, Launch};
pub use layer_norm::LayerNorm;
pub use product::{Output, Product};
pub use remember::Remember;
pub use settle::Settle;
pub use unfold::Unfold;
pub use window_attention::WindowAttention;
pub use windows::{Window, Windows};

#[cfg(any(test, feature = "fake-driver"))]
use crate::driver::GpuError;
#[cfg(any(test, feature = "fake-driver"))]
use crate::driver::fake::Memory;

/// Numbers of a head, in all Whisper models; the attention kernels are written for it.
pub const HEAD_WIDTH: usize = 64;

/// The source of all kernels, with the names that errors of the compiler give them.
pub const SOURCES: [(&str, &str); 12] = [
    ("prelude.cuh", include_str!("prelude.cuh")),
    ("unfold.cu", include_str!("unfold.cu")),
    ("activate.cu", include_str!("activate.cu")),
    ("settle.cu", include_str!("settle.cu")),
    ("layer_norm.cu", include_str!("layer_norm.cu")),
    ("window_attention.cu", include_str!("window_attention.cu")),
    ("firsts.cu", include_str!("firsts.cu")),
    ("embed.cu", include_str!("embed.cu")),
    ("remember.cu", include_str!("remember.cu")),
    ("lane_attention.cu", include_str!("lane_attention.cu")),
    ("copy_lanes.cu", include_str!("copy_lanes.cu")),
    ("choose.cu", include_str!("choose.cu")),
];

/// The names of all kernels.
pub const NAMES: [&str; 11] = [
    "unfold",
    "activate",
    "settle",
    "layer_norm",
    "window_attention",
    "firsts",
    "embed",
    "remember",
    "lane_attention",
    "copy_lanes",
    "choose",
];

/// One translation unit of everything.
pub fn source() -> String {
    SOURCES.iter().map(|(name, text)| format!("#line 1 \"{name}\"\n{text}")).collect()
}

macro_rules! operations {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {
        /// Everything that a device can be asked to compute.
        #[derive(Debug, Clone, Copy)]
        pub enum Operation {
            $($(#[$doc])* $name($name),)*
            /// A product, by the vendor's library.
            Product(Product),
        }

        $(impl From<$name> for Operation {
            fn from(operation: $name) -> Self {
                Operation::$name(operation)
            }
        })*

        impl From<Product> for Operation {
            fn from(product: Product) -> Self {
                Operation::Product(product)
            }
        }

        impl Operation {
            /// How its kernel is launched; a product has none.
            pub fn launch(&self) -> Result<Launch, &Product> {
                match self {
                    $(Operation::$name(operation) => Ok(operation.launch()),)*
                    Operation::Product(product) => Err(product),
                }
            }

            /// Computes it naively.
            #[cfg(any(test, feature = "fake-driver"))]
            pub fn reference(&self, memory: &mut Memory) -> Result<(), GpuError> {
                match self {
                    $(Operation::$name(operation) => operation.reference(memory),)*
                    Operation::Product(product) => product.reference(memory),
                }
            }
        }
    };
}

operations! {
    /// Lays neighbouring rows side by side.
    Unfold,
    /// GELU in place.
    Activate,
    /// The end of the stem.
    Settle,
    /// Layer norm.
    LayerNorm,
    /// The first number of each row.
    Firsts,
    /// Attention among the positions of each window.
    WindowAttention,
    /// Embeddings of tokens and their positions.
    Embed,
    /// Puts keys and values where lanes keep them.
    Remember,
    /// Attention of new tokens to rows of a pool.
    LaneAttention,
    /// Copies what lanes remember.
    CopyLanes,
    /// The best of what may be said.
    Choose,
}

/// GELU as Whisper was trained with it, for references.
#[cfg(any(test, feature = "fake-driver"))]
fn gelu(value: f32) -> f32 {
    0.5 * value * (1.0 + erf(f64::from(value) * std::f64::consts::FRAC_1_SQRT_2) as f32)
}

/// The error function: its series near zero, its continued fraction where the series would cancel.
#[cfg(any(test, feature = "fake-driver"))]
fn erf(x: f64) -> f64 {
    let size = x.abs();
    if size > 6.0 {
        return x.signum();
    }
    if size < 2.5 {
        let (mut term, mut sum) = (x, x);
        for n in 1..60 {
            term *= -x * x / f64::from(n);
            sum += term / f64::from(2 * n + 1);
        }
        return sum * std::f64::consts::FRAC_2_SQRT_PI;
    }
    let fraction = (1..60).rev().fold(0.0, |below, n| f64::from(n) / 2.0 / (size + below));
    x.signum() * (1.0 - (-x * x).exp() / ((size + fraction) * std::f64::consts::PI.sqrt()))
}
