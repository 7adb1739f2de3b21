//! Writers of model files, one per format.

pub(super) mod npz;
