//! Kernels at the sizes of the published models, lengths that divide by nothing among them. Threads on the host are slow, so of the
//! largest grids only some blocks run there; a GPU runs all of them.

use super::super::window_attention::attend;
use super::super::{
    Activate, Copies, CopyLanes, HEAD_WIDTH, Kept, LaneAttention, LayerNorm, Remember, Settle, Split, Unfold, Window,
    WindowAttention, Windows,
};
use super::attending::{rows, split};
use super::*;

/// whisper-base and whisper-large-v3-turbo: the width of their rows, and the channels of their spectrograms.
const MODELS: [(usize, usize); 2] = [(512, 80), (1280, 128)];
/// Positions of a whole window.
const POSITIONS: usize = 1500;
/// What the decoder has room for.
const CONTEXT: usize = 448;
/// Multiprocessors of an H200.
const MULTIPROCESSORS: usize = 132;
/// Queries of a block of the encoder's attention.
const TILE: usize = 64;

#[test]
fn every_position_of_a_window_attends_to_all_others() {
    for (width, rows_out) in [(512, POSITIONS), (1280, POSITIONS), (1280, 1103)] {
        let (heads, tiles) = (width / HEAD_WIDTH, rows_out.div_ceil(TILE));
        // The window behind a short one, so that it begins at no round place.
        let (first_out, seed) = (37, fastrand::u64(..));
        let chosen = [[0, 0, 1], [tiles / 2, heads / 2, 1], [tiles - 1, heads - 1, 1]];
        for (name, gpu) in some_blocks(Some(&chosen)) {
            let mut setting = Setting::new(gpu, seed);
            let input = rows(&mut setting, first_out + rows_out, 3 * width);
            let numbers: Vec<f32> = setting.read(input).into_iter().map(f16::to_f32).collect();
            let out = setting.out_halves((first_out + rows_out + 1) * width);
            let table = [(0, first_out), (first_out, rows_out)]
                .map(|(first_out, rows_out)| Window { first_in: 0, rows_in: 0, first_out, rows_out }.numbers());
            let windows = Windows { table: setting.table(&table.concat()), longest: rows_out };
            let found = setting.run(WindowAttention { input, out, windows, width }.into());
            for [tile, head, _] in chosen {
                let part = |third: usize, row: usize| {
                    &numbers[((first_out + row) * 3 + third) * width + head * HEAD_WIDTH..][..HEAD_WIDTH]
                };
                let [keys, values] =
                    [1, 2].map(|third| (0..rows_out).flat_map(|row| part(third, row)).copied().collect::<Vec<_>>());
                for row in tile * TILE..rows_out.min((tile + 1) * TILE) {
                    let right = attend(part(0, row), &keys, &values, |_| {});
                    let found = &found[(first_out + row) * width + head * HEAD_WIDTH..][..HEAD_WIDTH];
                    for (found, right) in found.iter().zip(right) {
                        assert!(
                            (found - right).abs() <= 4.0 * HALF * right.abs().max(1.0),
                            "{name}, seed {seed}: row {row} of head {head}, {width} wide: {found}, not {right}"
                        );
                    }
                }
            }
            assert!(
                found[(first_out + rows_out) * width..].iter().all(|number| number.is_nan()),
                "{name}: a row behind"
            );
        }
    }
}

