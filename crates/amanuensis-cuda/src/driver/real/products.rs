//! Products of matrices by cuBLASLt.
//!
//! The library counts columns first. What lies here as rows, `[rows][depth]`, is to it a matrix of `depth` rows and `rows` columns;
//! so it is asked for the transposed product: out^T = weights * input^T, where the weights as they lie are transposed once more.
//! The bias, one number for each of our columns, is then one for each of its rows, which is what its epilogue adds.

use std::collections::HashMap;
use std::ffi::{c_int, c_void};
use std::ptr;
use std::sync::{Mutex, PoisonError};

use crate::driver::libraries::cublaslt::{self as lt, Algorithm, CublasLt, Handle, Proposal};
use crate::driver::libraries::cuda;
use crate::driver::libraries::{LibraryError, Wanted};
use crate::driver::{GpuError, Tool, Version};
use crate::kernels::{Output, Product};

/// Bytes that the library may use for its sums: what NVIDIA recommends for Hopper, which older devices do not need all of.
pub(super) const WORKSPACE: usize = 32 << 20;
/// Shapes that are remembered; with more, all are forgotten and planned anew.
const REMEMBERED: usize = 1024;

/// What the library answers where the device failed beneath it, which it cannot tell from failures of its own: CUBLAS_STATUS_EXECUTION_FAILED
/// and CUBLAS_STATUS_INTERNAL_ERROR.
const DEVICE_FAILED: [c_int; 2] = [13, 14];

/// What allocations and weights are aligned to.
const BIAS_ALIGNMENT: u64 = 256;

/// The library and what it planned.
pub(super) struct Products {
    library: CublasLt,
    handle: Handle,
    plans: Mutex<HashMap<Shape, Plan>>,
}

// SAFETY: the handle may be used by any thread, as the library's manual says; plans are behind a lock.
unsafe impl Send for Products {}
// SAFETY: as above.
unsafe impl Sync for Products {}

/// What a plan depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Shape {
    rows: usize,
    columns: usize,
    depth: usize,
    pitch: usize,
    float: bool,
    bias: bool,
}

/// How a product of a shape is computed. Descriptors are given back when it is dropped.
struct Plan {
    desc: Owned,
    weights: Owned,
    input: Owned,
    out: Owned,
    algorithm: Algorithm,
}

/// Descriptors of a product.
struct Described {
    desc: Owned,
    weights: Owned,
    input: Owned,
    out: Owned,
    preference: Owned,
}

// SAFETY: descriptors are plain memory of the library, bound to no thread.
unsafe impl Send for Plan {}

/// A descriptor and how it is given back.
struct Owned {
    handle: Handle,
    destroy: unsafe extern "C" fn(Handle) -> c_int,
}

impl Drop for Owned {
    fn drop(&mut self) {
        // SAFETY: it was created and is destroyed once.
        unsafe { (self.destroy)(self.handle) };
    }
}

/// What a failure of the library is, once the driver was asked how the device is: where that is lost so is everything, and whoever
/// asked for a product is told so.
pub(super) fn judged(error: GpuError, ask: impl FnOnce() -> Result<(), GpuError>) -> GpuError {
    let may_be_the_device =
        matches!(&error, GpuError::Library(LibraryError::Status { status, .. }) if DEVICE_FAILED.contains(status));
    if !may_be_the_device {
        return error;
    }
    match ask() {
        Err(GpuError::Lost { code, .. }) => GpuError::Lost { call: "cublasLtMatmul", code },
        _ => error,
    }
}

impl Products {
    /// Finds the library. A context must be current.
    pub(super) fn load() -> Result<Self, GpuError> {
        let library = CublasLt::load()?;
        let mut handle = ptr::null_mut();
        // SAFETY: a place for the handle.
        let status = unsafe { (library.create)(&mut handle) };
        let products = Products { library, handle, plans: Mutex::default() };
        products.answered("cublasLtCreate", status)?;
        Ok(products)
    }

    pub(super) fn tool(&self) -> Tool {
        tool(&self.library)
    }

    fn answered(&self, call: &'static str, status: c_int) -> Result<(), LibraryError> {
        if status == 0 {
            return Ok(());
        }
        Err(LibraryError::Status { wanted: Wanted::CublasLt, file: self.library.file.clone(), call, status })
    }

