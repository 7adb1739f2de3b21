//! Check 5: a stream with something wrong in it is noticed. Streams of the planner are changed at random, bit by bit, field by field and
//! operation by operation, and lint, emulator and the comparison of results must find at least 99 of 100.

use std::collections::BTreeMap;

use amanuensis_npu::emulator::{Array, POISON, poison};
use amanuensis_npu::plan::{Drain, Gemm, Overlay, Weights, pack_activations, pack_weights, plan, unpack_results};
use amanuensis_npu::txn::{Expectations, Instruction, Opcode, Place, Register, Stream, assemble, disassemble, lint};

use super::support::{Numbers, int8, product, small};

/// Who noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Noticed {
    Reading,
    Lint,
    Emulator,
    Result,
    Nobody,
}

/// A product with its right result.
struct Subject {
    overlay: Overlay,
    stream: Stream,
    activations: Vec<u32>,
    weights: Vec<u32>,
    words: usize,
    geometry: amanuensis_npu::plan::Geometry,
    expected: Vec<i32>,
}

impl Subject {
    fn new(overlay: Overlay, sides: [usize; 3]) -> Self {
        let [m, k, n] = sides;
        let mut numbers = Numbers::new(5);
        let (left, right) = (numbers.bytes(m * k), numbers.bytes(k * n));
        let plan = plan(&overlay, &Gemm::new(m, k, n), Drain::First).unwrap();
        let activations = pack_activations(&left, &overlay, &plan.geometry).unwrap();
        let weights = pack_weights(Weights::ByInput(&right), &overlay, &plan.geometry).unwrap();
        let expected = product(&left, &right, sides);
        let words = plan.geometry.result_words;
        Self { overlay, stream: plan.stream, activations, weights, words, geometry: plan.geometry, expected }
    }

    fn judge(&self, words: &[u32]) -> (Noticed, String) {
        let stream = match disassemble(words) {
            Ok(stream) => stream,
            Err(error) => return (Noticed::Reading, error.to_string()),
        };
        if let Some(finding) = lint(&stream, &Expectations { arguments: Some(3) }).first() {
            return (Noticed::Lint, finding.to_string());
        }
        self.execute(words)
    }

    fn execute(&self, words: &[u32]) -> (Noticed, String) {
        let (mut activations, mut weights, mut results) =
            (self.activations.clone(), self.weights.clone(), vec![0; self.words]);
        poison(&mut results);
        let mut array = Array::new(self.overlay.clone()).unwrap();
        match array.dispatch(words, &mut [&mut activations, &mut weights, &mut results]) {
            Err(fault) => return (Noticed::Emulator, fault.to_string()),
            Ok(report) => {
                if let Some(word) = report.first_unwritten(2, 0..self.words) {
                    assert_eq!(results[word], POISON);
                    return (Noticed::Result, format!("word {word} is not written"));
                }
            }
        }
        let results: Vec<i32> = unpack_results(&results, &self.overlay, &self.geometry).unwrap();
        if results == self.expected {
            (Noticed::Nobody, String::new())
        } else {
            (Noticed::Result, "another result".into())
        }
    }
}

/// A changed stream and what was done to it; none where the change says the same as before.
fn mutant(stream: &Stream, numbers: &mut Numbers) -> Option<(Vec<u32>, String)> {
    let mut words = assemble(stream);
    match numbers.below(6) {
        0..=2 => {
            let (word, bit) = (numbers.below(words.len()), numbers.below(32));
            words[word] ^= 1 << bit;
            Some((words, format!("bit {bit} of word {word}: {}", operation_of(stream, word))))
        }
        3 => {
            let word = numbers.below(words.len());
            let other = match numbers.below(4) {
                0 => words[word].wrapping_add(1),
                1 => words[word].wrapping_sub(1),
                2 => words[word].wrapping_mul(2),
                _ => words[numbers.below(words.len())],
            };
            let text =
                format!("word {word} is {other:#x} instead of {:#x}: {}", words[word], operation_of(stream, word));
            let changed = std::mem::replace(&mut words[word], other) != other;
            changed.then_some((words, text))
        }
        kind => {
            let place = numbers.below(stream.operations.len());
            let mut instructions: Vec<Instruction> = stream.instructions().cloned().collect();
            let instruction = instructions[place].clone();
            let what = if kind == 4 {
                instructions.remove(place);
                "missing"
            } else {
                // A parameter that is written twice is the same parameter.
                let parameter = matches!(instruction, Instruction::Write { address, .. }
                    if matches!(Place::of(address).map(|place| place.register), Some(Register::Memory { .. })));
                if parameter {
                    return None;
                }
                instructions.insert(place, instruction.clone());
                "there twice"
            };
            let mut changed =
                Stream { header: stream.header, operations: instructions.into_iter().map(Into::into).collect() };
            let whole: usize = changed.instructions().map(|instruction| instruction.words(stream.header.form)).sum();
            (changed.header.operations, changed.header.bytes) =
                (changed.operations.len() as u32, (whole as u32 + 4) * 4);
            Some((assemble(&changed), format!("operation {place} is {what}: {}", instruction.opcode().name())))
        }
    }
}

