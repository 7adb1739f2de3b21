//! What every backend owes the engine: batches, lanes, kept lanes, attention in pieces, cancelling, receipts.

use amanuensis::backend::Stage;

use super::*;

#[test]
fn windows_of_all_lengths_go_together_in_batches_of_any_size() {
    everywhere(|subject| {
        let windows = [42, 130, 2, 64].map(|frames| window("english.wav", frames, frames as usize));
        let model = subject.load();
        let mut all = work();
        let together = model.encode(&windows, &mut all).expect("encoded");
        assert_eq!((together.positions.as_slice(), all.receipt.positions), ([21, 65, 1, 32].as_slice(), 119));
        let pairs = subject.with(Setup { together: 3, ..Setup::default() }).load(&demo());
        let in_pieces = encode(&*pairs.unwrap_or_else(|error| panic!("{error}")), &windows);
        let together = together.on_host().expect("brought");
        subject.assert_close("in batches of three and one", &values(&in_pieces), &values(&together));
        for (index, heard) in together.windows(model.dims().audio_width).expect("here").enumerate() {
            let alone = encode(&*model, &windows[index..=index]);
            subject.assert_close(&format!("window {index}"), heard, &values(&alone));
        }
        assert_eq!(values(&encode(&*model, &[])).len(), 0);
        assert!(subject.guarded());
    });
}

#[test]
fn lanes_do_not_hear_each_other() {
    everywhere(|subject| {
        let model = subject.load();
        let encoded = encode(&*model, &[window("english.wav", 0, 60), window("german.wav", 30, 88)]);
        let mut decoding = begin(&*model, &encoded);
        let prompts: [&[Token]; 3] = [&[2049, 2050, 2053], &[2049], &[2055, 280, 467, 2049, 2051, 2053]];
        let listens = [1, 0, 1];
        decoding.start(&listens);
        let first = step(&mut *decoding, &prompts);
        let second = step(&mut *decoding, &[&[280], &[467], &[776]]);
        for (lane, next) in [[280], [467], [776]].iter().enumerate() {
            decoding.start(&listens[lane..=lane]);
            subject.assert_close("the prompt", &step(&mut *decoding, &prompts[lane..=lane])[0], &first[lane]);
            subject.assert_close("the token behind it", &step(&mut *decoding, &[next])[0], &second[lane]);
        }
    });
}

#[test]
fn recorded_steps_are_what_steps_are() {
    everywhere(|subject| {
        let model = subject.load();
        let encoded = encode(&*model, &[window("english.wav", 0, 60)]);
        let tokens: Vec<Token> = (0..12).map(|n| 2049 + n % 5).collect();
        let mut decoding = begin(&*model, &encoded);
        decoding.start(&[0]);
        let before = subject.fake.as_ref().map(|gpu| gpu.counts());
        let one_by_one: Vec<Vec<f32>> =
            tokens.iter().map(|token| step(&mut *decoding, &[&[*token]]).remove(0)).collect();
        if let (Some(gpu), Some(before)) = (&subject.fake, before) {
            let counts = gpu.counts();
            assert_eq!((counts.recorded - before.recorded, counts.replayed - before.replayed), (1, 11));
        }
        decoding.start(&[0]);
        let mut logits = Logits::default();
        let read: Vec<usize> = (0..tokens.len()).collect();
        decoding.step(&[Feed { tokens: &tokens, read: &read }], &mut logits, &mut work()).expect("a step");
        for (position, alone) in one_by_one.iter().enumerate() {
            subject.assert_close(&format!("position {position}"), alone, logits.row(position));
        }
    });
}

