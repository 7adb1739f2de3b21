//! From the flags of a command line to what the engine is asked for.

use amanuensis::decoding::{LengthPenalty, Resort, Search, Thresholds};
use amanuensis::mel::{Convention, WINDOW_SECONDS};
use amanuensis::segments::Punctuation;
use amanuensis::speech::Vad;
use amanuensis::{Detection, Options, ShortContext};

use super::Stop;
use crate::args::{self, LastResort, MelConvention, PenaltyKind, Task, VadMethod, Wish};
use crate::values::Language;

/// What the engine is asked to do.
pub(super) fn options(verb: Task, asked: &Wish) -> Result<Options, Stop> {
    let Wish { decoding, search, words, speech, batch } = asked;
    let task = match (verb, decoding.task) {
        (Task::Translate, Some(Task::Transcribe)) => {
            return Err(Stop::Usage("`translate` and `--task transcribe` contradict each other".to_owned()));
        }
        (Task::Translate, _) | (_, Some(Task::Translate)) => amanuensis::Task::Translate,
        _ => amanuensis::Task::Transcribe,
    };
    if search.beam_size.0.is_none() && search.patience.0.is_some_and(|patience| patience != 1.0) {
        return Err(Stop::Usage("--patience says something of the beam search; add --beam-size".to_owned()));
    }
    let code = |Language(code): &Language| code.clone();
    let options = Options {
        task,
        language: decoding.language.0.as_ref().map(code),
        detection: Detection { every_window: decoding.multilingual, ..detection(&decoding.detection) },
        timestamps: !decoding.without_timestamps,
        max_initial_timestamp: decoding.max_initial_timestamp.0.map(f64::from),
        words: punctuation(words)?,
        initial_prompt: decoding.initial_prompt.clone(),
        carry_initial_prompt: decoding.carry_initial_prompt,
        hotwords: decoding.hotwords.clone(),
        prefix: decoding.prefix.clone(),
        condition_on_previous_text: decoding.condition_on_previous_text,
        prompt_reset_on_temperature: decoding.prompt_reset_on_temperature,
        search: Search {
            temperatures: temperatures(search.temperature, search.temperature_increment_on_fallback.0)?,
            beam_size: search.beam_size.0,
            patience: search.patience.0.unwrap_or(1.0),
            best_of: search.best_of.0.unwrap_or(1),
            length_penalty: match (search.length_penalty.0, search.length_penalty_kind) {
                (None, _) => LengthPenalty::Mean,
                (Some(power), PenaltyKind::Gnmt) => LengthPenalty::Gnmt(power),
                (Some(power), PenaltyKind::Power) => LengthPenalty::Power(power),
            },
            max_new_tokens: search.max_new_tokens.0,
            seed: search.seed,
            stop_loops: search.hallucination_guard,
            keep_logprobs: false,
        },
        repetition_penalty: search.repetition_penalty,
        no_repeat_ngram_size: search.no_repeat_ngram_size,
        suppress_tokens: search.suppress_tokens.clone().map(|list| list.0),
        suppress_blank: search.suppress_blank,
        suppress_numerals: search.suppress_numerals,
        suppress_regex: search.suppress_regex.clone(),
        thresholds: Thresholds {
            compression_ratio: search.compression_ratio_threshold.0,
            logprob: search.logprob_threshold.0,
            no_speech: search.no_speech_threshold.0,
            entropy: search.entropy_threshold.0,
        },
        resort: match search.last_resort {
            LastResort::Last => Resort::Last,
            LastResort::Best => Resort::Best,
        },
        guard: search.hallucination_guard,
        hallucination_silence_threshold: words.hallucination_silence_threshold.0.map(f64::from),
        clips: clips(decoding),
        vad: vad(speech, batch.batched)?,
        batch: batch.batched.then_some(batch.batch_size),
        short_context: match decoding.short_context {
            args::ShortContext::Auto => ShortContext::Auto,
            args::ShortContext::Off => ShortContext::Off,
        },
        mel: match decoding.mel_convention {
            MelConvention::Openai => Convention::OpenAi,
            MelConvention::Huggingface => Convention::HuggingFace,
        },
    };
    options.check().map_err(|error| Stop::Usage(error.to_string()))?;
    Ok(options)
}

/// How the language is to be found out.
pub(super) fn detection(asked: &args::Detection) -> Detection {
    Detection {
        allowed: asked.languages.iter().map(|Language(code)| code.clone()).collect(),
        windows: asked.language_detection_segments,
        threshold: asked.language_detection_threshold,
        every_window: false,
    }
}

/// What finds speech, if it is to be looked for.
fn vad(asked: &args::Speech, batched: bool) -> Result<Option<Vad>, Stop> {
    let options = asked.options(batched.then_some(WINDOW_SECONDS));
    if asked.vad_model.is_some() && asked.vad_method == Some(VadMethod::Voicing) {
        return Err(Stop::Usage("--vad-model is of silero; --vad-method voicing needs no file".to_owned()));
    }
    let detector = asked.detector().map_err(anyhow::Error::from)?;
    Ok(detector.map(|detector| Vad { detector: detector.into(), options }))
}

/// Which marks belong to which words, if words are to have times.
fn punctuation(asked: &args::Words) -> Result<Option<Punctuation>, Stop> {
    if !asked.word_timestamps {
        let needs = |flag: &str| Err(Stop::Usage(format!("{flag} says something of words; add --word-timestamps")));
        return match asked {
            args::Words { prepend_punctuations: Some(_), .. } => needs("--prepend-punctuations"),
            args::Words { append_punctuations: Some(_), .. } => needs("--append-punctuations"),
            args::Words { hallucination_silence_threshold, .. } if hallucination_silence_threshold.0.is_some() => {
                needs("--hallucination-silence-threshold")
            }
            _ => Ok(None),
        };
    }
    let usual = Punctuation::default();
    Ok(Some(Punctuation {
        prepended: asked.prepend_punctuations.clone().unwrap_or(usual.prepended),
        appended: asked.append_punctuations.clone().unwrap_or(usual.appended),
    }))
}

/// From the first temperature in steps to 1.
fn temperatures(first: f32, step: Option<f32>) -> Result<Vec<f32>, Stop> {
    let Some(step) = step else { return Ok(vec![first]) };
    if step <= 0.0 {
        return Err(Stop::Usage("--temperature-increment-on-fallback: give a number above 0, or None".to_owned()));
    }
    Ok(Search::ladder(first, step))
}

fn clips(asked: &args::Decoding) -> Vec<(f64, Option<f64>)> {
    match (asked.offset, asked.duration) {
        (None, None) => asked.clip_timestamps.0.clone(),
        (offset, duration) => {
            let start = offset.unwrap_or(0.0);
            vec![(start, duration.map(|duration| start + duration))]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ladder_goes_up_to_one() {
        let ladder = |first, step| temperatures(first, step).unwrap_or_default();
        assert_eq!(ladder(0.0, Some(0.2)).len(), 6);
        assert_eq!(ladder(0.0, Some(0.5)), [0.0, 0.5, 1.0]);
        assert_eq!(ladder(0.3, None), [0.3]);
        assert_eq!(ladder(1.5, Some(0.2)), [1.5], "a temperature above 1 is tried alone");
        assert!(temperatures(0.0, Some(0.0)).is_err());
    }
}
