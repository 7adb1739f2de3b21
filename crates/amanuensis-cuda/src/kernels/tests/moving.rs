//! Kernels that move numbers and change them one by one.

use super::super::{Activate, Copies, CopyLanes, Embed, Firsts, LayerNorm, Remember, Settle, Unfold, Window, Windows};
use super::*;

/// Windows of a batch of so many rows each before an operation that keeps one in `stride`, some rows into input and output.
fn windows(setting: &mut Setting, rows: &[usize], stride: usize) -> (Windows, usize, usize) {
    let (mut first_in, mut first_out) = (3, 2);
    let mut numbers = Vec::new();
    for &rows_in in rows {
        let rows_out = rows_in / stride;
        numbers.extend(Window { first_in, rows_in, first_out, rows_out }.numbers());
        (first_in, first_out) = (first_in + rows_in, first_out + rows_out);
    }
    let longest = rows.iter().max().map_or(0, |rows| rows / stride);
    (Windows { table: setting.table(&numbers), longest }, first_in, first_out)
}

#[test]
fn unfold_lays_neighbours_side_by_side() {
    for (channels, stride) in [(80, 1), (128, 1), (64, 2), (1280, 2)] {
        compare("unfold", 0.0, |setting| {
            let (windows, rows_in, rows_out) = windows(setting, &[14, 2, 38], stride);
            let input = setting.halves(rows_in * channels);
            // A row behind the last is nobody's.
            let out = setting.out_halves((rows_out + 1) * 3 * channels);
            Unfold { input, out, windows, channels, stride }.into()
        });
    }
}

#[test]
fn activate_is_gelu() {
    for count in [8, 2040, 2048, 2056] {
        compare("activate", HALF, |setting| {
            let values: Vec<f16> = (0..count).map(|_| f16::from_f32(setting.number() * 3.0)).collect();
            let values = setting.put_halves(&values);
            setting.outputs.push(Written::Halves(values));
            Activate { values }.into()
        });
    }
}

#[test]
fn settle_begins_the_residual_stream() {
    for width in [64, 192, 1280] {
        compare("settle", 1e-6, |setting| {
            let (windows, _, rows) = windows(setting, &[14, 2, 38], 2);
            let (input, positions) = (setting.halves(rows * width), setting.floats(windows.longest * width));
            let out = setting.out_floats((rows + 1) * width);
            Settle { input, positions, out, windows, width }.into()
        });
    }
}

#[test]
fn layer_norm_takes_all_rows_or_those_that_are_picked() {
    for width in [64, 192, 384, 1280] {
        for rows in [1, 4, 7] {
            let set = |setting: &mut Setting, picked: bool| {
                let numbers: Vec<f32> = (0..rows * width).map(|_| setting.number() * 4.0 + 20.0).collect();
                let input = setting.put_floats(&numbers);
                let (gain, bias) = (setting.floats(width), setting.floats(width));
                let picks: Vec<i32> = (0..3).map(|_| setting.random.i32(0..rows as i32)).collect();
                let picked = picked.then(|| setting.table(&picks));
                (input, gain, bias, picked, picked.map_or(rows, |_| 3))
            };
            for pick in [false, true] {
                compare("layer norm", 2.0 * HALF, |setting| {
                    let (input, gain, bias, picked, rows) = set(setting, pick);
                    let out = setting.out_halves(rows * width);
                    LayerNorm { input, gain, bias, picked, out, width }.into()
                });
            }
        }
    }
}

#[test]
fn firsts_are_the_first_of_each_row() {
    for (rows, width) in [(1, 64), (128, 192), (301, 1280)] {
        compare("firsts", 0.0, |setting| {
            let (input, out) = (setting.halves(rows * width), setting.out_floats(rows));
            Firsts { input, out, width }.into()
        });
    }
}

#[test]
fn embed_adds_token_and_position() {
    for width in [64, 1280] {
        compare("embed", 1e-6, |setting| {
            let (tokens, positions) = (setting.halves(50 * width), setting.floats(9 * width));
            let numbers: Vec<i32> =
                (0..11).flat_map(|_| [setting.random.i32(0..50), setting.random.i32(0..9)]).collect();
            let (fed, out) = (setting.table(&numbers), setting.out_floats(11 * width));
            Embed { tokens, positions, fed, out, width }.into()
        });
    }
}

#[test]
fn remember_puts_rows_where_they_belong() {
    for width in [64, 192, 1280] {
        compare("remember", 0.0, |setting| {
            let input = setting.halves(4 * 3 * width);
            let pool = setting.out_halves(20 * 2 * width);
            let places = setting.table(&[7, 0, 9, 3]);
            Remember { input, pool, places, offset: 10, width }.into()
        });
    }
}

#[test]
fn copy_lanes_copies_the_rows_that_are_held() {
    for width in [64, 1280] {
        compare("copy lanes", 0.0, |setting| {
            // Three slots of two layers of five rows.
            let pool = setting.halves(3 * 2 * 5 * 2 * width);
            setting.outputs.push(Written::Halves(pool));
            let table = setting.table(&[10, 0, 3, 0, 10, 20, 5, 0]);
            let copies = Copies { table, longest: 5 };
            CopyLanes { pool, copies, layers: 2, layer_rows: 5, width }.into()
        });
    }
}