    /// Asks for a product. Whatever lies at the views must be there; the workspace is of [`WORKSPACE`] bytes.
    pub(super) fn run(&self, product: &Product, workspace: u64, stream: cuda::Handle) -> Result<(), GpuError> {
        let (float, into, bias, add) = match product.out {
            Output::Half { into, bias } => (false, into.address(), bias.map(|bias| bias.address()), false),
            Output::Float { into, bias, add } => (true, into.address(), bias.map(|bias| bias.address()), add),
        };
        let Product { rows, columns, depth, pitch, .. } = *product;
        let shape = Shape { rows, columns, depth, pitch, float, bias: bias.is_some() };
        let mut plans = self.plans.lock().unwrap_or_else(PoisonError::into_inner);
        if plans.len() >= REMEMBERED && !plans.contains_key(&shape) {
            plans.clear();
        }
        let plan = match plans.entry(shape) {
            std::collections::hash_map::Entry::Occupied(known) => known.into_mut(),
            std::collections::hash_map::Entry::Vacant(new) => new.insert(self.plan(shape)?),
        };
        if let Some(bias) = bias {
            self.set(plan.desc.handle, lt::DESC_BIAS, &bias)?;
        }
        let (alpha, beta) = (1.0_f32, if add { 1.0_f32 } else { 0.0 });
        let at = |address: u64| address as usize as *mut c_void;
        // SAFETY: descriptors are those of the plan, which describe what lies at the views; factors are on the host, as is the
        // default, and read before the call returns; the stream is the caller's.
        let status = unsafe {
            (self.library.multiply)(
                self.handle,
                plan.desc.handle,
                (&raw const alpha).cast(),
                at(product.weights.address()),
                plan.weights.handle,
                at(product.input.address()),
                plan.input.handle,
                (&raw const beta).cast(),
                at(into),
                plan.out.handle,
                at(into),
                plan.out.handle,
                &plan.algorithm,
                at(workspace),
                WORKSPACE,
                stream,
            )
        };
        Ok(self.answered("cublasLtMatmul", status)?)
    }

    /// What the library is told of products of a shape; it looks at no device for that.
    fn describe(&self, shape: Shape) -> Result<Described, LibraryError> {
        let Shape { rows, columns, depth, pitch, float, bias } = shape;
        let library = &self.library;
        let mut desc = ptr::null_mut();
        // SAFETY: a place for the descriptor.
        let status = unsafe { (library.desc_create)(&mut desc, lt::COMPUTE_F32, lt::F32) };
        self.answered("cublasLtMatmulDescCreate", status)?;
        let desc = Owned { handle: desc, destroy: library.desc_destroy };
        self.set(desc.handle, lt::DESC_TRANSPOSE_A, &lt::TRANSPOSED)?;
        if bias {
            self.set(desc.handle, lt::DESC_EPILOGUE, &lt::EPILOGUE_BIAS)?;
            // No bias yet, but the alignment that all of them have: the library plans for that of the address it knows.
            self.set(desc.handle, lt::DESC_BIAS, &BIAS_ALIGNMENT)?;
        }
        let weights = self.layout(lt::F16, depth, columns, depth)?;
        let input = self.layout(lt::F16, depth, rows, depth)?;
        let out = self.layout(if float { lt::F32 } else { lt::F16 }, columns, rows, pitch)?;

        let mut preference = ptr::null_mut();
        // SAFETY: a place for the preference.
        let status = unsafe { (library.preference_create)(&mut preference) };
        self.answered("cublasLtMatmulPreferenceCreate", status)?;
        let preference = Owned { handle: preference, destroy: library.preference_destroy };
        let bytes = WORKSPACE as u64;
        // SAFETY: the attribute is a number of 64 bits.
        let status = unsafe {
            (library.preference_set)(
                preference.handle,
                lt::PREFERENCE_WORKSPACE,
                (&raw const bytes).cast(),
                size_of::<u64>(),
            )
        };
        self.answered("cublasLtMatmulPreferenceSetAttribute", status)?;
        Ok(Described { desc, weights, input, out, preference })
    }

    fn plan(&self, shape: Shape) -> Result<Plan, GpuError> {
        let Shape { rows, columns, depth, .. } = shape;
        let Described { desc, weights, input, out, preference } = self.describe(shape)?;
        let (mut proposal, mut found) = (Proposal::EMPTY, 0);
        // SAFETY: all descriptors live; there is room for the one proposal that is asked for.
        let status = unsafe {
            (self.library.heuristic)(
                self.handle,
                desc.handle,
                weights.handle,
                input.handle,
                out.handle,
                out.handle,
                preference.handle,
                1,
                &mut proposal,
                &mut found,
            )
        };
        self.answered("cublasLtMatmulAlgoGetHeuristic", status)?;
        if found < 1 || proposal.state != 0 || proposal.workspace > WORKSPACE {
            return Err(GpuError::Misuse {
                what: "cuBLASLt",
                wanted: format!("{rows} rows of {depth} times {columns}"),
                there: format!("no way to multiply them (status {})", proposal.state),
            });
        }
        Ok(Plan { desc, weights, input, out, algorithm: proposal.algorithm })
    }

