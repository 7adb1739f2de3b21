//! A context of a device with an overlay that multiplies. Matrices lie in buffers of their own, so that one stream serves every
//! layer of a shape; rows and results use one pair of buffers, as large as was ever needed.

use std::collections::BTreeMap;
use std::time::Duration;

use half::bf16;
use half::slice::HalfFloatSliceExt;

use super::products::{Matrix, ProductError, Products};
use crate::driver::{Buffer, Context, Device, Heap, Origin, Receipt, Unit, Work};
use crate::emulator::POISON;
use crate::packs::Pack;
use crate::plan::{
    Arguments, Drain, Element, Gemm, Geometry, Overlay, Weights, pack_activations, pack_weights, plan, unpack_results,
};

/// Streams that are kept, at most: a model has six shapes of products, for each number of rows that windows have together.
const STREAMS: usize = 64;
/// How long a command of a device is waited for. Its driver gives up after two seconds.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long an emulated one is: it computes some 1.5 billion products of two numbers a second.
const PATIENCE_EMULATED: Duration = Duration::from_secs(600);

/// A matrix on a device.
pub struct Linear {
    outputs: usize,
    inputs: usize,
    weights: Buffer,
    /// Whether all weights are the same number: then so may be all results.
    constant: bool,
}

impl Linear {
    /// How many numbers come out for each row.
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// How many go in.
    pub fn inputs(&self) -> usize {
        self.inputs
    }
}

/// The stream of a shape.
struct Program {
    stream: Buffer,
    geometry: Geometry,
    used: u64,
}

/// A context with an overlay in it.
pub struct Multiplier {
    overlay: Overlay,
    arguments: Arguments,
    unit: Unit,
    origin: Origin,
    programs: BTreeMap<[usize; 3], Program>,
    activations: Option<Buffer>,
    results: Option<Buffer>,
    context: Context,
    uses: u64,
}

impl Multiplier {
    /// Makes a heap and a context on a device, and puts a pack's overlay into it.
    pub fn new(device: &Device, pack: &Pack) -> Result<Self, ProductError> {
        let (overlay, arguments) = (pack.manifest.planned()?, pack.manifest.arguments());
        let (input, output) = (overlay.operands.input, overlay.operands.output);
        if input != Element::Bf16 || !matches!(output, Element::Bf16 | Element::F32) {
            return Err(ProductError::Numbers { input, output });
        }
        let heap = Heap::create(device)?;
        let mut context = Context::create(&heap, pack.partition)?;
        let units = context.configure(&[pack.overlay()])?;
        let unit = units.first().copied().ok_or_else(|| crate::driver::DriverError::Units {
            what: "the context was given no compute unit".to_owned(),
        })?;
        Ok(Self {
            overlay,
            arguments,
            unit,
            origin: device.origin(),
            programs: BTreeMap::new(),
            activations: None,
            results: None,
            context,
            uses: 0,
        })
    }

    /// The overlay.
    pub fn overlay(&self) -> &Overlay {
        &self.overlay
    }

    /// Who multiplies: an NPU, or something that says that it is none.
    pub fn origin(&self) -> Origin {
        self.origin
    }

    /// Which context of the device's this is, counted from 1.
    pub fn generation(&self) -> u64 {
        self.context.generation()
    }

    /// Rows that the cores make together.
    fn block(&self) -> usize {
        self.overlay.tile.m * usize::from(self.overlay.rows)
    }

    /// Makes the program of a shape, if there is none yet. The one that was not used for longest goes where there are too many.
    fn ready(&mut self, shape: [usize; 3]) -> Result<(), ProductError> {
        self.uses += 1;
        let used = self.uses;
        if let Some(program) = self.programs.get_mut(&shape) {
            program.used = used;
            return Ok(());
        }
        if self.programs.len() >= STREAMS {
            let oldest = self.programs.iter().min_by_key(|(_, program)| program.used).map(|(shape, _)| *shape);
            oldest.and_then(|oldest| self.programs.remove(&oldest));
        }
        let [m, k, n] = shape;
        let plan = plan(&self.overlay, &Gemm { m, k, n, arguments: self.arguments }, Drain::First)?;
        let stream = self.context.stream(&plan.words())?;
        self.programs.insert(shape, Program { stream, geometry: plan.geometry, used });
        Ok(())
    }
}

