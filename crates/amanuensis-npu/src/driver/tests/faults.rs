//! What breaks: each ends in quarantine, with the reason that is true.

use super::super::fake::Injection;
use super::super::{CommandState, Failure};
use super::*;
use crate::trust::{Finding, Quarantine, Trust};

/// Runs a canary on a device that breaks so, and keeps its record.
fn fly(injection: Injection) -> (Bench, Quarantine, Finding) {
    let bench = Bench::new(Settings::default());
    bench.driver.break_all(Some(injection));
    let quarantine = Quarantine::default();
    let finding = CANARY.fly(|problem, result| bench.multiply(problem, result)).expect_err("it is broken");
    quarantine.condemn(bench.context.generation(), finding.to_string());
    (bench, quarantine, finding)
}

#[test]
fn check_8_commands_that_end_badly_say_where() {
    for (state, named) in
        [(CommandState::Error, "ERROR"), (CommandState::Abort, "ABORT"), (CommandState::Timeout, "TIMEOUT")]
    {
        let (bench, quarantine, finding) = fly(Injection::End(state, Some(41)));
        let said = finding.to_string();
        assert!(said.contains(named) && said.contains("the last operation executed was 41 of its stream"), "{said}");
        let Trust::Quarantined(reason) = quarantine.trust() else { panic!("not in quarantine") };
        assert_eq!((reason.why, reason.generation), (said, 1));
        assert!(quarantine.admit(1).is_err());
        // The context is over, and what was made in it with it.
        bench.driver.break_all(None);
        assert!(matches!(bench.context.check(), Err(DriverError::Stale { generation: 1, .. })));
        assert!(matches!(bench.buffers[2].read_words(0, 1), Err(DriverError::Stale { .. })));
        assert!(matches!(bench.context.submit(&bench.command_or_stale()), Err(DriverError::Stale { .. })));
    }
}

impl Bench {
    /// A command from before the context ended cannot be made after it, so one is made in a second context.
    fn command_or_stale(&self) -> Command {
        let mut context = Context::create(&self.heap, PARTITION).expect("another context");
        let unit = context.configure(&[Overlay { image: &IMAGE, function: 0 }]).expect("a unit")[0];
        let stream = context.stream(&program(SHAPE)).expect("room");
        context.command(unit, &stream, &[], Work::default()).expect("a command")
    }
}

#[test]
fn firmware_that_does_not_know_where_it_stopped_is_not_made_to() {
    let (_, _, finding) = fly(Injection::End(CommandState::Timeout, None));
    let said = finding.to_string();
    assert!(said.contains("firmware does not know which operation"), "{said}");
}

#[test]
fn check_8_completed_is_no_proof_of_work() {
    let count = SHAPE.results();
    let cases = [
        (Injection::Untouched, Finding::Untouched { untouched: count, count }),
        (Injection::Zeros, Finding::AllEqual { found: 0.0 }),
    ];
    for (injection, expected) in cases {
        let (bench, quarantine, finding) = fly(injection);
        assert_eq!(finding, expected);
        assert!(matches!(quarantine.trust(), Trust::Quarantined(reason) if reason.why == expected.to_string()));
        assert!(bench.context.check().is_ok(), "the driver saw nothing wrong");
    }
    assert!(matches!(fly(Injection::NotNumbers).2, Finding::NotFinite { place: 0, .. }));
    let (_, _, unsteady) = fly(Injection::Unsteady);
    assert!(matches!(unsteady, Finding::Unsteady { place: 0, .. }), "{unsteady}");
}

#[test]
fn a_machine_that_rounds_down_is_found_out() {
    // What a core without conv-even does: every result cut to bfloat16.
    let bench = Bench::new(Settings::default());
    let canary = Canary { bound: Canary::BOUND_BF16, ..CANARY };
    let cut = |keep: fn(f32) -> f32| {
        canary.fly(|problem, result| {
            let receipt = bench.multiply(problem, result)?;
            result.iter_mut().for_each(|number| *number = keep(*number));
            Ok::<_, DriverError>(receipt)
        })
    };
    let even = |number: f32| {
        let bits = number.to_bits();
        f32::from_bits((bits + 0x7FFF + (bits >> 16 & 1)) & 0xFFFF_0000)
    };
    let down = |number: f32| f32::from_bits(number.to_bits() & 0xFFFF_0000);
    assert!(cut(even).is_ok());
    assert!(matches!(cut(down), Err(Finding::Inexact { .. })), "the control");
}

