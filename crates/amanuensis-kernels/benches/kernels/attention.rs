//! Attention over a window, and over what a decoder keeps.

use amanuensis_kernels::{KeysValues, Precision, Team};
use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Throughput};

use super::{HEADS, TIME, WIDTH, bench, floats, numbers};

pub(super) fn measure(group: &mut BenchmarkGroup<'_, WallTime>, team: &mut Team, precision: Precision) {
    let queries_keys_values = numbers(TIME * 3 * WIDTH);
    let mut out = vec![0.0; TIME * WIDTH];
    let operations = Throughput::Elements((4 * TIME * TIME * WIDTH) as u64);
    bench(group, team, &format!("self-attention {precision} {TIME}, {HEADS} heads"), operations, |region| {
        region.self_attention(precision, &queries_keys_values, HEADS, WIDTH / HEADS, &mut out);
    });
    // Rows of so many windows, and the positions of each window.
    for (rows, windows, time) in [(1, 1, 100), (1, 1, TIME), (5, 1, TIME), (4, 4, TIME), (8, 8, TIME)] {
        let kept: Vec<KeysValues> = (0..windows).map(|_| filled(team, precision, time)).collect();
        let queries = numbers(rows * WIDTH);
        let mut out = vec![0.0; rows * WIDTH];
        let name = format!("attention {precision}, rows: {rows}, windows: {windows} x {time}");
        let operations = Throughput::Elements((4 * rows * time * WIDTH) as u64);
        bench(group, team, &name, operations, |region| {
            let queried: Vec<&KeysValues> = (0..rows).map(|row| &kept[row * windows / rows]).collect();
            region.attention(&queries, &queried, HEADS, &mut out, None);
        });
    }
    let mut kept = filled(team, precision, TIME);
    let rows = numbers(TIME * 2 * WIDTH);
    bench(group, team, &format!("fill {precision} keys and values of {TIME}"), floats(rows.len()), |region| {
        kept.fill(region, &rows);
    });
}

fn filled(team: &mut Team, precision: Precision, time: usize) -> KeysValues {
    let mut kept = team.enter(|region| region.keys_values(precision, HEADS, WIDTH / HEADS, time));
    team.enter(|region| kept.fill(region, &numbers(time * 2 * WIDTH)));
    kept
}
