//! From a matrix product to an instruction stream. The overlay in the array is fixed but for a few words; the shape of the product is
//! in the stream: which words are moved when, how often each core goes round, what is waited for.

mod cost;
mod element;
mod emit;
mod gemm;
mod geometry;
mod overlay;
mod pack;
mod refusal;
mod transfer;

pub use cost::{EncoderWork, Estimate, Rates, estimate};
pub use element::{Arithmetic, Element, Micro, Operands, Rounding, WeightOrder};
pub use gemm::{Arguments, Drain, Gemm, Plan, Slice, plan};
pub use geometry::Geometry;
pub use overlay::{
    Barrier, Bounds, Fifo, Meaning, NotRecovered, Overlay, OverlayError, Parameter, Port, TileShape, recover_ports,
    reference,
};
pub(crate) use pack::tile_order;
pub use pack::{Lane, PackError, Weights, pack_activations, pack_weights, unpack_results};
pub use refusal::{Limit, Refusal};
