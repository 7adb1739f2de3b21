//! Which parts of the sound are speech.

use std::path::PathBuf;

use amanuensis::speech::{Detector, Silero, SpeechError, VadOptions, Voicing};
use clap::{ArgAction, Args, ValueEnum};

use crate::values::{self, Maybe};

#[derive(Debug, Args)]
#[command(next_help_heading = "What is speech")]
pub(crate) struct Speech {
    /// Listen only where there is speech: quicker, and nothing is made up where nobody speaks
    #[arg(long, visible_alias = "vad", value_name = "BOOL", num_args = 0..=1, require_equals = true, default_value = "false",
          default_missing_value = "true", hide_possible_values = true, action = ArgAction::Set,
          value_parser = values::boolean())]
    pub(crate) vad_filter: bool,

    /// How to find it: voicing, which needs no file, or silero, a small model in the file of --vad_model [default:
    /// silero with --vad_model, else voicing]
    #[arg(
        long,
        requires = "vad_filter",
        value_name = "METHOD",
        hide_possible_values = true,
        requires_if("silero", "vad_model")
    )]
    pub(crate) vad_method: Option<VadMethod>,

    /// File with Silero's weights: whisper.cpp's (ggml-silero-v6.2.0.bin) or Silero's own (silero_vad_16k.safetensors)
    #[arg(long, requires = "vad_filter", value_name = "FILE")]
    pub(crate) vad_model: Option<PathBuf>,

    /// Probability from which on sound is speech
    #[arg(long, requires = "vad_filter", value_name = "PROBABILITY", default_value = "0.5", value_parser = share)]
    pub(crate) vad_threshold: f32,

    /// Probability below which speech may end; None takes 0.15 less than --vad_threshold
    #[arg(long, requires = "vad_filter", value_name = "PROBABILITY", default_value = "None", hide_default_value = true,
          value_parser = values::probability)]
    pub(crate) vad_neg_threshold: Maybe<f32>,

    /// Shorter speech is left out, in milliseconds
    #[arg(long, requires = "vad_filter", value_name = "MS", default_value = "0")]
    pub(crate) vad_min_speech_duration_ms: u32,

    /// Longer speech is cut, in seconds [default: the length of a chunk in batches, else no limit]
    #[arg(long, requires = "vad_filter", value_name = "SECONDS", value_parser = values::positive)]
    pub(crate) vad_max_speech_duration_s: Option<f64>,

    /// Silence that ends speech, in milliseconds [default: 160 in batches, else 2000]
    #[arg(long, requires = "vad_filter", value_name = "MS")]
    pub(crate) vad_min_silence_duration_ms: Option<u32>,

    /// What is kept before and behind speech, in milliseconds
    #[arg(long, requires = "vad_filter", value_name = "MS", default_value = "400")]
    pub(crate) vad_speech_pad_ms: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum VadMethod {
    Voicing,
    Silero,
}

impl Speech {
    /// What finds speech; none if it is not to be looked for.
    pub(crate) fn detector(&self) -> Result<Option<Box<dyn Detector>>, SpeechError> {
        let detector: Box<dyn Detector> = match (&self.vad_model, self.vad_method) {
            _ if !self.vad_filter => return Ok(None),
            (Some(file), None | Some(VadMethod::Silero)) => Box::new(Silero::open(file)?),
            _ => Box::new(Voicing),
        };
        Ok(Some(detector))
    }

    /// What counts as speech where chunks of so many seconds are transcribed in batches, or else one window after the
    /// other.
    pub(crate) fn options(&self, chunk_seconds: Option<f64>) -> VadOptions {
        let usual = chunk_seconds.map_or_else(VadOptions::default, VadOptions::batched);
        VadOptions {
            threshold: self.vad_threshold,
            neg_threshold: self.vad_neg_threshold.0,
            min_speech_duration_ms: self.vad_min_speech_duration_ms,
            max_speech_duration_s: self.vad_max_speech_duration_s.unwrap_or(usual.max_speech_duration_s),
            min_silence_duration_ms: self.vad_min_silence_duration_ms.unwrap_or(usual.min_silence_duration_ms),
            speech_pad_ms: self.vad_speech_pad_ms,
        }
    }
}

/// A number from 0 to 1.
fn share(text: &str) -> Result<f32, String> {
    values::probability(text)?.0.ok_or_else(|| "a number from 0 to 1 is needed".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Program {
        #[command(flatten)]
        speech: Speech,
    }

    fn parse(arguments: &[&str]) -> Result<Speech, clap::Error> {
        Program::try_parse_from([&["program"], arguments].concat()).map(|program| program.speech)
    }

    #[test]
    fn without_flags_nothing_is_looked_for_and_the_defaults_are_faster_whispers() {
        let speech = parse(&[]).unwrap();
        assert!(speech.detector().unwrap().is_none());
        assert_eq!(speech.options(None), VadOptions::default());
        assert_eq!(speech.options(Some(30.0)), VadOptions::batched(30.0));
    }

    #[test]
    fn a_file_of_weights_asks_for_silero_unless_the_method_is_named() {
        let name = |arguments: &[&str]| {
            let detector = parse(&[&["--vad-filter"], arguments].concat()).unwrap().detector();
            detector.map(|detector| detector.map(|detector| detector.name().to_owned()))
        };
        assert_eq!(name(&[]).unwrap().as_deref(), Some("voicing"));
        assert_eq!(
            name(&["--vad-model", "/no/such/file", "--vad-method", "voicing"]).unwrap().as_deref(),
            Some("voicing")
        );
        assert!(matches!(name(&["--vad-model", "/no/such/file"]), Err(SpeechError::Read { .. })));
        assert!(parse(&["--vad-filter", "--vad-method", "silero"]).is_err());
    }

    #[test]
    fn what_is_given_is_what_is_asked_for() {
        let given = ["--vad-threshold", "0.6", "--vad-neg-threshold", "0.3", "--vad-min-speech-duration-ms", "250"];
        let more =
            ["--vad-max-speech-duration-s", "15", "--vad-min-silence-duration-ms", "100", "--vad-speech-pad-ms", "30"];
        let expected = VadOptions {
            threshold: 0.6,
            neg_threshold: Some(0.3),
            min_speech_duration_ms: 250,
            max_speech_duration_s: 15.0,
            min_silence_duration_ms: 100,
            speech_pad_ms: 30,
        };
        let asked = [&["--vad-filter"][..], &given, &more].concat();
        assert_eq!(parse(&asked).unwrap().options(Some(30.0)), expected);
        assert!(parse(&given).is_err(), "speech is not looked for");
        assert!(parse(&["--vad-filter", "--vad-threshold", "None"]).is_err());
        assert!(parse(&["--vad-filter", "--vad-threshold", "1.5"]).is_err());
    }
}