#[test]
fn check_8_a_device_that_goes_away_is_reported_as_gone() {
    for timelines in [true, false] {
        let bench = Bench::new(Settings { timelines, ..Settings::default() });
        let command = bench.command();
        bench.driver.break_next(Injection::Lost);
        let mut fence = bench.context.submit(&command).expect("submitted");
        let lost = fence.wait(LONG).expect_err("gone");
        assert!(matches!(lost, DriverError::Lost { .. }), "{lost}");
        assert!(lost.to_string().contains("ENODEV"));
        assert_eq!(fence.wait(LONG), Err(lost), "the answer is final");
        let stale = bench.buffers[0].write(0, &[1]).expect_err("over");
        assert!(stale.to_string().contains("the NPU is gone"), "{stale}");
        assert!(matches!(Device::fake(&bench.driver).map(|_| ()), Err(DriverError::Lost { call: "VERSION" })));
    }
}

#[test]
fn check_8_every_fault_ends_in_quarantine_with_its_reason() {
    for (injection, reason) in [
        (Injection::End(CommandState::Error, Some(3)), "ended as ERROR"),
        (Injection::End(CommandState::Abort, Some(3)), "ended as ABORT"),
        (Injection::End(CommandState::Timeout, Some(3)), "ended as TIMEOUT"),
        (Injection::Lost, "the NPU is gone (ENODEV"),
        (Injection::Untouched, "completed, but 48 of 48 results were never written"),
        (Injection::Zeros, "every result is 0"),
        (Injection::NotNumbers, "result 0 is NaN"),
        (Injection::Unsteady, "for the same input"),
    ] {
        let (bench, quarantine, _) = fly(injection);
        let Trust::Quarantined(why) = quarantine.trust() else { panic!("{injection:?}: not in quarantine") };
        assert!(why.why.contains(reason), "{injection:?}: {why}");
        assert_eq!(why.generation, bench.context.generation());
        assert_eq!(quarantine.admit(1).map_err(|refused| refused.why), Err(why.why), "whoever asks is told the same");
    }
}

#[test]
fn what_nobody_waits_for_is_kept_until_the_context_is_gone() {
    let bench = Bench::new(Settings::default());
    let before = bench.driver.counts().buffers;
    bench.driver.hold(true);
    let command = bench.command();
    drop(bench.context.submit(&command).expect("submitted"));
    drop(command);
    // The device may still write: memory that it writes is not given back.
    assert_eq!(bench.driver.counts().buffers, before + 1, "the command's buffer");
    assert!(matches!(bench.buffers[2].read_words(0, 1), Err(DriverError::InUse { .. })));
    let Bench { driver, context, buffers, stream, heap, device, .. } = bench;
    drop((buffers, stream));
    assert_eq!(driver.counts().buffers, before + 1);
    drop((context, heap, device));
    assert_eq!((driver.counts().buffers, driver.counts().contexts), (0, 0));
}

#[test]
fn a_command_that_takes_long_is_waited_for_again() {
    for settings in kinds() {
        let bench = Bench::new(settings);
        bench.driver.hold(true);
        let command = bench.command();
        let mut fence = bench.context.submit(&command).expect("submitted");
        let waited = Duration::from_millis(5);
        assert_eq!(fence.wait(waited), Err(DriverError::Deadline { sequence: 0, waited }));
        assert_eq!(bench.buffers[2].read_words(0, 1), Err(DriverError::InUse { size: SHAPE.results() * 4 }));
        assert!(matches!(bench.context.submit(&command), Err(DriverError::InUse { .. })));
        bench.driver.hold(false);
        assert!(fence.wait(LONG).is_ok());
        assert!(bench.buffers[2].read_words(0, 1).is_ok());
    }
}

#[test]
fn a_chain_says_which_of_its_commands_failed() {
    let bench = Bench::new(Settings::default());
    let commands: Vec<Command> = (0..3).map(|_| bench.command()).collect();
    // The machine takes three buffers; the fourth command has none.
    let bad = bench.context.command(bench.unit, &bench.stream, &[], Work::default()).expect("a command");
    let all = [&commands[0], &commands[1], &bad, &commands[2]];
    let failed = bench.context.run_chained(&all, LONG).expect_err("the third");
    let DriverError::Failed(Failure { state, member, health, .. }) = &failed else { panic!("{failed}") };
    assert_eq!(
        (*state, *member, health.and_then(|health| health.last_operation)),
        (CommandState::Error, Some(2), Some(1))
    );
    assert!(failed.to_string().contains("in command 2 of its chain"), "{failed}");
}
