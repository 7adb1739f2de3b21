//! The values that flags take, each read by its own rule and refused with what would be right.

use std::num::NonZeroUsize;
use std::str::FromStr;

use amanuensis::model::write::{CONTAINERS, Container};
use amanuensis::text::Format;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};

/// What the help of the whole program ends with.
pub(crate) const AFTER_HELP: &str = "\
Examples:
  amanuensis talk.mp3                              print what is said, with times
  amanuensis -f srt,txt -o subtitles *.mp4         write subtitles and text files
  amanuensis translate --language de rede.ogg      German speech, English text
  ffmpeg -i talk.mkv -f s16le -ac 1 -ar 16000 - | amanuensis --raw s16le -

Exit code: 0 when everything succeeded, 1 when something failed, 2 for a wrong command line, 130 when interrupted.
`amanuensis VERB --help` lists the flags of a verb.";

/// Reads `true` and `false` as openai-whisper and everybody else write them.
pub(crate) fn boolean() -> impl TypedValueParser<Value = bool> {
    let words = [
        PossibleValue::new("true").aliases(["True", "TRUE", "1"]),
        PossibleValue::new("false").aliases(["False", "FALSE", "0"]),
    ];
    PossibleValuesParser::new(words).map(|word| matches!(word.as_str(), "true" | "True" | "TRUE" | "1"))
}

/// Reads a number of seconds above zero.
pub(crate) fn positive(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() && number > 0.0 => Ok(number),
        _ => Err("give a number above zero".to_owned()),
    }
}

/// Reads a number of seconds from zero on.
pub(crate) fn seconds(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() && number >= 0.0 => Ok(number),
        _ => Err("give a number of seconds".to_owned()),
    }
}

/// Reads the name of a format of model files.
pub(crate) fn container(text: &str) -> Result<&'static Container, String> {
    Container::named(text).ok_or_else(|| {
        let names: Vec<&str> = CONTAINERS.iter().map(|container| container.name).collect();
        format!("use one of {}", names.join(", "))
    })
}

/// Reads a difference that is allowed.
pub(crate) fn tolerance(text: &str) -> Result<f32, String> {
    match text.parse::<f32>() {
        Ok(number) if number.is_finite() && number >= 0.0 => Ok(number),
        _ => Err("give a number from 0 on".to_owned()),
    }
}

/// Reads a probability.
pub(crate) fn share(text: &str) -> Result<f32, String> {
    match text.parse::<f32>() {
        Ok(number) if (0.0..=1.0).contains(&number) => Ok(number),
        _ => Err("give a number from 0 to 1".to_owned()),
    }
}

/// Reads a temperature.
pub(crate) fn temperature(text: &str) -> Result<f32, String> {
    match text.parse::<f32>() {
        Ok(number) if number.is_finite() && number >= 0.0 => Ok(number),
        _ => Err("give a number from 0 on".to_owned()),
    }
}

/// Reads a probability or None.
pub(crate) fn probability(text: &str) -> Result<Maybe<f32>, String> {
    match text.parse::<Maybe<f32>>() {
        Ok(Maybe(Some(number))) if !(0.0..=1.0).contains(&number) => {
            Err("give a number from 0 to 1, or None".to_owned())
        }
        read => read,
    }
}

/// A value, or the word `None`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Maybe<T>(pub(crate) Option<T>);

impl FromStr for Maybe<f32> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if is_none(text) {
            return Ok(Maybe(None));
        }
        match text.parse::<f32>() {
            Ok(number) if number.is_finite() => Ok(Maybe(Some(number))),
            _ => Err("give a number or None".to_owned()),
        }
    }
}

impl FromStr for Maybe<usize> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if is_none(text) {
            return Ok(Maybe(None));
        }
        text.parse().map(|number| Maybe(Some(number))).map_err(|_| "give a whole number or None".to_owned())
    }
}

impl FromStr for Maybe<Language> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if is_none(text) || text.eq_ignore_ascii_case("auto") {
            return Ok(Maybe(None));
        }
        Language::from_str(text).map(|language| Maybe(Some(language)))
    }
}

pub(crate) fn is_none(text: &str) -> bool {
    text.eq_ignore_ascii_case("none")
}

/// The code of a language; a code that no table knows is left to the model, which may have a token for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Language(pub(crate) String);

impl FromStr for Language {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(language) = amanuensis::tokens::languages::find(text) {
            return Ok(Language(language.code.to_owned()));
        }
        let code = text.trim().to_lowercase();
        let like_a_code = (2..=4).contains(&code.len()) && code.chars().all(|letter| letter.is_ascii_lowercase());
        if like_a_code {
            Ok(Language(code))
        } else {
            Err("give a code such as `de` or an English name such as `German`".to_owned())
        }
    }
}

/// How many threads; none for as many as there are cores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Threads(pub(crate) Option<NonZeroUsize>);

