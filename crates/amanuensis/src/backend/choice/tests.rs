use super::*;

/// What is found in one row.
fn found(row: &[f32], wanted: &Wanted<'_>) -> Result<Choices, BackendError> {
    let mut choices = Choices::default();
    choices.begin().prepare(1, row.len()).copy_from_slice(row);
    choices.find(wanted, 0)?;
    Ok(choices)
}

fn best(permitted: Permitted<'_>, count: usize) -> Wanted<'_> {
    Wanted { probability_of: None, next: Next::Best { permitted, count } }
}

fn all(suppressed: &TokenSet) -> Permitted<'_> {
    Permitted { suppressed, text: 0..usize::MAX, times: usize::MAX..usize::MAX, weighed: false }
}

#[test]
fn a_device_that_finds_the_same_says_the_same() {
    let row = [1.0, 3.0, -2.0, 3.0, 0.5];
    let set = TokenSet::new([0, 900]);
    let by_logits = found(&row, &best(all(&set), 3)).expect("numbers");
    let total = scores::log_sum_exp(&row[1..]);
    let mut by_device = Choices::default();
    by_device.begin();
    by_device.found(0.25, total, [(1, 3.0), (3, 3.0), (4, 0.5)]).expect("numbers");
    let tokens: Vec<Token> = by_device.candidates(0).iter().map(|candidate| candidate.token).collect();
    assert_eq!((tokens, by_device.probability(0)), (vec![1, 3, 4], 0.25));
    for (found, other) in by_device.candidates(0).iter().zip(by_logits.candidates(0)) {
        assert!(found.token == other.token && (found.logprob - other.logprob).abs() < 1e-6);
    }
}

#[test]
fn where_nothing_may_be_said_there_are_no_candidates() {
    let nothing = TokenSet::default();
    for count in [1, 4] {
        let permitted = Permitted { text: 2..2, times: 3..3, ..all(&nothing) };
        assert!(found(&[0.0; 3], &best(permitted, count)).expect("numbers").candidates(0).is_empty());
    }
    let mut choices = Choices::default();
    choices.begin();
    choices.found(0.0, f32::NEG_INFINITY, [(7, f32::NEG_INFINITY)]).expect("nothing to say");
    assert!(choices.candidates(0).is_empty());
}

#[test]
fn times_outweigh_text_only_where_they_are_weighed() {
    let nothing = TokenSet::default();
    // Two times of 0 are together as probable as a token of ln 2.
    let row = [0.6, 0.0, 0.0];
    for (weighed, token) in [(true, 1), (false, 0)] {
        let permitted = Permitted { text: 0..1, times: 1..3, weighed, ..all(&nothing) };
        assert_eq!(found(&row, &best(permitted, 1)).expect("numbers").candidates(0)[0].token, token);
    }
}

#[test]
fn what_is_no_number_is_told() {
    let nothing = TokenSet::default();
    for row in [[f32::NAN; 2], [f32::INFINITY, 0.0]] {
        for count in [1, 2] {
            let told = found(&row, &best(all(&nothing), count));
            assert!(matches!(told, Err(BackendError::NotANumber { place: "logits" })), "{row:?}");
        }
    }
    let told = Choices::default().found(0.0, f32::NAN, [(0, 1.0)]);
    assert!(matches!(told, Err(BackendError::NotANumber { .. })));
}

#[test]
fn logits_are_left_alone_until_the_search_chooses() {
    let set = TokenSet::new([1]);
    let row = [0.0, 9.0, 1.0];
    let mut choices = found(&row, &Wanted { probability_of: Some(8), next: Next::Logits }).expect("numbers");
    assert_eq!(
        (choices.logits(0).to_vec(), choices.candidates(0), choices.probability(0)),
        (row.to_vec(), &[][..], 0.0)
    );
    choices.choose(0, &all(&set), 2).expect("numbers");
    let tokens: Vec<Token> = choices.candidates(0).iter().map(|candidate| candidate.token).collect();
    assert_eq!(tokens, [2, 0]);
}
