//! What was heard stays where it was computed: the decoder of the same model reads it there, and it comes to the host only if somebody
//! asks.

use std::sync::{Arc, Weak};

use amanuensis::backend::{BackendError, Kept};
use half::f16;
use half::slice::HalfFloatSliceExt as _;

use super::model::Shared;
use super::refused;
use crate::driver::{Buffer, Gpu, View, download};

/// What a model's encoder heard, on its device: `[rows][width]`.
pub(super) struct OnDevice {
    name: &'static str,
    gpu: Arc<dyn Gpu>,
    view: View<f16>,
    /// Until it is given back.
    buffer: Option<Buffer<f16>>,
    /// Of the model that it belongs to, which may be gone.
    shared: Weak<Shared>,
}

impl OnDevice {
    pub(super) fn new(
        name: &'static str,
        gpu: &Arc<dyn Gpu>,
        buffer: Buffer<f16>,
        len: usize,
        shared: &Arc<Shared>,
    ) -> Self {
        let view = buffer.view().first(len);
        shared.give_out_encoded(&buffer);
        OnDevice { name, gpu: gpu.clone(), view, buffer: Some(buffer), shared: Arc::downgrade(shared) }
    }

    /// Where it lies, for the model whose encoder it was and for nobody else.
    pub(super) fn for_model(&self, shared: &Arc<Shared>) -> Option<View<f16>> {
        std::ptr::eq(self.shared.as_ptr(), Arc::as_ptr(shared)).then_some(self.view)
    }

    /// All of it.
    pub(super) fn view(&self) -> View<f16> {
        self.view
    }
}

impl Kept for OnDevice {
    fn values(&self) -> Result<Vec<f32>, BackendError> {
        let mut halves = vec![f16::ZERO; self.view.len()];
        download(&*self.gpu, self.view, &mut halves).map_err(|error| refused(self.name, &error))?;
        let mut values = vec![0.0; halves.len()];
        halves.convert_to_f32_slice(&mut values);
        Ok(values)
    }
}

impl Drop for OnDevice {
    fn drop(&mut self) {
        if let (Some(shared), Some(buffer)) = (self.shared.upgrade(), self.buffer.take()) {
            shared.take_back_encoded(buffer);
        }
    }
}