#[test]
fn lanes_are_permuted_doubled_and_dropped() {
    everywhere(|subject| {
        let model = subject.load();
        let encoded = encode(&*model, &[window("english.wav", 0, 40), window("german.wav", 30, 52)]);
        let mut decoding = begin(&*model, &encoded);
        let windows = [0, 1, 0, 1];
        let mut said: Vec<(usize, Vec<Token>)> =
            windows.iter().enumerate().map(|(lane, &window)| (window, vec![2049, 2050 + lane as Token])).collect();
        decoding.start(&windows);
        step(&mut *decoding, &said.iter().map(|(_, tokens)| tokens.as_slice()).collect::<Vec<_>>());
        // Twice without a step between: what is copied first is copied on.
        decoding.keep(&[3, 2, 1, 0]);
        said.reverse();
        let turns: [&[&[usize]]; 6] = [
            &[&[0, 1, 2, 3]],
            &[&[3, 1, 0, 2]],
            &[&[1, 1, 0, 1], &[2, 2, 3]],
            &[&[2]],
            &[&[0, 0, 0]],
            &[&[2, 0, 2, 1, 0]],
        ];
        for (turn, keeps) in turns.into_iter().enumerate() {
            for parents in keeps {
                decoding.keep(parents);
                said = parents.iter().map(|&parent| said[parent].clone()).collect();
            }
            let next: Vec<[Token; 1]> = (0..said.len()).map(|lane| [280 + (20 * turn + lane) as Token]).collect();
            said.iter_mut().zip(&next).for_each(|((_, tokens), next)| tokens.extend(next));
            let kept = step(&mut *decoding, &next.iter().map(<[Token; 1]>::as_slice).collect::<Vec<_>>());
            let mut alone = begin(&*model, &encoded);
            for (lane, (window, tokens)) in said.iter().enumerate() {
                alone.start(&[*window]);
                subject.assert_close(
                    &format!("turn {turn}, lane {lane}"),
                    &step(&mut *alone, &[tokens])[0],
                    &kept[lane],
                );
            }
        }
        assert!(subject.guarded());
    });
}

#[test]
fn attention_comes_in_any_pieces_heads_and_company() {
    everywhere(|subject| {
        let model = subject.load();
        let encoded = encode(&*model, &[window("english.wav", 0, 60), window("german.wav", 30, 44)]);
        let mut decoding = begin(&*model, &encoded);
        let tokens: Vec<Vec<Token>> = [17, 3].map(|count| (0..count).map(|n| 2049 + n % 5).collect()).into();
        let tokens: Vec<&[Token]> = tokens.iter().map(Vec::as_slice).collect();
        let all: Vec<(usize, usize)> = (0..3).flat_map(|layer| (0..3).map(move |head| (layer, head))).collect();
        decoding.start(&[0, 1]);
        let whole = attend(&mut *decoding, &tokens, 100, &all);
        assert_eq!((whole.positions(0), whole.positions(1), whole.heads()), (30, 22, 9));
        decoding.start(&[0, 1]);
        let pieces = attend(&mut *decoding, &tokens, 5, &all);
        let some = [(2, 1), (0, 2), (2, 0), (0, 2), (1, 1)];
        for (lane, tokens) in tokens.iter().enumerate() {
            decoding.start(&[lane]);
            let alone = attend(&mut *decoding, &[tokens], 4, &some);
            for (head, place) in all.iter().enumerate() {
                let expected = whole.rows(lane, head);
                assert_eq!(expected.len(), tokens.len() * whole.positions(lane), "a row for every token");
                subject.assert_close(&format!("{place:?} in pieces"), pieces.rows(lane, head), expected);
                for chosen in (0..some.len()).filter(|&chosen| some[chosen] == *place) {
                    subject.assert_close(&format!("{place:?} alone"), alone.rows(0, chosen), expected);
                }
            }
        }
    });
}

#[test]
fn work_can_be_cancelled_and_too_much_is_refused() {
    everywhere(|subject| {
        let model = subject.load();
        let cancelled = AtomicBool::new(true);
        let mut given_up = Work::new(&cancelled);
        let mel = [window("english.wav", 0, 40)];
        assert!(matches!(model.encode(&mel, &mut given_up), Err(BackendError::Cancelled)));
        let encoded = encode(&*model, &mel);
        assert!(matches!(model.begin(&encoded, &mut given_up), Err(BackendError::Cancelled)));
        let mut decoding = begin(&*model, &encoded);
        decoding.start(&[0]);
        assert!(matches!(try_step(&mut *decoding, &[&[2049]], &mut given_up), Err(BackendError::Cancelled)));
        assert!(devices(&given_up).is_empty() && given_up.receipt.tokens == 0);
        let tokens = vec![280; 449];
        let refused = try_step(&mut *decoding, &[&tokens], &mut work());
        assert!(matches!(refused, Err(BackendError::TooLong { tokens: 449, limit: 448 })));
    });
}

