//! Making a manifest for an overlay that somebody built: what its file says is taken from it, the rest is declared.

use std::collections::BTreeMap;

use super::error::PackError;
use super::loading::{kernel, sha256};
use super::manifest::{Bounds, DeviceNeeds, Manifest, Operation, OverlayFile, Port, SCHEMA, Sample, SelfTest};
use crate::containers::Xclbin;
use crate::driver::Generation;
use crate::trust::Shape;

/// What an overlay's file does not say.
#[derive(Debug, Clone, PartialEq)]
pub struct Declared<'a> {
    /// What the pack is called.
    pub name: String,
    /// The family that it was compiled for. Compilers state the same operations in a cycle for both.
    pub generation: Generation,
    /// The oldest firmware that is known to work.
    pub minimum_firmware: Option<String>,
    /// The name that the overlay's file has in the pack.
    pub file: String,
    /// What it computes.
    pub operation: Operation,
    /// Where its streams enter and leave. They can be found in a sample stream, by whoever can disassemble it: a push of a
    /// descriptor names the channel, its patch the buffer, its sizes the stream.
    pub ports: Vec<Port>,
    /// How its cores know how often to go round.
    pub bounds: Bounds,
    /// A stream of its compiler's: name in the pack, bytes, and what it computes.
    pub sample: Option<(String, &'a [u8], Shape)>,
    /// What it was built with.
    pub toolchain: BTreeMap<String, String>,
    /// What it must compute.
    pub self_tests: Vec<SelfTest>,
}

/// Makes the manifest of an overlay. Its first kernel that has a program is taken.
pub fn import(xclbin: &[u8], declared: Declared<'_>) -> Result<Manifest, PackError> {
    let file = Xclbin::read(xclbin)?;
    let partition = file.partition()?;
    let (kernel, _) = kernel(&file.kernels()?, &partition, None)?;
    let manifest = Manifest {
        schema: SCHEMA,
        name: declared.name,
        device: DeviceNeeds {
            generation: declared.generation,
            columns: partition.columns,
            minimum_firmware: declared.minimum_firmware,
        },
        overlay: OverlayFile {
            file: declared.file,
            sha256: sha256(xclbin),
            kernel: kernel.name,
            kernel_id: kernel.id,
            function: kernel.functional,
            operations_per_cycle: partition.operations_per_cycle,
        },
        operation: declared.operation,
        ports: declared.ports,
        bounds: declared.bounds,
        sample: declared.sample.map(|(file, bytes, shape)| Sample { file, sha256: sha256(bytes), shape }),
        toolchain: declared.toolchain,
        self_tests: declared.self_tests,
    };
    manifest.check()?;
    Ok(manifest)
}