    /// A matrix of so many of the library's rows and columns, with so many numbers from one of its columns to the next.
    fn layout(&self, kind: c_int, rows: usize, columns: usize, pitch: usize) -> Result<Owned, LibraryError> {
        let mut layout = ptr::null_mut();
        // SAFETY: a place for the layout.
        let status = unsafe {
            (self.library.layout_create)(
                &mut layout,
                kind,
                rows as u64,
                columns as u64,
                i64::try_from(pitch).unwrap_or(i64::MAX),
            )
        };
        self.answered("cublasLtMatrixLayoutCreate", status)?;
        Ok(Owned { handle: layout, destroy: self.library.layout_destroy })
    }

    fn set<T: Copy>(&self, desc: Handle, attribute: c_int, value: &T) -> Result<(), LibraryError> {
        // SAFETY: every caller gives the kind of number that the attribute is: 32 bits for what is done, 64 for an address.
        let status = unsafe { (self.library.desc_set)(desc, attribute, ptr::from_ref(value).cast(), size_of::<T>()) };
        self.answered("cublasLtMatmulDescSetAttribute", status)
    }
}

/// What was found.
pub(super) fn tool(library: &CublasLt) -> Tool {
    // SAFETY: it takes nothing and gives a number.
    let number = u32::try_from(unsafe { (library.version)() }).unwrap_or(0);
    let version = Version { major: number / 10_000, minor: number % 10_000 / 100 };
    Tool { name: "cuBLASLt", version, file: library.file.clone(), targets: None }
}

impl Drop for Products {
    fn drop(&mut self) {
        self.plans.get_mut().unwrap_or_else(PoisonError::into_inner).clear();
        if !self.handle.is_null() {
            // SAFETY: it was created and is destroyed once.
            unsafe { (self.library.destroy)(self.handle) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_product_that_failed_on_a_device_that_is_lost_says_so() {
        let failed = |status| {
            let (wanted, file, call) = (Wanted::CublasLt, "libcublasLt.so.13".to_owned(), "cublasLtMatmul");
            GpuError::Library(LibraryError::Status { wanted, file, call, status })
        };
        let lost =
            || Err(GpuError::Lost { call: "cuStreamSynchronize", code: "CUDA_ERROR_ILLEGAL_ADDRESS".to_owned() });
        for status in DEVICE_FAILED {
            let error = judged(failed(status), lost);
            assert!(
                error.ends_context() && error.to_string().contains("ILLEGAL_ADDRESS, during cublasLtMatmul"),
                "{error}"
            );
            // Where the device is well, or says nothing of use, the library's word stands.
            assert_eq!(judged(failed(status), || Ok(())), failed(status));
            let busy = || Err(GpuError::Call { call: "cuMemGetInfo", code: "CUDA_ERROR_UNKNOWN".to_owned() });
            assert_eq!(judged(failed(status), busy), failed(status));
        }
        // What is wrong with the question is not asked of the driver.
        assert_eq!(judged(failed(7), || panic!("asked")), failed(7));
    }

    #[test]
    fn the_library_understands_what_it_is_told() {
        let library = match CublasLt::load() {
            Ok(library) => library,
            Err(error @ LibraryError::Missing { .. }) => return eprintln!("skipped: {error}"),
            Err(error) => panic!("{error}"),
        };
        // A handle needs a device; descriptors do not.
        let products = Products { library, handle: ptr::null_mut(), plans: Mutex::default() };
        assert!((12..=13).contains(&products.tool().version.major), "{}", products.tool().version);
        for (float, bias) in [(false, true), (true, true), (true, false)] {
            let shape = Shape { rows: 3, columns: 3559, depth: 192, pitch: 3584, float, bias };
            let described = products.describe(shape).unwrap_or_else(|error| panic!("{error}"));
            products.set(described.desc.handle, lt::DESC_BIAS, &256_u64).unwrap_or_else(|error| panic!("{error}"));
        }
        eprintln!("cuBLASLt {} in {}", products.tool().version, products.library.file);
    }
}