#[test]
fn receipts_say_what_was_done_and_stages_are_shown() {
    let emulated = Emulated::new();
    let Availability::Ready(text) = emulated.backend.probe() else { panic!("it is there") };
    assert!(text.starts_with("cuda-emulated, 1.0 of 1.0 GiB free"), "{text}");
    assert_eq!(emulated.backend.name(), "cuda-emulated");
    let model = emulated.load();
    assert_eq!(model.bytes(), 0);
    let mut shown = Vec::new();
    let mut watch = |stage: Stage, values: &[f32]| shown.push((stage, values.len()));
    let mut all = Work::new(&NEVER);
    all.watch = Some(&mut watch);
    let mel = window("english.wav", 0, 40);
    let encoded = model.encode(&[mel.clone(), mel], &mut all).expect("encoded");
    all.watch = None;
    let mut decoding = model.begin(&encoded, &mut all).expect("a decoding");
    decoding.start(&[0]);
    try_step(&mut *decoding, &[&[2049, 2050]], &mut all).expect("a step");
    assert_eq!((all.receipt.windows, all.receipt.tokens), (2, 2));
    assert_eq!(devices(&all), ["cuda-emulated"]);
    let operations: u64 = model.dims().encoder_operations(20).iter().sum::<u64>() + model.dims().cross_operations(20);
    assert_eq!(all.receipt.placement.operations, [("cuda-emulated".to_owned(), 2 * operations)].into());
    let stages: Vec<String> = all.receipt.stages().into_iter().map(|stage| stage.stage).collect();
    for stage in ["encoder stem", "encoder 3 attention", "encoder 3 feed-forward", "cross keys and values", "logits"] {
        assert!(stages.iter().any(|known| known == stage), "{stage} is not among {stages:?}");
    }
    drop(decoding);
    drop(all);
    assert_eq!(shown.len(), 2 * (1 + 2 * 4));
    assert!(shown.iter().all(|(_, count)| *count == 20 * model.dims().audio_width));
}

#[test]
fn memory_is_given_back() {
    let emulated = Emulated::new();
    let model = emulated.load();
    let loaded = emulated.gpu.allocated();
    let encoded = encode(&*model, &[window("english.wav", 0, 40)]);
    let run = || {
        let mut decoding = begin(&*model, &encoded);
        decoding.start(&[0, 0]);
        step(&mut *decoding, &[&[2049], &[2050]]);
        drop(decoding);
        emulated.gpu.allocated()
    };
    let first = run();
    assert!(first > loaded);
    assert_eq!((run(), run()), (first, first), "what one decoding leaves behind the next one uses");
    let encoded = encoded.on_host().expect("brought");
    assert_eq!(emulated.gpu.allocated(), first, "what was heard is memory for what is heard next");
    let again = encode(&*model, &[window("english.wav", 0, 40)]);
    assert!(values(&again) == values(&encoded) && emulated.gpu.allocated() == first);
    drop(model);
    // What was heard outlives the model, whoever may want its values.
    assert!(values(&again) == values(&encoded));
    drop(again);
    assert_eq!(emulated.gpu.allocated(), 0);
}

#[test]
fn what_was_heard_stays_on_the_device() {
    let emulated = Emulated::new();
    let model = emulated.load();
    let windows = [window("english.wav", 0, 60), window("german.wav", 30, 44)];
    let before = emulated.gpu.counts();
    let encoded = encode(&*model, &windows);
    let heard = emulated.gpu.counts();
    // Of each position the host is told one number, which says whether it is one.
    assert_eq!(heard.read - before.read, 4 * (30 + 22));
    let decode = |encoded: &Encoded| {
        let before = emulated.gpu.counts();
        let mut decoding = begin(&*model, encoded);
        let after = emulated.gpu.counts();
        decoding.start(&[1, 0]);
        (after.sent - before.sent, step(&mut *decoding, &[&[2049, 2050], &[2055]]))
    };
    let (sent, right) = decode(&encoded);
    assert_eq!(sent, 0, "nothing goes up again");
    // From the host it is the same numbers.
    let (sent, found) = decode(&encoded.on_host().expect("brought"));
    assert_eq!((sent, found), (2 * (30 + 22) * model.dims().audio_width as u64, right));
}

#[test]
fn what_another_model_heard_is_refused() {
    let emulated = Emulated::new();
    let (model, other) = (emulated.load(), emulated.load());
    let encoded = encode(&*model, &[window("english.wav", 0, 40)]);
    let refused = |model: &dyn Model, encoded: &Encoded| match model.begin(encoded, &mut work()) {
        Err(BackendError::Foreign { reason }) => reason,
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("it was taken"),
    };
    assert!(refused(&*other, &encoded).contains("another model"));
    assert!(refused(&*on_the_cpu(), &encoded).contains("another backend"));
    assert!(refused(&*model, &Encoded::new(vec![2], vec![0.0; 7])).contains("7 values are not 2 positions of 192"));
    // Whoever brings it to the host may give it to anybody.
    let brought = encoded.on_host().expect("brought");
    for model in [other, on_the_cpu()] {
        let mut decoding = begin(&*model, &brought);
        decoding.start(&[0]);
        assert!(step(&mut *decoding, &[&[2049]])[0].iter().all(|logit| logit.is_finite()));
    }
}