impl FromStr for Threads {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // Each thread has a stack and a place in every barrier; no machine has more cores than this.
        const MOST: usize = 1024;
        match text.parse::<usize>() {
            _ if is_none(text) => Ok(Threads(None)),
            Ok(count) if count <= MOST => Ok(Threads(NonZeroUsize::new(count))),
            _ => Err(format!("give a number from 1 to {MOST}, or 0 for one a core")),
        }
    }
}

/// One format, or all of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Formats(pub(crate) Vec<Format>);

impl FromStr for Formats {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.eq_ignore_ascii_case("all") {
            return Ok(Formats(Format::ALL.to_vec()));
        }
        let format =
            text.trim().parse::<Format>().map_err(|error| format!("{error}, and all for every one of them"))?;
        Ok(Formats(vec![format]))
    }
}

/// Token ids with commas between; -1 for all that is not speech.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TokenList(pub(crate) Vec<i64>);

impl FromStr for TokenList {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let ids = text.split(',').map(str::trim).filter(|id| !id.is_empty());
        let read = |id: &str| match id.parse::<i64>() {
            Ok(number) if number >= -1 && number <= i64::from(u32::MAX) => Ok(number),
            _ => {
                Err(format!("`{id}` is not a token id; give whole numbers with commas between, -1 for all non-speech"))
            }
        };
        ids.map(read).collect::<Result<_, _>>().map(TokenList)
    }
}

/// Stretches of a recording in seconds; an absent end is the recording's. No stretch at all is the whole recording.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Clips(pub(crate) Vec<(f64, Option<f64>)>);

impl FromStr for Clips {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let read = |time: &str| match time.trim().parse::<f64>() {
            Ok(seconds) if seconds.is_finite() && seconds >= 0.0 => Ok(seconds),
            _ => Err(format!("`{time}` is not a time; give seconds as start,end,start,end,...")),
        };
        let times: Vec<f64> =
            text.split(',').filter(|time| !time.trim().is_empty()).map(read).collect::<Result<_, _>>()?;
        if let Some(pair) = times.windows(2).find(|pair| pair[1] < pair[0]) {
            return Err(format!("{} comes after {}; the times must rise", pair[1], pair[0]));
        }
        let clips: Vec<_> = times.chunks(2).map(|clip| (clip[0], clip.get(1).copied())).collect();
        if let Some((start, _)) = clips.iter().find(|(start, end)| Some(*start) == *end) {
            return Err(format!("the stretch from {start} to {start} is empty"));
        }
        Ok(Clips(if clips == [(0.0, None)] { Vec::new() } else { clips }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_may_be_none() {
        assert_eq!("None".parse(), Ok(Maybe::<f32>(None)));
        assert_eq!("-1.0".parse(), Ok(Maybe(Some(-1.0_f32))));
        assert!("nan".parse::<Maybe<f32>>().is_err());
        assert!("".parse::<Maybe<f32>>().is_err());
        assert_eq!((probability("None"), probability("1")), (Ok(Maybe(None)), Ok(Maybe(Some(1.0)))));
        assert!(probability("-0.1").is_err() && probability("1.5").is_err() && probability("inf").is_err());
    }

    #[test]
    fn languages_have_codes_and_names() {
        let code = |text: &str| text.parse::<Maybe<Language>>().map(|language| language.0.map(|Language(code)| code));
        assert_eq!(code("German"), Ok(Some("de".to_owned())));
        assert_eq!(code("DE"), Ok(Some("de".to_owned())));
        assert_eq!(code("None"), Ok(None));
        assert_eq!(code("tlh"), Ok(Some("tlh".to_owned())));
        assert!(code("no such language").is_err());
    }

    #[test]
    fn threads_are_counted_from_one() {
        assert_eq!("0".parse(), Ok(Threads(None)));
        assert_eq!("None".parse(), Ok(Threads(None)));
        assert_eq!("3".parse(), Ok(Threads(NonZeroUsize::new(3))));
        assert!("-2".parse::<Threads>().is_err() && "100000".parse::<Threads>().is_err());
    }

    #[test]
    fn token_lists_keep_their_order() {
        assert_eq!("-1, 50,7".parse(), Ok(TokenList(vec![-1, 50, 7])));
        assert_eq!("".parse(), Ok(TokenList(vec![])));
        assert!("-2".parse::<TokenList>().is_err() && "a".parse::<TokenList>().is_err());
    }

    #[test]
    fn clips_are_pairs_of_rising_times() {
        assert_eq!("0".parse(), Ok(Clips(vec![])));
        assert_eq!("".parse(), Ok(Clips(vec![])));
        assert_eq!("1.5".parse(), Ok(Clips(vec![(1.5, None)])));
        assert_eq!("0,2,3".parse(), Ok(Clips(vec![(0.0, Some(2.0)), (3.0, None)])));
        for wrong in ["-1", "3,2", "1,1", "inf", "a,b", "0,5,4"] {
            assert!(wrong.parse::<Clips>().is_err(), "{wrong}");
        }
    }
}
