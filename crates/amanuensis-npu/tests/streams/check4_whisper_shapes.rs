//! Check 4: every linear layer of every published model, with 1500 positions that fill no whole block and one to four windows at a
//! time. All words are moved as on a device, and each word of a result is written once.
//!
//! Results are compared exactly. For the narrowest model that is done element by element; for the others by products with two random
//! vectors, from the left and from the right, modulo 2^32: a wrong element does not hide in both. Where multiplying everything would
//! take minutes, cores multiply weighted sums of their tiles instead ([`Projection`]), so that what is moved and paired is
//! tested and the multiplication itself is left to the other cases.

use amanuensis_npu::emulator::{Array, poison};
use amanuensis_npu::plan::{Drain, Gemm, Overlay, Weights, pack_activations, pack_weights, plan, unpack_results};
use amanuensis_npu::txn::{Expectations, Generation, lint};

use super::support::{Numbers, Projection, int8, product, weighted};

/// Width and frequency bands of the encoders: tiny, base, small, medium, large to large-v2, large-v3 and turbo.
const MODELS: [(usize, usize); 6] = [(384, 80), (512, 80), (768, 80), (1024, 80), (1280, 80), (1280, 128)];

/// What each layer multiplies, for some windows: rows, inner side, columns.
fn layers((width, bands): (usize, usize), windows: usize) -> [[usize; 3]; 7] {
    let rows = 1500 * windows;
    [
        [2 * rows, 3 * bands, width],
        [rows, 3 * width, width],
        [rows, width, 3 * width],
        [rows, width, width],
        [rows, width, 4 * width],
        [rows, 4 * width, width],
        [rows, width, 2 * width],
    ]
}

/// How a product is made and compared.
#[derive(Clone, Copy, PartialEq)]
enum How {
    /// All of it, element by element.
    Elements,
    /// All of it, by random vectors.
    Vectors,
    /// Weighted sums of tiles, by random vectors.
    Sums,
}

/// A matrix times a vector.
fn times(matrix: &[i32], vector: &[i32]) -> Vec<i32> {
    let dot = |line: &[i32]| {
        line.iter().zip(vector).fold(0, |sum: i32, (one, other)| sum.wrapping_add(one.wrapping_mul(*other)))
    };
    matrix.chunks_exact(vector.len()).map(dot).collect()
}

/// A vector times a matrix.
fn from_left(vector: &[i32], matrix: &[i32]) -> Vec<i32> {
    let columns = matrix.len() / vector.len();
    let mut sums = vec![0_i32; columns];
    for (factor, line) in vector.iter().zip(matrix.chunks_exact(columns)) {
        sums.iter_mut().zip(line).for_each(|(sum, value)| *sum = sum.wrapping_add(value.wrapping_mul(*factor)));
    }
    sums
}

