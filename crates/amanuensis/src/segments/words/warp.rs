//! Dynamic time warping: the way through a matrix of tokens by moments that gathers the most attention.

/// Rows that are computed at a time, each one column behind the row above it, so that none waits for another.
const LANES: usize = 8;

/// From which neighbour a cell is reached.
const DIAGONAL: u8 = 0;
const UP: u8 = 1;
const LEFT: u8 = 2;

/// For each row of `attention`, `[row][column]`, the first column that the best way visits in it.
///
/// The way leads from the first cell to the last, never backwards. A cell is reached diagonally or from the row above
/// only where that is strictly better than both others; else time goes on in the same row, as in openai/whisper.
pub(super) fn first_columns(attention: &[f32], columns: usize) -> Vec<usize> {
    let rows = attention.len().checked_div(columns).unwrap_or(0);
    if rows == 0 {
        return Vec::new();
    }
    let moves = moves(attention, columns);
    let steps = columns + LANES - 1;
    let mut first = vec![0; rows];
    let (mut row, mut column) = (rows - 1, columns - 1);
    while row > 0 {
        let lane = row % LANES;
        let from = if column == 0 { UP } else { moves[row / LANES * steps + column + lane][lane] };
        if from == LEFT {
            column -= 1;
        } else {
            first[row] = column;
            row -= 1;
            column -= usize::from(from == DIAGONAL);
        }
    }
    first
}

/// How each cell is reached, `[band][step][lane]`: cell (row, column) lies in band `row / LANES`, lane `row % LANES`,
/// step `column + lane`.
fn moves(attention: &[f32], columns: usize) -> Vec<[u8; LANES]> {
    let bands = attention.len().div_ceil(LANES * columns);
    let steps = columns + LANES - 1;
    let mut moves = vec![[LEFT; LANES]; bands * steps];
    // Costs of the cells of a band, each row a step behind the one above. There is no way outside the matrix.
    let mut costs = vec![[f32::INFINITY; LANES]; steps];
    // Sums along the best way to the cells of the row above the band.
    let mut above = vec![f32::INFINITY; steps];
    let mut below = above.clone();
    let mut corner = 0.0;
    for (band, moves) in attention.chunks(LANES * columns).zip(moves.chunks_exact_mut(steps)) {
        for (lane, row) in band.chunks_exact(columns).enumerate() {
            for (cost, value) in costs[lane..].iter_mut().zip(row) {
                cost[lane] = -value;
            }
        }
        let mut left = [f32::INFINITY; LANES];
        let mut diagonal = left;
        diagonal[0] = corner;
        for (step, (cost, moves)) in costs.iter().zip(moves).enumerate() {
            let mut up = [above[step]; LANES];
            up[1..].copy_from_slice(&left[..LANES - 1]);
            for lane in 0..LANES {
                let from_diagonal = (diagonal[lane] < up[lane]) & (diagonal[lane] < left[lane]);
                let from_up = (up[lane] < diagonal[lane]) & (up[lane] < left[lane]);
                let before = if from_up { up[lane] } else { left[lane] };
                let before = if from_diagonal { diagonal[lane] } else { before };
                let from = if from_up { UP } else { LEFT };
                moves[lane] = if from_diagonal { DIAGONAL } else { from };
                left[lane] = cost[lane] + before;
            }
            diagonal = up;
            if let Some(column) = step.checked_sub(LANES - 1) {
                below[column] = left[LANES - 1];
            }
        }
        std::mem::swap(&mut above, &mut below);
        corner = f32::INFINITY;
    }
    moves
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The same, cell by cell with a border, as the textbook has it.
    fn plainly(attention: &[f32], columns: usize) -> Vec<usize> {
        let rows = attention.len() / columns;
        let mut sums = vec![vec![f32::INFINITY; columns + 1]; rows + 1];
        let mut from = vec![vec![LEFT; columns + 1]; rows + 1];
        sums[0][0] = 0.0;
        for column in 1..=columns {
            for row in 1..=rows {
                let (diagonal, up, left) = (sums[row - 1][column - 1], sums[row - 1][column], sums[row][column - 1]);
                let (best, code) = if diagonal < up && diagonal < left {
                    (diagonal, DIAGONAL)
                } else if up < diagonal && up < left {
                    (up, UP)
                } else {
                    (left, LEFT)
                };
                sums[row][column] = best - attention[(row - 1) * columns + column - 1];
                from[row][column] = code;
            }
        }
        let mut first = vec![0; rows];
        let (mut row, mut column) = (rows, columns);
        while row > 0 && column > 0 {
            first[row - 1] = column - 1;
            match from[row][column] {
                DIAGONAL => (row, column) = (row - 1, column - 1),
                UP => row -= 1,
                _ => column -= 1,
            }
        }
        first
    }

    fn matrices() -> impl Strategy<Value = (usize, Vec<f32>)> {
        let coarse = (-2i32..3).prop_map(|value| value as f32);
        let cell = prop_oneof![3 => coarse, 1 => -2.0f32..2.0];
        (1usize..40, 1usize..30).prop_flat_map(move |(rows, columns)| {
            (Just(columns), proptest::collection::vec(cell.clone(), rows * columns))
        })
    }

    proptest! {
        #[test]
        fn the_way_is_that_of_the_textbook_with_ties_and_without((columns, attention) in matrices()) {
            prop_assert_eq!(first_columns(&attention, columns), plainly(&attention, columns));
        }
    }

    #[test]
    fn the_way_follows_the_attention() {
        #[rustfmt::skip]
        let attention = [
            9.0, -1.0, -1.0, -1.0, -1.0,
            -1.0, 9.0, 9.0, -1.0, -1.0,
            -1.0, -1.0, -1.0, 9.0, 9.0,
        ];
        assert_eq!(first_columns(&attention, 5), [0, 1, 3]);
        assert_eq!(first_columns(&attention, 1), vec![0; 15], "one moment for all rows");
        assert_eq!(first_columns(&attention[..5], 5), [0]);
        assert!(first_columns(&[], 5).is_empty() && first_columns(&[], 0).is_empty());
    }

    #[test]
    fn what_is_not_a_number_leads_somewhere_too() {
        let attention = vec![f32::NAN; 12 * 7];
        let first = first_columns(&attention, 7);
        assert!(first.is_sorted() && first.iter().all(|column| *column < 7));
    }
}