/// A buffer with so many words, the one that is there if it has them.
fn room(context: &Context, buffer: &mut Option<Buffer>, words: usize) -> Result<(), ProductError> {
    if buffer.as_ref().is_none_or(|buffer| buffer.len() < words * 4) {
        *buffer = None;
        *buffer = Some(context.share(words * 4)?);
    }
    Ok(())
}

impl Products for Multiplier {
    fn prepare(&mut self, matrix: Matrix<'_>) -> Result<Linear, ProductError> {
        let Matrix { outputs, inputs, weights } = matrix;
        // A shape that no stream makes is found now and not with the first window. How many rows there are does not matter for how a
        // matrix is packed.
        self.ready([self.block(), inputs, outputs])?;
        let geometry = Geometry::new(&self.overlay, &Gemm::new(1, inputs, outputs))?;
        let numbers: Vec<bf16> = weights.iter().map(|weight| bf16::from_f32(*weight)).collect();
        let packed = pack_weights(Weights::ByOutput(&numbers), &self.overlay, &geometry)?;
        let buffer = self.context.share(packed.len() * 4)?;
        buffer.write_words(0, &packed)?;
        buffer.flush()?;
        let constant = numbers.iter().all(|number| Some(number) == numbers.first());
        Ok(Linear { outputs, inputs, weights: buffer, constant })
    }

    fn run(&mut self, linear: &Linear, rows: &[f32], out: &mut [f32]) -> Result<Receipt, ProductError> {
        let (inputs, outputs) = (linear.inputs, linear.outputs);
        let count = rows.len().checked_div(inputs).unwrap_or(0);
        if count == 0 || rows.len() != count * inputs || out.len() != count * outputs {
            return Err(ProductError::Rows { numbers: rows.len(), width: inputs });
        }
        // Whole blocks, so that windows of many lengths share a few streams.
        let shape = [count.next_multiple_of(self.block()), inputs, outputs];
        self.ready(shape)?;
        let (overlay, context) = (&self.overlay, &self.context);
        let Some(Program { stream, geometry, .. }) = self.programs.get(&shape) else {
            return Err(ProductError::Rows { numbers: rows.len(), width: inputs });
        };

        let mut numbers = vec![bf16::ZERO; shape[0] * inputs];
        numbers[..rows.len()].convert_from_f32_slice(rows);
        let packed = pack_activations(&numbers, overlay, geometry)?;
        room(context, &mut self.activations, packed.len())?;
        room(context, &mut self.results, geometry.result_words)?;
        let (Some(activations), Some(results)) = (&self.activations, &self.results) else {
            return Err(ProductError::Rows { numbers: rows.len(), width: inputs });
        };
        activations.write_words(0, &packed)?;
        results.write_words(0, &vec![POISON; geometry.result_words])?;

        let mut places = [
            (self.arguments.activations.argument, activations),
            (self.arguments.weights.argument, &linear.weights),
            (self.arguments.results.argument, results),
        ];
        places.sort_by_key(|(place, _)| *place);
        let work = Work { operations: 2 * (count * inputs) as u64 * outputs as u64 };
        let command = context.command(self.unit, stream, &places.map(|(_, buffer)| buffer), work)?;
        let patience = if self.origin.is_hardware() { PATIENCE } else { PATIENCE_EMULATED };
        let receipt = context.submit(&command)?.wait(patience)?;

        let words = results.read_words(0, geometry.result_words)?;
        let untouched = words.iter().filter(|word| **word == POISON).count();
        if untouched > 0 {
            return Err(ProductError::Untouched { untouched, words: words.len() });
        }
        if overlay.operands.output == Element::F32 {
            let found: Vec<f32> = unpack_results(&words, overlay, geometry)?;
            out.copy_from_slice(&found[..out.len()]);
        } else {
            let found: Vec<bf16> = unpack_results(&words, overlay, geometry)?;
            found[..out.len()].convert_to_f32_slice(out);
        }
        if let Some(place) = out.iter().position(|number| !number.is_finite()) {
            return Err(ProductError::NotFinite { place, found: out[place] });
        }
        let telling = !linear.constant && out.len() > 1 && rows.iter().any(|number| *number != 0.0);
        match out.first() {
            Some(first) if telling && out.iter().all(|number| number == first) => {
                Err(ProductError::AllEqual { found: *first })
            }
            _ => Ok(receipt),
        }
    }
}
