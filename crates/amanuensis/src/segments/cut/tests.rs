use super::*;

const BEGIN: Token = 100;

fn special() -> Special {
    Special {
        end_of_text: 50,
        start_of_transcript: 51,
        translate: None,
        transcribe: None,
        start_of_lm: None,
        start_of_previous: None,
        no_speech: None,
        no_timestamps: 99,
        timestamp_begin: BEGIN,
        timestamp_count: 1501,
        languages: Vec::new(),
        multilingual: false,
    }
}

/// Cuts the tokens of a window that begins at 5 s and is full.
fn cut_full(tokens: &[Token]) -> Cut {
    cut(Window { start: 500, frames: 3000 }, tokens, &special())
}

fn times(cut: &Cut) -> Vec<(u64, u64)> {
    cut.pieces.iter().map(|piece| (piece.start, piece.end)).collect()
}

#[test]
fn pairs_cut_and_a_single_last_timestamp_ends_the_window() {
    let cut = cut_full(&[BEGIN, 1, 2, BEGIN + 100, BEGIN + 120, 3, BEGIN + 200]);
    assert_eq!(times(&cut), [(500, 700), (740, 900)]);
    assert_eq!(cut.pieces[0].tokens, [BEGIN, 1, 2, BEGIN + 100]);
    assert_eq!(cut.pieces[1].tokens, [BEGIN + 120, 3, BEGIN + 200]);
    assert_eq!(cut.next, 3500);
}

#[test]
fn an_unfinished_tail_is_heard_again() {
    let cut = cut_full(&[BEGIN, 1, BEGIN + 100, BEGIN + 100, 2, 3]);
    assert_eq!(times(&cut), [(500, 700)]);
    assert_eq!(cut.next, 700);
}

#[test]
fn a_closing_pair_moves_on_to_its_time() {
    let cut = cut_full(&[BEGIN, 1, BEGIN + 100, BEGIN + 100]);
    assert_eq!(times(&cut), [(500, 700)]);
    assert_eq!(cut.next, 700);
}

#[test]
fn without_pairs_the_window_is_one_segment() {
    assert_eq!(times(&cut_full(&[BEGIN, 1, 2, BEGIN + 100])), [(500, 700)]);
    assert_eq!(times(&cut_full(&[BEGIN, 1, 2])), [(500, 3500)], "a lone first timestamp says nothing of the end");
    assert_eq!(times(&cut_full(&[1, 2])), [(500, 3500)]);
    assert_eq!(times(&cut_full(&[])), [(500, 3500)]);
    assert_eq!(cut_full(&[BEGIN, 1, 2, BEGIN + 100]).next, 3500);
}

#[test]
fn a_short_window_ends_where_its_sound_ends() {
    let cut = cut(Window { start: 500, frames: 120 }, &[1, 2], &special());
    assert_eq!((times(&cut), cut.next), (vec![(500, 620)], 620));
}
