//! Every kernel against its naive truth, with numbers that are new each time and outputs that are poisoned before.
//!
//! Kernels run where they can: on a GPU if the machine has one, and thread by thread on the host if it has a C++ compiler, once with
//! threads that take turns, once with warps that run ahead. Where neither is there a test says that it was skipped.

mod attending;
mod choosing;
mod compiling;
mod machine_code;
mod moving;
mod shapes;

use std::sync::{Arc, Once, OnceLock};

use half::f16;

use super::{Argument, Operation, Product};
use crate::driver::fake::FakeGpu;
#[cfg(all(target_endian = "little", unix))]
use crate::driver::fake::threads::{self, Threads};
use crate::driver::real::RealGpu;
use crate::driver::{Buffer, Gpu, Number, View, download, upload};

/// Room that is enough for every test.
const MEMORY: u64 = 256 << 20;

/// Numbers of a test on one device, the same on every device.
struct Setting {
    gpu: Arc<dyn Gpu>,
    random: fastrand::Rng,
    halves: Vec<Buffer<f16>>,
    floats: Vec<Buffer<f32>>,
    integers: Vec<Buffer<i32>>,
    outputs: Vec<Written>,
}

/// What a kernel writes.
enum Written {
    Halves(View<f16>),
    Floats(View<f32>),
    Integers(View<i32>),
}

impl Setting {
    fn new(gpu: Arc<dyn Gpu>, seed: u64) -> Self {
        let random = fastrand::Rng::with_seed(seed);
        let (halves, floats, integers) = (Vec::new(), Vec::new(), Vec::new());
        Setting { gpu, random, halves, floats, integers, outputs: Vec::new() }
    }

    fn number(&mut self) -> f32 {
        // As the sum of three it is near zero more often than far from it.
        (0..3).map(|_| self.random.f32() * 2.0 - 1.0).sum()
    }

    fn put_halves(&mut self, numbers: &[f16]) -> View<f16> {
        let buffer = Buffer::new(&self.gpu, numbers.len(), "a test").expect("memory");
        upload(&*self.gpu, buffer.view(), numbers).expect("uploaded");
        self.halves.push(buffer);
        self.halves[self.halves.len() - 1].view()
    }

    fn put_floats(&mut self, numbers: &[f32]) -> View<f32> {
        let buffer = Buffer::new(&self.gpu, numbers.len(), "a test").expect("memory");
        upload(&*self.gpu, buffer.view(), numbers).expect("uploaded");
        self.floats.push(buffer);
        self.floats[self.floats.len() - 1].view()
    }

    fn table(&mut self, numbers: &[i32]) -> View<i32> {
        let buffer = Buffer::new(&self.gpu, numbers.len(), "a test").expect("memory");
        upload(&*self.gpu, buffer.view(), numbers).expect("uploaded");
        self.integers.push(buffer);
        self.integers[self.integers.len() - 1].view()
    }

    fn halves(&mut self, count: usize) -> View<f16> {
        let numbers: Vec<f16> = (0..count).map(|_| f16::from_f32(self.number())).collect();
        self.put_halves(&numbers)
    }

    fn floats(&mut self, count: usize) -> View<f32> {
        let numbers: Vec<f32> = (0..count).map(|_| self.number()).collect();
        self.put_floats(&numbers)
    }

    /// Halves that the kernel is to write: no numbers before.
    fn out_halves(&mut self, count: usize) -> View<f16> {
        let view = self.put_halves(&vec![f16::NAN; count]);
        self.outputs.push(Written::Halves(view));
        view
    }

    fn out_floats(&mut self, count: usize) -> View<f32> {
        let view = self.put_floats(&vec![f32::NAN; count]);
        self.outputs.push(Written::Floats(view));
        view
    }

    /// Whole numbers that the kernel changes, and that are there before.
    fn out_integers(&mut self, numbers: &[i32]) -> View<i32> {
        let view = self.table(numbers);
        self.outputs.push(Written::Integers(view));
        view
    }

    /// Runs an operation and gives everything that it may have written.
    fn run(&self, operation: Operation) -> Vec<f32> {
        if let Ok(launch) = operation.launch() {
            let kinds: Vec<&str> = launch.arguments.iter().map(kind).collect();
            assert_eq!(kinds, parameters(launch.kernel), "arguments of {}", launch.kernel);
        }
        self.gpu.run(&operation).unwrap_or_else(|error| panic!("{error}"));
        let mut all = Vec::new();
        for written in &self.outputs {
            match written {
                Written::Halves(view) => all.extend(self.read(*view).into_iter().map(f16::to_f32)),
                Written::Floats(view) => all.extend(self.read(*view)),
                Written::Integers(view) => all.extend(self.read(*view).into_iter().map(|number| number as f32)),
            }
        }
        all
    }

    fn read<T: Number>(&self, view: View<T>) -> Vec<T> {
        let mut numbers = vec![T::default(); view.len()];
        download(&*self.gpu, view, &mut numbers).unwrap_or_else(|error| panic!("{error}"));
        numbers
    }
}

