//! Acceptance check 8: the whole way through the driver in memory, every step left out once, and everything that can break.

mod faults;
mod limits;
mod steps;
mod whole;

use std::time::Duration;

use super::fake::{Addressing, FakeDriver, Fault, Machine, Settings};
use super::{Buffer, Command, Context, Device, DriverError, Heap, Overlay, Partition, Receipt, Unit, Work};
use crate::trust::{Canary, Problem, Shape};

/// What begins a program of the machine below.
const PROGRAM: u32 = 0x6E65_7645;
/// Longer than anything here takes.
const LONG: Duration = Duration::from_secs(20);
/// Any overlay: the machine does not look at it, the driver only for being there.
const IMAGE: [u8; 64] = [0xDD; 64];
const PARTITION: Partition = Partition { columns: 4, operations_per_cycle: 2048 };
const SHAPE: Shape = Shape { m: 8, k: 16, n: 6 };
const CANARY: Canary = Canary { shape: SHAPE, seed: 11, bound: Canary::BOUND_F32 };

/// A machine that multiplies matrices of f32, as a program of four words says: the word above, m, k and n.
struct Multiplier;

impl Machine for Multiplier {
    fn execute(&mut self, stream: &[u32], arguments: &mut [&mut [u32]]) -> Result<(), Fault> {
        let [PROGRAM, m, k, n] = *stream else {
            let reason = format!("no program: {stream:x?}");
            return Err(Fault { operation: Some(0), hung: true, reason });
        };
        let (m, k, n) = (m as usize, k as usize, n as usize);
        let [a, b, c] = arguments else {
            let reason = format!("{} buffers", arguments.len());
            return Err(Fault { operation: Some(1), hung: false, reason });
        };
        for row in 0..m {
            for column in 0..n {
                let part = |place: usize| f32::from_bits(a[row * k + place]) * f32::from_bits(b[place * n + column]);
                c[row * n + column] = (0..k).map(part).sum::<f32>().to_bits();
            }
        }
        Ok(())
    }
}

fn program(shape: Shape) -> [u32; 4] {
    [PROGRAM, shape.m, shape.k, shape.n]
}

fn words(numbers: &[f32]) -> Vec<u32> {
    numbers.iter().map(|number| number.to_bits()).collect()
}

/// Every kind of driver there is: both ways of naming pages, both ways of waiting.
fn kinds() -> impl Iterator<Item = Settings> {
    let both = |addressing| [true, false].map(|timelines| Settings { addressing, timelines, ..Settings::default() });
    [Addressing::Process, Addressing::Own].into_iter().flat_map(both)
}

/// A context with one unit, and the buffers of a multiplication.
struct Bench {
    driver: FakeDriver,
    device: Device,
    heap: Heap,
    context: Context,
    unit: Unit,
    stream: Buffer,
    buffers: [Buffer; 3],
}

impl Bench {
    fn new(settings: Settings) -> Self {
        let driver = FakeDriver::new(settings, Multiplier);
        let device = Device::fake(&driver).expect("a device");
        let heap = Heap::create(&device).expect("a heap");
        let mut context = Context::create(&heap, PARTITION).expect("a context");
        let unit = context.configure(&[Overlay { image: &IMAGE, function: 0 }]).expect("a unit")[0];
        let stream = context.stream(&program(SHAPE)).expect("room");
        let sizes = [SHAPE.m * SHAPE.k, SHAPE.k * SHAPE.n, SHAPE.m * SHAPE.n];
        let buffers = sizes.map(|count| context.share(count as usize * 4).expect("a buffer"));
        Self { driver, device, heap, context, unit, stream, buffers }
    }

    fn command(&self) -> Command {
        let arguments: Vec<&Buffer> = self.buffers.iter().collect();
        let work = Work { operations: SHAPE.operations() };
        self.context.command(self.unit, &self.stream, &arguments, work).expect("a command")
    }

    /// Runs one multiplication, as canaries want it.
    fn multiply(&self, problem: &Problem, result: &mut [f32]) -> Result<Receipt, DriverError> {
        let [a, b, c] = &self.buffers;
        a.write_words(0, &words(&problem.a))?;
        b.write_words(0, &words(&problem.b))?;
        c.write_words(0, &words(result))?;
        let receipt = self.context.submit(&self.command())?.wait(LONG)?;
        for (place, word) in result.iter_mut().zip(c.read_words(0, problem.shape.results())?) {
            *place = f32::from_bits(word);
        }
        Ok(receipt)
    }
}
