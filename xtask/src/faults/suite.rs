//! What cannot be done to a program from outside without a way in that nobody should have: tests of the server do it.

use anyhow::{Context, Result, ensure};

use super::Fault;
use crate::built;

pub(super) const FAULTS: [Fault; 4] = [
    Fault::new(
        "a worker that panics",
        "a model panics in the middle of a round (`tests/trust`: `a_model_that_panics_takes_nobody_else_down`)",
        "500 for those in that round; the model is loaded anew and the next are answered; a job is told of as failed",
        |_| test("trust", "failing::a_model_that_panics_takes_nobody_else_down"),
    ),
    Fault::new(
        "a model that gives no numbers",
        "a model gives NaN (`tests/trust`: `numbers_that_are_none_are_an_error`)",
        "500, no text",
        |_| test("trust", "failing::numbers_that_are_none_are_an_error"),
    ),
    Fault::new(
        "a sound that takes too long to decode",
        "four days of silence in 9 MB, with a deadline of a second (`tests/trust`: `a_sound_that_takes_too_long_to_decode_is_given_up`)",
        "504 within seconds",
        |_| test("trust", "failing::a_sound_that_takes_too_long_to_decode_is_given_up"),
    ),
    Fault::new(
        "clock jump",
        "the clock is set back by a year and forward again (`jobs::store`: tests with a clock of their own; `docs/reliability.md` says what uses the time of day)",
        "jobs keep their order, nothing is told twice or never, nothing expires that is not over",
        |_| clock(),
    ),
];

/// Runs a test of the server.
fn test(file: &str, name: &str) -> Result<String> {
    cargo_test(&["--test", file], name)
}

fn clock() -> Result<String> {
    for name in [
        "jobs::store::tests::pages_go_from_the_newest_to_the_oldest_whatever_the_clock_says",
        "jobs::store::tests::a_message_is_not_lost_when_the_clock_is_set_back",
        "jobs::store::tests::sounds_and_results_have_their_time",
    ] {
        cargo_test(&["--lib"], name)?;
    }
    Ok("the tests pass".to_owned())
}

fn cargo_test(part: &[&str], name: &str) -> Result<String> {
    let mut command = built::cargo();
    command.args(["test", "--locked", "-p", "amanuensis-server"]).args(part).args(["--", "--exact", name]);
    let output = command.output().context("cargo could not be started")?;
    let said = String::from_utf8_lossy(&output.stdout);
    // A name that nothing has passes, too.
    ensure!(output.status.success() && said.contains("1 passed"), "{name}: {}", said.trim());
    Ok("the test passes".to_owned())
}
