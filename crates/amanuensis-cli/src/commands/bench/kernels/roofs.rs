//! The roofs of this machine, measured with all threads of the team.

use amanuensis_kernels::{AlignedBuffer, Team, roof};
use serde::Serialize;

use super::measure::{Need, time};

/// Steps of a loop of arithmetic, some 100 microseconds.
const STEPS: usize = 30_000;
/// Bytes for each thread to read again and again: within the first cache of any processor, and the second of most.
const OF_A_THREAD: [usize; 2] = [16 << 10, 512 << 10];
/// Bytes that a thread reads before it may be given others, so that what it reads again is in its own caches.
const AT_ONCE: usize = 8 << 20;
/// Bytes for all threads together to read, from what third caches hold to what none does. What lies between is held in
/// part, so the steps are small: an operation's roof is the speed of the next larger one.
const OF_ALL: [usize; 5] = [8 << 20, 32 << 20, 64 << 20, 128 << 20, 256 << 20];
/// Bytes of these that a thread reads at a time, about as the kernels cut large weights.
const BLOCK: usize = 256 << 10;

/// A speed that nothing exceeds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Roof {
    pub(super) name: String,
    /// What it is made of.
    pub(super) instruction: Option<&'static str>,
    /// Operations or bytes.
    pub(super) unit: &'static str,
    pub(super) per_second: f64,
}

/// All of them.
#[derive(Debug, Clone)]
pub(super) struct Roofs {
    pub(super) multiply_add: Roof,
    pub(super) dot_product: Roof,
    /// By how many bytes all threads read again and again, the smallest first.
    reading: Vec<(usize, Roof)>,
}

/// What is read: blocks that any thread may take, each so many times.
struct Reading {
    name: String,
    blocks: usize,
    bytes_of_block: usize,
    passes: usize,
}

/// Measures every roof with all threads.
pub(super) fn measure(team: &mut Team) -> Roofs {
    let loops = roof::Roofs::of(team.kernels());
    let threads = team.threads();
    let own = OF_A_THREAD.map(|bytes| Reading {
        name: format!("read {} KiB for each thread", bytes >> 10),
        blocks: threads,
        bytes_of_block: bytes,
        passes: AT_ONCE / bytes,
    });
    let largest = threads * OF_A_THREAD[OF_A_THREAD.len() - 1];
    let common = OF_ALL.into_iter().filter(|bytes| *bytes > largest).map(|bytes| Reading {
        name: format!("read {} MiB", bytes >> 20),
        blocks: bytes / BLOCK,
        bytes_of_block: BLOCK,
        passes: 1,
    });
    Roofs {
        multiply_add: arithmetic(team, "multiply-add, f32", loops.multiply_add),
        dot_product: arithmetic(team, "dot product, int8", loops.dot_product),
        reading: own.into_iter().chain(common).map(|what| reading(team, what, loops)).collect(),
    }
}

fn arithmetic(team: &mut Team, name: &str, arithmetic: roof::Arithmetic) -> Roof {
    let threads = team.threads();
    let times = time(team, &mut |region| region.split(threads, |_| arithmetic.run(STEPS)));
    Roof {
        name: name.to_owned(),
        instruction: Some(arithmetic.instruction()),
        unit: "operations",
        per_second: (threads as u64 * STEPS as u64 * arithmetic.operations()) as f64 / times.best,
    }
}

/// The bytes that are read, and how fast.
fn reading(team: &mut Team, what: Reading, loops: roof::Roofs) -> (usize, Roof) {
    let bytes = what.blocks * what.bytes_of_block;
    let mut numbers = AlignedBuffer::<f32>::zeroed(bytes / size_of::<f32>());
    // Memory that nobody wrote to is one and the same page of zeros, which would be read from a cache.
    numbers.fill(1.0);
    let span = what.bytes_of_block / size_of::<f32>();
    let times = time(team, &mut |region| {
        region.split(what.blocks, |block| {
            for _ in 0..what.passes {
                std::hint::black_box(loops.read(&numbers[block * span..][..span]));
            }
        });
    });
    let per_second = (what.passes * bytes) as f64 / times.best;
    (bytes, Roof { name: what.name, instruction: None, unit: "bytes", per_second })
}

impl Roofs {
    /// The least time that `need` can take, and the roof that says so.
    pub(super) fn bound(&self, need: Need) -> Option<(f64, &Roof)> {
        let arithmetic = (need.arithmetic)(self);
        // What is read again and again comes from the nearest cache that holds it.
        let holds = |(bytes, _): &&(usize, Roof)| *bytes as f64 >= need.bytes;
        let (_, reading) = self.reading.iter().find(holds).or(self.reading.last())?;
        let computing = need.operations / arithmetic.per_second;
        let moving = need.bytes / reading.per_second;
        Some(if computing >= moving { (computing, arithmetic) } else { (moving, reading) })
    }

    /// All roofs.
    pub(super) fn list(&self) -> Vec<Roof> {
        let arithmetic = [self.multiply_add.clone(), self.dot_product.clone()];
        arithmetic.into_iter().chain(self.reading.iter().map(|(_, roof)| roof.clone())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn roofs() -> Roofs {
        let roof = |name: &str, per_second| Roof { name: name.to_owned(), instruction: None, unit: "", per_second };
        Roofs {
            multiply_add: roof("f32", 100.0),
            dot_product: roof("int8", 400.0),
            reading: vec![(10, roof("near", 50.0)), (1000, roof("far", 10.0))],
        }
    }

    #[test]
    fn what_takes_longest_is_the_roof() {
        let roofs = roofs();
        let bound = |arithmetic, operations, bytes| {
            let (seconds, roof) = roofs.bound(Need { arithmetic, operations, bytes }).unwrap();
            (seconds, roof.name.as_str())
        };
        assert_eq!(bound(|roofs| &roofs.multiply_add, 200.0, 5.0), (2.0, "f32"));
        assert_eq!(bound(|roofs| &roofs.dot_product, 200.0, 5.0), (0.5, "int8"));
        assert_eq!(bound(|roofs| &roofs.multiply_add, 1.0, 5.0), (0.1, "near"));
        assert_eq!(bound(|roofs| &roofs.multiply_add, 1.0, 20.0), (2.0, "far"));
        assert_eq!(bound(|roofs| &roofs.multiply_add, 1.0, 5000.0), (500.0, "far"));
    }
}
