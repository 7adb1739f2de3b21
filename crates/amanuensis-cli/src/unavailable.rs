//! Flags that openai-whisper and its relatives have and this program does not: recognised, so that none is silently
//! ignored, and refused unless they ask for what happens anyway.

use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command, Error, error::ErrorKind};

use crate::values;

/// What the help of a verb says about them.
pub(crate) const HELP: &str = "\
Flags of openai-whisper, whisper-ctranslate2 and WhisperX that this program cannot serve (--diarize, --device_index 1, \
...) are recognised and refused with exit code 2, unless they ask for what happens anyway (--fp16 False).";

/// A flag that cannot be served.
struct Flag {
    name: &'static str,
    takes: Takes,
    /// Values that ask for what happens anyway.
    harmless: &'static [&'static str],
}

#[derive(PartialEq, Eq)]
enum Takes {
    Boolean,
    Value,
}

const fn value(name: &'static str, harmless: &'static [&'static str]) -> Flag {
    Flag { name, takes: Takes::Value, harmless }
}

const fn boolean(name: &'static str, harmless: &'static [&'static str]) -> Flag {
    Flag { name, takes: Takes::Boolean, harmless }
}

const OFF: &[&str] = &["false"];
const NONE: &[&str] = &["None"];

/// All of them. A flag that becomes available leaves this list for `args`.
const FLAGS: [Flag; 7] = [
    // openai-whisper
    boolean("fp16", OFF),
    // whisper-ctranslate2 and WhisperX
    value("device-index", &["0"]),
    value("chunk-size", &["30"]),
    // whisper.cpp: where speech was cut out, a moment is heard once
    value("vad-samples-overlap", &["0", "0.0"]),
    boolean("diarize", OFF),
    value("min-speakers", NONE),
    value("max-speakers", NONE),
];

/// Adds them to a verb, hidden from its help.
pub(crate) fn add(verb: Command) -> Command {
    FLAGS.iter().fold(verb, |verb, flag| {
        let argument = Arg::new(flag.name).long(flag.name).hide(true).action(ArgAction::Append);
        verb.arg(match flag.takes {
            Takes::Boolean => argument
                .num_args(0..=1)
                .require_equals(true)
                .default_missing_value("true")
                .value_parser(clap::builder::TypedValueParser::map(values::boolean(), |value| value.to_string())),
            Takes::Value => argument.num_args(1).allow_hyphen_values(true),
        })
    })
}

/// Refuses the first of them that asks for something else than what happens anyway.
pub(crate) fn refuse(matches: &ArgMatches, command: &mut Command) -> Result<(), Error> {
    for flag in &FLAGS {
        if matches.value_source(flag.name) != Some(ValueSource::CommandLine) {
            continue;
        }
        for given in matches.get_many::<String>(flag.name).into_iter().flatten() {
            if !flag.harmless.iter().any(|harmless| same(harmless, given)) {
                let message = explain(flag, given);
                return Err(command.error(ErrorKind::InvalidValue, message));
            }
        }
    }
    Ok(())
}

fn explain(flag: &Flag, given: &str) -> String {
    let name = flag.name.replace('-', "_");
    match flag.harmless.first() {
        Some(harmless) => format!("--{name} {given} is not available yet; only --{name} {harmless} is"),
        None => format!("--{name} is not available yet; leave it out"),
    }
}

/// Whether two values say the same: `1` and `1.0`, `None` and `none`.
fn same(one: &str, other: &str) -> bool {
    match (one.parse::<f64>(), other.parse::<f64>()) {
        (Ok(one), Ok(other)) => one == other,
        _ => one.eq_ignore_ascii_case(other),
    }
}
