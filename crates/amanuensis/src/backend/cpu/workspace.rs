//! Memory that a model works in, kept from window to window: it is megabytes, and every new page of it costs.

use amanuensis_kernels::{AlignedBuffer, KeysValues};

/// The encoder's buffers, and what else is needed only while a pass lasts.
#[derive(Default)]
pub(super) struct Workspace {
    /// Log-mel with a row of zeros at each end.
    pub(super) padded: AlignedBuffer<f32>,
    /// After the first convolution, with a row of zeros at each end; then what attention makes of each layer.
    pub(super) once: AlignedBuffer<f32>,
    /// The residual stream.
    pub(super) x: AlignedBuffer<f32>,
    /// Queries, keys and values side by side, or keys and values of what was heard.
    pub(super) three: AlignedBuffer<f32>,
}

/// Keys and values that nobody needs any more, one entry for each layer: room for the next.
#[derive(Default)]
pub(super) struct Rooms {
    /// Of windows.
    pub(super) heard: Vec<Vec<KeysValues>>,
    /// Of lanes.
    pub(super) lanes: Vec<Vec<KeysValues>>,
}