#[test]
fn a_token_attends_to_a_whole_window_and_to_all_that_was_said() {
    for (width, _) in MODELS {
        let heads = width / HEAD_WIDTH;
        for (keys, places, lanes) in [(POSITIONS, 2, 2), (CONTEXT, 0, 1)] {
            compare("lane attention", 2.0 * HALF, |setting| {
                let queries = rows(setting, lanes, 3 * width);
                let pool = rows(setting, keys + 2 * lanes, 2 * width);
                // An odd length beside the whole one, each from a row of its own on.
                let table: Vec<i32> =
                    (0..lanes).flat_map(|lane| [2 * lane as i32, (keys - 131 * lane) as i32]).collect();
                let (seen, out) = (setting.table(&table), setting.out_halves(lanes * width));
                let parts = Split::parts(MULTIPROCESSORS, lanes, heads, keys);
                assert!(parts > 1, "{lanes} lanes do not fill the device");
                let split = Some(split(setting, lanes, heads, parts));
                let mut which = vec![-1; heads];
                (which[heads - 1], which[3]) = (0, 1);
                let kept = (places > 0).then(|| Kept {
                    heads: setting.table(&which),
                    scores: setting.out_floats(lanes * places * keys),
                    places,
                    longest: keys,
                });
                LaneAttention { queries, pitch: 3 * width, pool, seen, offset: 1, out, width, kept, split }.into()
            });
        }
    }
}

#[test]
fn the_stem_unfolds_and_settles_whole_windows() {
    for (width, bins) in MODELS {
        let windows = |setting: &mut Setting, stride: usize| {
            let numbers = [(0, 2 * POSITIONS), (2 * POSITIONS, 38)].map(|(first_in, frames)| {
                let rows_in = frames * stride / 2;
                let first_in = first_in * stride / 2;
                Window { first_in, rows_in, first_out: first_in / stride, rows_out: rows_in / stride }.numbers()
            });
            Windows { table: setting.table(&numbers.concat()), longest: POSITIONS }
        };
        let rows = POSITIONS + 19;
        compare("unfold", 0.0, |setting| {
            let (windows, input) = (windows(setting, 1), setting.halves(rows * bins));
            let out = setting.out_halves((rows + 1) * 3 * bins);
            Unfold { input, out, windows, channels: bins, stride: 1 }.into()
        });
        compare("unfold every other", 0.0, |setting| {
            let (windows, input) = (windows(setting, 2), setting.halves(2 * rows * width));
            let out = setting.out_halves((rows + 1) * 3 * width);
            Unfold { input, out, windows, channels: width, stride: 2 }.into()
        });
        compare("settle", 1e-6, |setting| {
            let (input, positions) = (setting.halves(rows * width), setting.floats(POSITIONS * width));
            let (windows, out) = (windows(setting, 1), setting.out_floats((rows + 1) * width));
            Settle { input, positions, out, windows, width }.into()
        });
    }
}

#[test]
fn rows_are_normalised_activated_and_remembered() {
    for (width, _) in MODELS {
        compare("layer norm", 2.0 * HALF, |setting| {
            let numbers: Vec<f32> = (0..501 * width).map(|_| setting.number() * 4.0 + 20.0).collect();
            let (input, gain, bias) = (setting.put_floats(&numbers), setting.floats(width), setting.floats(width));
            let out = setting.out_halves(501 * width);
            LayerNorm { input, gain, bias, picked: None, out, width }.into()
        });
        compare("activate", HALF, |setting| {
            let values = setting.halves(37 * 4 * width);
            setting.outputs.push(Written::Halves(values));
            Activate { values }.into()
        });
        compare("remember", 0.0, |setting| {
            let input = setting.halves(5 * 3 * width);
            let pool = setting.out_halves(2 * CONTEXT * 2 * width);
            let last = CONTEXT as i32 - 1;
            let places = setting.table(&[last, 0, 17, last - 1, 211]);
            Remember { input, pool, places, offset: CONTEXT, width }.into()
        });
        compare("copy lanes", 0.0, |setting| {
            // Two slots of two layers, of which one lane has said all it can and the other an odd number of tokens.
            let slot = 2 * CONTEXT as i32;
            let pool = setting.halves(4 * 2 * CONTEXT * 2 * width);
            setting.outputs.push(Written::Halves(pool));
            let table = setting.table(&[0, 2 * slot, CONTEXT as i32, 0, slot, 3 * slot, 223, 0]);
            let copies = Copies { table, longest: CONTEXT };
            CopyLanes { pool, copies, layers: 2, layer_rows: CONTEXT, width }.into()
        });
    }
}
