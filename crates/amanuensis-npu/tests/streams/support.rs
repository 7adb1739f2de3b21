//! Overlays, matrices and kernels for the tests.

use amanuensis_npu::emulator::Kernel;
use amanuensis_npu::plan::{Bounds, Fifo, Micro, Operands, Overlay, Port, Rounding, TileShape, WeightOrder, reference};
use amanuensis_npu::txn::Generation;

/// Numbers that look random and are always the same.
pub(crate) struct Numbers(u64);

impl Numbers {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0xD1B5_4A32_D192_ED03)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.0;
        bits = (bits ^ bits >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ bits >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        bits ^ bits >> 31
    }

    pub(crate) fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    pub(crate) fn bytes(&mut self, count: usize) -> Vec<i8> {
        (0..count.div_ceil(8)).flat_map(|_| self.next().to_le_bytes()).take(count).map(|byte| byte as i8).collect()
    }

    /// A number between -1 and 1.
    pub(crate) fn real(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1 << 23) as f32 - 1.0
    }
}

/// The array of the public 512 x 512 x 512 build: where its compiler put the streams is a fact of that build.
pub(crate) fn public_512() -> Overlay {
    let ports = |results: [(u8, u8); 4], weights: [(u8, u8); 4]| {
        let activations = (0..4).map(|row| Port { fifo: Fifo::Activations(row), column: row, channel: 0 });
        let weights =
            (0..).zip(weights).map(|(index, (column, channel))| Port { fifo: Fifo::Weights(index), column, channel });
        let results =
            (0..).zip(results).map(|(index, (column, channel))| Port { fifo: Fifo::Results(index), column, channel });
        activations.chain(weights).chain(results).collect()
    };
    Overlay {
        generation: Generation::Npu1,
        columns: 4,
        rows: 4,
        rows_per_stream: 1,
        tile: TileShape { m: 64, k: 64, n: 32 },
        micro: Micro { r: 4, s: 4, t: 4 },
        operands: Operands::INT16,
        rounding: Rounding::ConvergentEven,
        weights: WeightOrder::Matrix,
        ports: ports([(1, 0), (1, 1), (0, 0), (2, 0)], [(1, 1), (0, 1), (2, 1), (3, 1)]),
        bounds: Bounds::Fixed { depth: 8 },
    }
}

/// The core of the public 256 x 256 x 256 build.
pub(crate) fn public_256() -> Overlay {
    Overlay {
        columns: 1,
        rows: 1,
        tile: TileShape { m: 32, k: 32, n: 32 },
        ports: vec![
            Port { fifo: Fifo::Activations(0), column: 0, channel: 0 },
            Port { fifo: Fifo::Weights(0), column: 0, channel: 1 },
            Port { fifo: Fifo::Results(0), column: 0, channel: 0 },
        ],
        ..public_512()
    }
}

/// The tile that Whisper's widths are multiples of, four columns wide.
pub(crate) const WHISPER_TILE: TileShape = TileShape { m: 64, k: 64, n: 32 };

pub(crate) fn int8(generation: Generation) -> Overlay {
    reference(generation, Operands::INT8, WHISPER_TILE)
}

/// The same array with cores that hold little, for tests that run thousands of streams.
pub(crate) fn small() -> Overlay {
    reference(Generation::Npu1, Operands::INT8, TileShape { m: 4, k: 8, n: 8 })
}

/// m x k times k x n, summed as a core sums.
pub(crate) fn product(left: &[i8], right: &[i8], [m, k, n]: [usize; 3]) -> Vec<i32> {
    let mut sums = vec![0_i32; m * n];
    for (row, sums) in left.chunks_exact(k).zip(sums.chunks_exact_mut(n)) {
        for (factor, line) in row.iter().zip(right.chunks_exact(n)) {
            let factor = i32::from(*factor);
            sums.iter_mut()
                .zip(line)
                .for_each(|(sum, value)| *sum = sum.wrapping_add(factor.wrapping_mul(i32::from(*value))));
        }
    }
    sums
}

/// Cores that multiply weighted sums of a tile's rows and columns: a sixtieth of the work, and as unlike for another tile or
/// another order within it. Everything is moved as for the product itself. Sums are kept to 16 bits, products to 32.
pub(crate) struct Projection {
    inner: usize,
    columns: usize,
    weights: [Vec<i16>; 2],
    bytes: Vec<i16>,
    left: Vec<i16>,
    right: Vec<i16>,
    sums: Vec<i32>,
}

impl Projection {
    pub(crate) fn new(overlay: &Overlay, numbers: &mut Numbers) -> Self {
        let tile = overlay.tile;
        let rows = tile.m * usize::from(overlay.rows);
        let weights = [(); 2].map(|()| (0..tile.k).map(|_| numbers.next() as i16 | 1).collect());
        let (left, right, sums) = (vec![0; rows], vec![0; tile.n], vec![0; rows * tile.n]);
        Self { inner: tile.k, columns: tile.n, weights, bytes: Vec::new(), left, right, sums }
    }

    /// The factors of rows and columns.
    pub(crate) fn factors(&self) -> [Vec<i16>; 2] {
        self.weights.clone()
    }

    fn unpack(&mut self, words: &[u32]) {
        self.bytes.resize(words.len() * 4, 0);
        for (word, numbers) in words.iter().zip(self.bytes.as_chunks_mut::<4>().0) {
            *numbers = word.to_le_bytes().map(|byte| i16::from(byte as i8));
        }
    }
}

/// The lower half of a weighted sum.
pub(crate) fn weighted(numbers: &[i16], weights: &[i16]) -> i16 {
    let products = numbers.iter().zip(weights).map(|(one, other)| i32::from(*one).wrapping_mul(i32::from(*other)));
    products.fold(0_i32, i32::wrapping_add) as i16
}

impl Kernel for Projection {
    fn begin(&mut self) {
        self.sums.fill(0);
    }

    fn accumulate(&mut self, activations: &[u32], weights: &[u32]) {
        self.unpack(activations);
        let lines = self.bytes.chunks_exact(self.inner);
        self.left.iter_mut().zip(lines).for_each(|(place, line)| *place = weighted(line, &self.weights[0]));
        self.unpack(weights);
        self.right.fill(0);
        for (line, weight) in self.bytes.chunks_exact(self.columns).zip(&self.weights[1]) {
            let places = self.right.iter_mut().zip(line);
            places.for_each(|(sum, value)| *sum = sum.wrapping_add(value.wrapping_mul(*weight)));
        }
        for (left, sums) in self.left.iter().zip(self.sums.chunks_exact_mut(self.columns)) {
            let products = self.right.iter().map(|right| i32::from(*left).wrapping_mul(i32::from(*right)));
            sums.iter_mut().zip(products).for_each(|(sum, product)| *sum = sum.wrapping_add(product));
        }
    }

    fn store(&mut self, results: &mut Vec<u32>) {
        results.extend(self.sums.iter().map(|sum| *sum as u32));
    }
}