fn operation_of(stream: &Stream, word: usize) -> String {
    let mut start = 4;
    for instruction in stream.instructions() {
        let length = instruction.words(stream.header.form);
        if (start..start + length).contains(&word) {
            return format!("word {} of {}", word - start, Opcode::name(instruction.opcode()));
        }
        start += length;
    }
    "the header".into()
}

fn kill(subject: &Subject, seed: u64, count: usize) {
    let whole = assemble(&subject.stream);
    assert_eq!(subject.judge(&whole), (Noticed::Nobody, String::new()), "nothing is wrong with what was planned");
    let mut numbers = Numbers::new(seed);
    let mut tally = BTreeMap::<Noticed, usize>::new();
    let (mut survivors, mut made, mut only_executed) = (Vec::new(), 0, 0);
    while made < count {
        let Some((words, text)) = mutant(&subject.stream, &mut numbers) else { continue };
        if words == whole {
            continue;
        }
        made += 1;
        let (noticed, _) = subject.judge(&words);
        *tally.entry(noticed).or_default() += 1;
        only_executed += usize::from(matches!(noticed, Noticed::Emulator | Noticed::Result));
        if noticed == Noticed::Nobody {
            survivors.push(text);
        }
    }
    println!(
        "{made} mutants: {tally:?}; {only_executed} were noticed only when they were executed; survivors: {survivors:#?}"
    );
    assert!(survivors.len() * 100 <= made, "{} of {made} mutants were not noticed", survivors.len());
}

#[test]
fn mutants_are_noticed() {
    kill(&Subject::new(small(), [90, 16, 60]), 1, 1500);
}

#[test]
#[ignore = "takes minutes"]
fn thousands_of_mutants_are_noticed() {
    kill(&Subject::new(small(), [90, 16, 60]), 2, 60_000);
    kill(&Subject::new(int8(amanuensis_npu::txn::Generation::Npu2), [300, 128, 500]), 3, 2000);
}

/// Streams with a lot of damage are executed without a look at them before: there is an error or a result, nothing else.
#[test]
fn whatever_is_executed_does_no_harm() {
    let subject = Subject::new(small(), [90, 16, 60]);
    let mut numbers = Numbers::new(6);
    let whole = assemble(&subject.stream);
    // Registers and queues are where streams do things.
    let values = |numbers: &mut Numbers| match numbers.below(4) {
        0 => numbers.next() as u32,
        1 => numbers.below(16) as u32,
        2 => u32::MAX >> numbers.below(32),
        _ => whole[numbers.below(whole.len())],
    };
    for _ in 0..3000 {
        let mut words = whole.clone();
        for _ in 0..1 + numbers.below(6) {
            let place = 4 + numbers.below(words.len() - 4);
            words[place] = values(&mut numbers);
        }
        let _ = subject.execute(&words);
    }
}

/// How much is noticed by executing alone: what the lint is for, and what the emulator is for.
#[test]
fn executing_alone_notices_what_matters() {
    let subject = Subject::new(small(), [90, 16, 60]);
    let mut numbers = Numbers::new(4);
    let mut tally = BTreeMap::<Noticed, usize>::new();
    for _ in 0..600 {
        let Some((words, _)) = mutant(&subject.stream, &mut numbers) else { continue };
        *tally.entry(subject.execute(&words).0).or_default() += 1;
    }
    println!("executed without lint: {tally:?}");
    assert!(tally[&Noticed::Emulator] > tally[&Noticed::Nobody]);
}
