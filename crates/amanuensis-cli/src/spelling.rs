//! From the words of a command line to [`Arguments`]: everything clap does not do by itself.
//!
//! - `amanuensis FILE` means `amanuensis transcribe FILE`;
//! - in the name of a flag `_` and `-` are the same;
//! - a flag whose value is optional takes the next word only if that is one of its values, so that
//!   `--verbose False talk.wav` and `--verbose talk.wav` both mean what they seem to;
//! - `--no-flag` switches a boolean off;
//! - the flags of `unavailable` are refused.

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::builder::PossibleValue;
use clap::error::ErrorKind;
use clap::{ArgMatches, Command, CommandFactory, Error, FromArgMatches};

use crate::args::Arguments;
use crate::unavailable;

/// The verb meant where none is named.
const DEFAULT_VERB: &str = "transcribe";

/// The verbs whose flags are openai-whisper's.
const VERBS_OF_WHISPER: [&str; 2] = ["transcribe", "translate"];

/// Reads a command line, the name of the program first.
pub(crate) fn parse(words: Vec<OsString>) -> Result<Arguments, Error> {
    let mut command = command();
    let words = rewrite(words, &command).map_err(|stray| command.error(ErrorKind::InvalidValue, stray))?;
    let matches = command.clone().try_get_matches_from(words)?;
    if let Some((verb, of_verb)) = matches.subcommand()
        && VERBS_OF_WHISPER.contains(&verb)
        && let Some(command) = command.find_subcommand_mut(verb)
    {
        unavailable::refuse(of_verb, command)?;
    }
    if let Some(late) = verb_among_the_inputs(&matches, &command) {
        let message = format!(
            "no file {late:?} is here, but a verb has this name, and the verb comes first: `amanuensis {late} ...`; for \
             a file of this name give ./{late}"
        );
        return Err(command.error(ErrorKind::InvalidSubcommand, message));
    }
    Arguments::from_arg_matches(&matches)
}

/// The first input that is the name of a verb and of no file: `amanuensis --threads 2 inspect tiny`.
fn verb_among_the_inputs(matches: &ArgMatches, command: &Command) -> Option<String> {
    let (_, of_verb) = matches.subcommand()?;
    let inputs = of_verb.try_get_many::<PathBuf>("inputs").ok()??;
    let mut names = inputs.filter_map(|input| input.to_str());
    let late = names.find(|name| command.find_subcommand(name).is_some() && !Path::new(name).exists())?;
    Some(late.to_owned())
}

/// The whole command line as clap knows it.
pub(crate) fn command() -> Command {
    let command = Arguments::command().arg_required_else_help(true);
    let mut command =
        VERBS_OF_WHISPER.into_iter().fold(command, |all, verb| all.mut_subcommand(verb, unavailable::add));
    command.build(); // names the program in every verb's messages
    command
}

/// The words as clap reads them, or what is wrong with them.
fn rewrite(words: Vec<OsString>, command: &Command) -> Result<Vec<OsString>, String> {
    let optional = flags_with_optional_value(command);
    let mut words = words.into_iter();
    let mut result: Vec<OsString> = words.next().into_iter().collect();
    let mut words = words.peekable();
    if let Some(first) = words.peek().and_then(|word| word.to_str())
        && !["help", "--help", "-h", "--version", "-V"].contains(&first)
        && command.find_subcommand(first).is_none()
    {
        result.push(DEFAULT_VERB.into());
    } else if words.peek().is_some_and(|word| word.to_str().is_none()) {
        result.push(DEFAULT_VERB.into()); // a file whose name is not Unicode
    }
    while let Some(word) = words.next() {
        if word == "--" {
            result.push(word);
            result.extend(words);
            break;
        }
        let word = with_hyphens(word);
        let Some(name) = word.to_str().and_then(|word| word.strip_prefix("--")) else {
            result.push(word);
            continue;
        };
        let flag = |name: &str| optional.get(name).map(Vec::as_slice);
        if let Some(values) = flag(name) {
            let is_value = |word: &OsString| word.to_str().is_some_and(|word| is_one_of(values, word));
            match words.next_if(is_value) {
                Some(value) => result.push(joined(name, &value.to_string_lossy())),
                None => {
                    if let Some(stray) = words.peek().and_then(|word| word.to_str()).filter(|word| is_stray(word)) {
                        return Err(explain_stray(name, values, stray));
                    }
                    result.push(word);
                }
            }
        } else if let Some(negated) = name.strip_prefix("no-")
            && flag(negated).is_some_and(|values| is_one_of(values, "false"))
        {
            result.push(joined(negated, "false"));
        } else {
            result.push(word);
        }
    }
    Ok(result)
}

/// Whether a word behind a flag with an optional value was meant as its value though it is none: it would be taken
/// for a file that is not there.
fn is_stray(word: &str) -> bool {
    const MEANT_AS_VALUES: [&str; 17] = [
        "true", "false", "yes", "no", "on", "off", "y", "n", "t", "f", "0", "1", "none", "maybe", "auto", "json",
        "table",
    ];
    MEANT_AS_VALUES.iter().any(|value| value.eq_ignore_ascii_case(word)) && !Path::new(word).exists()
}

fn explain_stray(name: &str, values: &[PossibleValue], stray: &str) -> String {
    let values: Vec<&str> = values.iter().map(PossibleValue::get_name).collect();
    let first = values.first().unwrap_or(&"");
    format!(
        "`{stray}` is neither a value of --{name} nor a file that is here; --{name} takes {}, best written with `=`: \
         --{name}={first}",
        values.join(" or ")
    )
}

fn joined(name: &str, value: &str) -> OsString {
    format!("--{name}={value}").into()
}

fn is_one_of(values: &[PossibleValue], word: &str) -> bool {
    values.iter().any(|value| value.matches(word, true))
}

/// The long flags of any verb that may stand without a value, and the values each has.
fn flags_with_optional_value(command: &Command) -> HashMap<String, Vec<PossibleValue>> {
    let verbs = command.get_subcommands();
    let arguments =
        verbs.flat_map(|verb| [verb].into_iter().chain(verb.get_subcommands())).flat_map(Command::get_arguments);
    let optional = arguments.filter(|argument| argument.is_require_equals_set());
    optional.filter_map(|argument| Some((argument.get_long()?.to_owned(), argument.get_possible_values()))).collect()
}

/// `--output_dir=a_b` as `--output-dir=a_b`.
fn with_hyphens(word: OsString) -> OsString {
    let bytes = word.as_encoded_bytes();
    if !bytes.starts_with(b"--") {
        return word;
    }
    let end = bytes.iter().position(|byte| *byte == b'=').unwrap_or(bytes.len());
    if !bytes[..end].contains(&b'_') {
        return word;
    }
    match word.to_str() {
        Some(text) => {
            let (name, rest) = text.split_at(end);
            format!("{}{rest}", name.replace('_', "-")).into()
        }
        None => with_hyphens_before(word, end),
    }
}

/// The same where what follows the `=` is not Unicode.
#[cfg(unix)]
fn with_hyphens_before(word: OsString, end: usize) -> OsString {
    use std::os::unix::ffi::OsStringExt;
    let mut bytes = word.into_vec();
    bytes[..end].iter_mut().filter(|byte| **byte == b'_').for_each(|byte| *byte = b'-');
    OsString::from_vec(bytes)
}

/// The same where what follows the `=` is not Unicode; elsewhere such a name is left to clap, which names the flag.
#[cfg(not(unix))]
fn with_hyphens_before(word: OsString, _end: usize) -> OsString {
    word
}

#[cfg(test)]
#[path = "spelling_tests.rs"]
mod tests;
