//! Products of matrices, cuBLASLt.

use std::ffi::{c_int, c_void};

use super::Wanted;

/// A handle, descriptor, layout or preference.
pub(in crate::driver) type Handle = *mut c_void;

/// Kinds of numbers.
pub(in crate::driver) const F32: c_int = 0;
pub(in crate::driver) const F16: c_int = 2;
/// Sums in f32.
pub(in crate::driver) const COMPUTE_F32: c_int = 68;
/// A matrix as its rows lie, columns of the library's.
pub(in crate::driver) const TRANSPOSED: i32 = 1;
/// What is done with a product behind it.
pub(in crate::driver) const EPILOGUE_BIAS: u32 = 4;
/// Attributes of a product.
pub(in crate::driver) const DESC_TRANSPOSE_A: c_int = 3;
pub(in crate::driver) const DESC_EPILOGUE: c_int = 7;
pub(in crate::driver) const DESC_BIAS: c_int = 8;
/// Attribute of a preference.
pub(in crate::driver) const PREFERENCE_WORKSPACE: c_int = 1;

/// A way to compute a product, as the library's header lays it out.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub(in crate::driver) struct Algorithm {
    data: [u64; 8],
}

/// A way that the library proposes, as its header lays it out.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub(in crate::driver) struct Proposal {
    pub(in crate::driver) algorithm: Algorithm,
    pub(in crate::driver) workspace: usize,
    pub(in crate::driver) state: c_int,
    waves: f32,
    reserved: [c_int; 4],
}

impl Proposal {
    /// Room for one.
    pub(in crate::driver) const EMPTY: Proposal =
        Proposal { algorithm: Algorithm { data: [0; 8] }, workspace: 0, state: 0, waves: 0.0, reserved: [0; 4] };
}

super::library! {
    /// The library's functions; 0 is success.
    CublasLt, Wanted::CublasLt, {
        version = "cublasLtGetVersion": fn() -> usize;
        create = "cublasLtCreate": fn(*mut Handle) -> c_int;
        destroy = "cublasLtDestroy": fn(Handle) -> c_int;
        desc_create = "cublasLtMatmulDescCreate": fn(*mut Handle, c_int, c_int) -> c_int;
        desc_destroy = "cublasLtMatmulDescDestroy": fn(Handle) -> c_int;
        desc_set = "cublasLtMatmulDescSetAttribute": fn(Handle, c_int, *const c_void, usize) -> c_int;
        layout_create = "cublasLtMatrixLayoutCreate": fn(*mut Handle, c_int, u64, u64, i64) -> c_int;
        layout_destroy = "cublasLtMatrixLayoutDestroy": fn(Handle) -> c_int;
        preference_create = "cublasLtMatmulPreferenceCreate": fn(*mut Handle) -> c_int;
        preference_destroy = "cublasLtMatmulPreferenceDestroy": fn(Handle) -> c_int;
        preference_set = "cublasLtMatmulPreferenceSetAttribute": fn(Handle, c_int, *const c_void, usize) -> c_int;
        heuristic = "cublasLtMatmulAlgoGetHeuristic": fn(
            Handle, Handle, Handle, Handle, Handle, Handle, Handle, c_int, *mut Proposal, *mut c_int,
        ) -> c_int;
        multiply = "cublasLtMatmul": fn(
            Handle, Handle, *const c_void, *const c_void, Handle, *const c_void, Handle, *const c_void, *const c_void,
            Handle, *mut c_void, Handle, *const Algorithm, *mut c_void, usize, Handle,
        ) -> c_int;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_library_writes_has_the_size_of_its_header() {
        assert_eq!(size_of::<Algorithm>(), 64);
        assert_eq!(size_of::<Proposal>(), 64 + 8 + 4 + 4 + 16);
    }
}