/// What kind of parameter an argument is for.
fn kind(argument: &Argument) -> &'static str {
    match argument {
        Argument::Address(_) => "pointer",
        Argument::Int(_) => "int",
        Argument::Float(_) => "float",
    }
}

/// The kinds of a kernel's parameters, as its source has them.
fn parameters(kernel: &str) -> Vec<&'static str> {
    let source = super::source();
    let start = source.find(&format!("{kernel}(")).unwrap_or_else(|| panic!("{kernel} is not in the source"));
    let behind = &source[start + kernel.len() + 1..];
    let list = &behind[..behind.find(')').expect("an end of the parameters")];
    let kind = |parameter: &str| match parameter.trim() {
        pointer if pointer.contains('*') => "pointer",
        int if int.starts_with("int ") => "int",
        float if float.starts_with("float ") => "float",
        other => panic!("{kernel} has a parameter `{other}`"),
    };
    list.split(',').map(kind).collect()
}

static GPU: Once = Once::new();
#[cfg(all(target_endian = "little", unix))]
static THREADS: Once = Once::new();

/// Says once what is not tried.
fn skipped(once: &Once, what: &str) {
    once.call_once(|| eprintln!("skipped: {what}"));
}

/// The devices that kernels can be tried on here, with names for messages.
fn devices() -> Vec<(String, Arc<dyn Gpu>)> {
    some_blocks(None)
}

/// The same, where only some blocks of each grid run, unless it is a GPU.
#[cfg_attr(
    not(all(target_endian = "little", unix)),
    expect(unused_variables, reason = "only threads on the host run some of the blocks")
)]
fn some_blocks(only: Option<&[[usize; 3]]>) -> Vec<(String, Arc<dyn Gpu>)> {
    static REAL: OnceLock<Result<Arc<RealGpu>, String>> = OnceLock::new();
    let mut devices: Vec<(String, Arc<dyn Gpu>)> = Vec::new();
    match REAL.get_or_init(|| RealGpu::open(0).map_err(|error| error.to_string())) {
        Ok(gpu) => devices.push((gpu.facts().device(), gpu.clone())),
        Err(reason) => skipped(&GPU, &format!("no GPU: {reason}")),
    }
    #[cfg(all(target_endian = "little", unix))]
    match threads::kernels() {
        Ok(kernels) => {
            for ahead in [false, true] {
                let threads = Threads { kernels: kernels.clone(), ahead, only: only.map(<[_]>::to_vec) };
                devices.push((format!("threads on the host, warps ahead {ahead}"), FakeGpu::with(MEMORY, threads)));
            }
        }
        Err(reason) => skipped(&THREADS, &format!("no threads on the host: {reason}")),
    }
    devices
}

/// Compares a kernel with its naive truth wherever it can run. Numbers may differ by `tolerance` of their size, or of one where they
/// are smaller; what is not written must not be written.
fn compare(what: &str, tolerance: f32, set: impl Fn(&mut Setting) -> Operation) {
    let seed = fastrand::u64(..);
    let on = |gpu: Arc<dyn Gpu>| {
        let mut setting = Setting::new(gpu, seed);
        let operation = set(&mut setting);
        setting.run(operation)
    };
    let right = on(FakeGpu::new(MEMORY));
    assert!(right.iter().any(|value| value.is_finite()), "{what}: the truth is empty");
    for (name, gpu) in devices() {
        let found = on(gpu);
        assert_eq!(found.len(), right.len());
        for (place, (found, right)) in found.iter().zip(&right).enumerate() {
            let near = (found - right).abs() <= tolerance * right.abs().max(1.0);
            // Infinities are equal and not near.
            assert!(
                near || found == right || (found.is_nan() && right.is_nan()),
                "{what} on {name}, seed {seed}: number {place} is {found}, not {right}"
            );
        }
    }
}

/// A half's last place, of numbers near one.
const HALF: f32 = 1.0 / 1024.0;

#[test]
fn products_are_what_they_are_said_to_be() {
    for (rows, columns, depth) in [(1, 3559, 192), (5, 192, 768), (130, 576, 192), (64, 64, 240)] {
        compare("a product in f16", 2.0 * HALF, |setting| {
            let (input, weights) = (setting.halves(rows * depth), setting.halves(columns * depth));
            let (bias, into) = (Some(setting.halves(columns)), setting.out_halves(rows * columns));
            let out = super::Output::Half { into, bias };
            Product { input, weights, out, rows, columns, depth, pitch: columns }.into()
        });
        for (add, biased) in [(true, true), (false, false), (true, false), (false, true)] {
            compare("a product in f32", 1e-3, |setting| {
                let (input, weights) = (setting.halves(rows * depth), setting.halves(columns * depth));
                let bias = biased.then(|| setting.floats(columns));
                // Rows of logits lie further apart than they are long.
                let pitch = columns.next_multiple_of(32);
                let into = if add { setting.floats(rows * pitch) } else { setting.out_floats(rows * pitch) };
                if add {
                    setting.outputs.push(Written::Floats(into));
                }
                let out = super::Output::Float { into, bias, add };
                Product { input, weights, out, rows, columns, depth, pitch }.into()
            });
        }
    }
}