fn check(overlay: &Overlay, sides: [usize; 3], how: How) {
    let [m, k, n] = sides;
    let mut numbers = Numbers::new((m * 31 + k * 7 + n) as u64);
    let (left, right) = (numbers.bytes(m * k), numbers.bytes(k * n));
    let plan = plan(overlay, &Gemm::new(m, k, n), Drain::First).unwrap();
    assert_eq!(lint(&plan.stream, &Expectations { arguments: Some(3) }), [], "{sides:?}");
    let geometry = plan.geometry;
    let mut activations = pack_activations(&left, overlay, &geometry).unwrap();
    let mut weights = pack_weights(Weights::ByInput(&right), overlay, &geometry).unwrap();
    let mut results = vec![0; geometry.result_words];
    poison(&mut results);
    let projection = Projection::new(overlay, &mut numbers);
    let factors = projection.factors();
    let mut array = match how {
        How::Elements | How::Vectors => Array::new(overlay.clone()),
        How::Sums => Array::with_kernel(overlay.clone(), Box::new(projection)),
    }
    .unwrap();
    let report = array.dispatch(&plan.words(), &mut [&mut activations, &mut weights, &mut results]).unwrap();
    assert_eq!(report.first_unwritten(2, 0..geometry.result_words), None, "{sides:?}");
    assert_eq!(report.multiply_adds, geometry.multiply_adds());
    assert_eq!(report.moved.iter().map(|(_, words)| words * 4).sum::<u64>(), plan.traffic);
    let results: Vec<i32> = unpack_results(&results, overlay, &geometry).unwrap();
    let wide = |values: &[i8]| values.iter().map(|value| i32::from(*value)).collect::<Vec<i32>>();
    let (left, right) = match how {
        How::Elements => {
            assert!(results == product(&left, &right, sides), "{sides:?}");
            return;
        }
        How::Vectors => (wide(&left), wide(&right)),
        How::Sums => tile_sums(&left, &right, sides, overlay.tile.k, &factors),
    };
    let mut vector = |length: usize| (0..length).map(|_| numbers.next() as i32).collect::<Vec<i32>>();
    let (rows, columns) = (vector(m), vector(n));
    assert!(times(&results, &columns) == times(&left, &times(&right, &columns)), "{sides:?} from the right");
    assert!(from_left(&rows, &results) == from_left(&from_left(&rows, &left), &right), "{sides:?} from the left");
}

/// The factors of the product that cores make of weighted sums: a column, and a row, for each tile along the inner side.
fn tile_sums(
    left: &[i8],
    right: &[i8],
    [_, k, n]: [usize; 3],
    tile: usize,
    factors: &[Vec<i16>; 2],
) -> (Vec<i32>, Vec<i32>) {
    let halves = |values: &[i8]| values.iter().map(|value| i16::from(*value)).collect::<Vec<i16>>();
    let (left, right) = (halves(left), halves(right));
    let rows = left.chunks_exact(k).flat_map(|row| row.chunks(tile).map(|part| i32::from(weighted(part, &factors[0]))));
    let lines = right.chunks(tile * n).flat_map(|part| {
        let mut sums = vec![0_i16; n];
        for (line, factor) in part.chunks_exact(n).zip(&factors[1]) {
            sums.iter_mut().zip(line).for_each(|(sum, value)| *sum = sum.wrapping_add(value.wrapping_mul(*factor)));
        }
        sums.into_iter().map(i32::from)
    });
    (rows.collect(), lines.collect())
}

#[test]
fn every_layer_of_every_model() {
    let overlay = int8(Generation::Npu1);
    for (index, model) in MODELS.into_iter().enumerate() {
        let how = [How::Elements, How::Vectors].get(index).copied().unwrap_or(How::Sums);
        for sides in layers(model, 1) {
            check(&overlay, sides, how);
        }
    }
}

#[test]
fn several_windows_of_the_narrow_models() {
    let overlay = int8(Generation::Npu1);
    for windows in 2..=4 {
        for model in &MODELS[..2] {
            layers(*model, windows).into_iter().for_each(|sides| check(&overlay, sides, How::Sums));
        }
    }
}

#[test]
fn eight_columns() {
    let overlay = int8(Generation::Npu2);
    layers(MODELS[0], 1).into_iter().for_each(|sides| check(&overlay, sides, How::Vectors));
    layers(MODELS[5], 1).into_iter().for_each(|sides| check(&overlay, sides, How::Sums));
}

#[test]
#[ignore = "takes minutes"]
fn every_layer_of_every_model_with_every_product() {
    for generation in Generation::ALL {
        let overlay = int8(generation);
        for model in MODELS {
            layers(model, 1).into_iter().for_each(|sides| check(&overlay, sides, How::Vectors));
        }
    }
}

#[test]
#[ignore = "takes minutes"]
fn several_windows_of_every_model() {
    for generation in Generation::ALL {
        let overlay = int8(generation);
        for (windows, model) in (2..=4).flat_map(|windows| MODELS.map(|model| (windows, model))) {
            layers(model, windows).into_iter().for_each(|sides| check(&overlay, sides, How::Sums));
        }
    }
}
