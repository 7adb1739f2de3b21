//! `npu packs import`: a pack of an overlay that somebody built. What the overlay's file does not say is declared; where its
//! streams enter the array is read from a stream of its compiler's, unless it is declared too.

use std::collections::BTreeMap;
use std::fs;

use amanuensis_npu::driver::Generation;
use amanuensis_npu::packs::{self, Bounds, Declared, MANIFEST, Operand, Operation, Pack, Port, SelfTest};
use amanuensis_npu::plan::{Arguments, Fifo, Slice, recover_ports};
use amanuensis_npu::trust::Shape;
use amanuensis_npu::txn::{disassemble, words_of, words_of_text};
use anyhow::{Context, anyhow, bail};
use serde::Deserialize;

use super::{Stop, print_text, read};
use crate::args::NpuPacksImport;

/// Bytes of a declaration, and of the other files: what the reader of packs takes.
const DECLARATION_LIMIT: u64 = 256 << 10;
const FILE_LIMIT: u64 = 32 << 20;
/// The names of the files in the pack.
const OVERLAY: &str = "overlay.xclbin";
const SAMPLE: &str = "sample.insts";

/// What the overlay does not say of itself.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Declaration {
    /// What the pack is called, and its folder.
    name: String,
    generation: Generation,
    minimum_firmware: Option<String>,
    operation: Operation,
    #[serde(default)]
    ports: Vec<Port>,
    bounds: Bounds,
    /// What the sample stream computes.
    sample: Option<Shape>,
    #[serde(default)]
    toolchain: BTreeMap<String, String>,
    #[serde(default)]
    self_tests: Vec<SelfTest>,
}

pub(super) fn run(asked: &NpuPacksImport) -> Result<u8, Stop> {
    let text = String::from_utf8(read(&asked.declaration, DECLARATION_LIMIT)?)
        .with_context(|| format!("{} is no text", asked.declaration.display()))?;
    let declaration: Declaration =
        toml::from_str(&text).with_context(|| format!("cannot read {}", asked.declaration.display()))?;
    let overlay = read(&asked.overlay, FILE_LIMIT)?;
    let sample = asked.sample.as_deref().map(|path| read(path, FILE_LIMIT)).transpose()?;
    let name = declaration.name.clone();
    let folder = asked.folder.path().join(folder_name(&name)?);
    if folder.exists() {
        return Err(Stop::Failed(anyhow!("{} is there already; remove it, or choose another name", folder.display())));
    }
    let words = sample.as_deref().map(sample_words).transpose()?;
    let manifest = made(declaration, &overlay, words.as_deref())?;
    let text = manifest.to_toml().map_err(anyhow::Error::new)?;
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let write = |file: &str, bytes: &[u8]| {
        let path = folder.join(file);
        fs::write(&path, bytes).with_context(|| format!("cannot write {}", path.display()))
    };
    write(OVERLAY, &overlay)?;
    if let Some(words) = &words {
        write(SAMPLE, &bytes(words))?;
    }
    // Without it the folder is no pack, so it comes last.
    write(MANIFEST, text.as_bytes())?;
    let pack = Pack::load(&folder, None).map_err(anyhow::Error::new).context("what was written does not load")?;
    print_text(&format!(
        "{}: {} ports, {} self-tests",
        folder.display(),
        pack.manifest.ports.len(),
        pack.manifest.self_tests.len()
    ))?;
    Ok(0)
}

/// The manifest for what is declared, with ports.
fn made(declaration: Declaration, overlay: &[u8], sample: Option<&[u32]>) -> Result<packs::Manifest, anyhow::Error> {
    let Declaration { operation, mut ports, .. } = declaration;
    if ports.is_empty() {
        let words = sample.context("the declaration has no ports, and there is no --sample to read them from")?;
        ports = ports_of(words, &operation)?;
    }
    let stream = sample.map(bytes);
    let sample = match (&stream, declaration.sample) {
        (None, _) => None,
        (Some(stream), Some(shape)) => Some((SAMPLE.to_owned(), stream.as_slice(), shape)),
        (Some(_), None) => {
            bail!("the declaration does not say what the sample stream computes: sample = {{ m, k, n }}")
        }
    };
    let declared = Declared {
        name: declaration.name,
        generation: declaration.generation,
        minimum_firmware: declaration.minimum_firmware,
        file: OVERLAY.to_owned(),
        operation,
        ports,
        bounds: declaration.bounds,
        sample,
        toolchain: declaration.toolchain,
        self_tests: declaration.self_tests,
    };
    Ok(packs::import(overlay, declared)?)
}

/// Where the streams of an overlay enter and leave, by a stream for it.
fn ports_of(words: &[u32], operation: &Operation) -> Result<Vec<Port>, anyhow::Error> {
    let argument = |wanted: Operand| {
        let place = operation.arguments.iter().position(|operand| *operand == wanted);
        let place = place.and_then(|place| u32::try_from(place).ok());
        let argument = place.with_context(|| format!("operation.arguments has no {wanted:?}"))?;
        Ok::<Slice, anyhow::Error>(Slice { argument, offset: 0 })
    };
    let arguments = Arguments {
        activations: argument(Operand::Activations)?,
        weights: argument(Operand::Weights)?,
        results: argument(Operand::Results)?,
    };
    let stream = disassemble(words).context("the sample stream")?;
    let ports = recover_ports(&stream, &arguments).context("the ports of the sample stream")?;
    let named = ports.into_iter().map(|port| {
        let (stream, index) = match port.fifo {
            Fifo::Activations(index) => (Operand::Activations, index),
            Fifo::Weights(index) => (Operand::Weights, index),
            Fifo::Results(index) => (Operand::Results, index),
        };
        Port { stream, index, column: port.column, channel: port.channel }
    });
    Ok(named.collect())
}

/// A stream of a file, which has its bytes or its words as text.
fn sample_words(bytes: &[u8]) -> Result<Vec<u32>, anyhow::Error> {
    let text = bytes.iter().all(|byte| byte.is_ascii_hexdigit() || byte.is_ascii_whitespace());
    let words = match str::from_utf8(bytes) {
        Ok(words) if text => words_of_text(words),
        _ => words_of(bytes),
    };
    words.context("the sample stream")
}

fn bytes(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

/// A name that is a folder of its own and nowhere else.
fn folder_name(name: &str) -> Result<&str, anyhow::Error> {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '.');
    if name.is_empty() || name.starts_with('.') || !name.chars().all(plain) {
        bail!("{name:?} is no name of a pack: letters, digits, and `-`, `_` and `.` within");
    }
    Ok(name)
}
