//! Memory that a model works in, kept from window to window: it is megabytes, and every new page of it costs.

use amanuensis_kernels::{AlignedBuffer, KeysValues, PackedRows, Past};

/// The encoder's buffers, and what else is needed only while a pass lasts.
#[derive(Default)]
pub(super) struct Workspace {
    /// Log-mel with a row of zeros at each end.
    pub(super) padded: AlignedBuffer<f32>,
    /// After the first convolution, with a row of zeros at each end; then what attention makes of each layer.
    pub(super) once: AlignedBuffer<f32>,
    /// The residual stream.
    pub(super) x: AlignedBuffer<f32>,
    /// What was heard, as it is multiplied with the weights of every layer of the decoder.
    pub(super) heard: PackedRows,
}

/// Keys and values that nobody needs any more, one entry for each layer: room for the next.
#[derive(Default)]
pub(super) struct Rooms {
    /// Of windows.
    pub(super) heard: Vec<Vec<KeysValues>>,
    /// Of lanes.
    pub(super) lanes: Vec<Vec<Past>>,
}

impl Rooms {
    /// Keeps the room of a decoding that is over. Where another came back meanwhile, the larger of the two is enough: if both
    /// were kept, every two decodings at once would leave more behind.
    pub(super) fn take_back(&mut self, heard: Vec<Vec<KeysValues>>, lanes: Vec<Vec<Past>>) {
        keep_larger(&mut self.heard, heard);
        keep_larger(&mut self.lanes, lanes);
    }
}

fn keep_larger<T>(kept: &mut Vec<T>, room: Vec<T>) {
    if room.len() > kept.len() {
        *kept = room;
    }
}

#[cfg(test)]
mod tests {
    use amanuensis_kernels::{Isa, Kernels, Precision, Team};

    use super::*;

    #[test]
    fn decodings_at_once_leave_no_more_behind_than_the_larger_of_them() {
        let kernels = Kernels::new(Isa::Scalar).unwrap();
        let mut team = Team::new(kernels, std::num::NonZeroUsize::MIN);
        let mut heard = |count: usize| -> Vec<_> {
            (0..count).map(|_| team.enter(|region| vec![region.keys_values(Precision::F32, 1, 4, 8)])).collect()
        };
        let said = |count: usize| -> Vec<_> {
            (0..count).map(|_| vec![Past::new(kernels, Precision::F32, 1, 4, 8)]).collect()
        };
        let mut rooms = Rooms::default();
        for _ in 0..10 {
            // The first takes what there is, the second finds nothing.
            let (first, mut lanes) = (std::mem::take(&mut rooms.heard), std::mem::take(&mut rooms.lanes));
            lanes.extend(said(3_usize.saturating_sub(lanes.len())));
            rooms.take_back(heard(2), said(5));
            rooms.take_back(first, lanes);
        }
        assert_eq!((rooms.heard.len(), rooms.lanes.len()), (2, 5));
    }
}
