//! Which files of a repository make a model. The same rules say what is fetched and whether what lies here is whole.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

/// A form in which a repository holds weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Form {
    /// `model.safetensors`, or several files and an index.
    Safetensors,
    /// CTranslate2's `model.bin`, as faster-whisper reads it.
    CTranslate2,
    /// An encoder and a decoder as ONNX graphs.
    Onnx,
    /// One file of whisper.cpp.
    Ggml,
    /// One GGUF file.
    Gguf,
    /// Files that were asked for by name.
    Named,
}

impl fmt::Display for Form {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Safetensors => "safetensors",
            Self::CTranslate2 => "CTranslate2",
            Self::Onnx => "ONNX",
            Self::Ggml => "ggml",
            Self::Gguf => "GGUF",
            Self::Named => "files by name",
        })
    }
}

/// The files that make a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// The form of the weights.
    pub form: Form,
    /// Sizes, settings of decoding, tokenizer: everything small.
    pub settings: Vec<String>,
    /// The weights. With an index, the files that look like its parts until [`shards`] has read it.
    pub weights: Vec<String>,
    /// The file that says which files hold the weights.
    pub index: Option<String>,
}

impl Choice {
    /// All of them, the small ones first.
    pub fn files(&self) -> impl Iterator<Item = &str> {
        self.settings.iter().chain(&self.index).chain(&self.weights).map(String::as_str)
    }
}

/// Why no files of a repository make a model.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoChoice {
    /// There are no weights in a form that is read.
    #[error(
        "no weights in a form that is read (model.safetensors, CTranslate2's model.bin, encoder and decoder as ONNX, one ggml or GGUF file){}",
        also(.others)
    )]
    NoWeights {
        /// Files of weights in other forms.
        others: Vec<String>,
    },
    /// A file that belongs to the weights is not there.
    #[error("{form} weights, but no {file}")]
    Missing {
        /// The form of the weights.
        form: Form,
        /// The file, or files of which one is needed.
        file: String,
    },
    /// There are several models.
    #[error("several models; name one: {}", .files.join(", "))]
    Several {
        /// A file of each.
        files: Vec<String>,
    },
    /// No file of this name, or none that fits.
    #[error("no file {wanted}")]
    NoFile {
        /// What was asked for.
        wanted: String,
    },
    /// The file that lists the parts of the weights cannot be used.
    #[error("{file}: {reason}")]
    Index {
        /// The index.
        file: String,
        /// What is wrong with it.
        reason: String,
    },
}

fn also(others: &[String]) -> String {
    if others.is_empty() { String::new() } else { format!("; there is only {}", others.join(", ")) }
}

/// Small files beside weights, in whatever form these are. Python's libraries read some that are not read here.
const SETTINGS: [&str; 12] = [
    "config.json",
    "generation_config.json",
    "preprocessor_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "normalizer.json",
    "vocab.json",
    "merges.txt",
    "vocabulary.json",
    "vocabulary.txt",
];

const WHOLE: &str = "model.safetensors";
const INDEX: &str = "model.safetensors.index.json";
const CTRANSLATE2: &str = "model.bin";

/// Chooses one form of the weights and what belongs to them. Where there are several forms, the first of safetensors,
/// CTranslate2, ONNX, ggml and GGUF is taken.
///
/// # Errors
/// [`NoChoice`]: nothing here makes a model, or it is not clear which of several is meant.
pub fn choose(files: &[&str]) -> Result<Choice, NoChoice> {
    let has = |name: &str| files.contains(&name);
    let settings = settings_among(files);
    let chosen = |form, weights: Vec<String>, index: Option<&str>| Choice {
        form,
        settings: settings.clone(),
        weights,
        index: index.map(str::to_owned),
    };
    if has(WHOLE) {
        require(&settings, Form::Safetensors)?;
        return Ok(chosen(Form::Safetensors, vec![WHOLE.to_owned()], None));
    }
    if has(INDEX) {
        require(&settings, Form::Safetensors)?;
        let parts = files.iter().filter(|name| is_numbered_part(name)).map(|name| (*name).to_owned());
        return Ok(chosen(Form::Safetensors, parts.collect(), Some(INDEX)));
    }
    if has(CTRANSLATE2) {
        require(&settings, Form::CTranslate2)?;
        return Ok(chosen(Form::CTranslate2, vec![CTRANSLATE2.to_owned()], None));
    }
    if let Some((weights, tokens)) = onnx(files)? {
        return match tokens {
            Some(tokens) => Ok(Choice { form: Form::Onnx, settings: vec![tokens], weights, index: None }),
            None => require(&settings, Form::Onnx).map(|()| chosen(Form::Onnx, weights, None)),
        };
    }
    let single: Vec<&&str> = files.iter().filter(|name| single_form(name).is_some()).collect();
    match single.as_slice() {
        [] => Err(NoChoice::NoWeights {
            others: files.iter().filter(|name| is_other(name)).map(|name| (*name).to_owned()).collect(),
        }),
        [only] => choose_file(files, only),
        several => Err(NoChoice::Several { files: several.iter().map(|name| (**name).to_owned()).collect() }),
    }
}

/// Chooses one file of a repository, and the settings beside it where its form has them apart.
///
/// # Errors
/// [`NoChoice::NoFile`]
pub fn choose_file(files: &[&str], wanted: &str) -> Result<Choice, NoChoice> {
    if !files.contains(&wanted) {
        return Err(NoChoice::NoFile { wanted: wanted.to_owned() });
    }
    let form = single_form(wanted).unwrap_or(Form::Named);
    let settings = if form == Form::Named { settings_among(files) } else { Vec::new() };
    let settings = settings.into_iter().filter(|name| name != wanted).collect();
    Ok(Choice { form, settings, weights: vec![wanted.to_owned()], index: None })
}

/// Chooses the files that fit one of the patterns, and the settings.
///
/// # Errors
/// [`NoChoice::NoFile`] for a pattern that fits nothing.
pub fn choose_matching(files: &[&str], patterns: &[String]) -> Result<Choice, NoChoice> {
    for pattern in patterns {
        if !files.iter().any(|name| fits(pattern, name)) {
            return Err(NoChoice::NoFile { wanted: format!("that fits {pattern}") });
        }
    }
    let settings = settings_among(files);
    let fitting = files.iter().filter(|name| patterns.iter().any(|pattern| fits(pattern, name)));
    let weights = fitting.filter(|name| !settings.iter().any(|known| known == *name)).map(|name| (*name).to_owned());
    Ok(Choice { form: Form::Named, weights: weights.collect(), settings, index: None })
}

/// The files that an index names, all of which must be in the repository.
///
/// # Errors
/// [`NoChoice::Index`]
pub fn shards(index: &str, content: &[u8], files: &[&str]) -> Result<Vec<String>, NoChoice> {
    /// What is read of an index: which file each tensor is in.
    #[derive(Deserialize)]
    struct Index {
        weight_map: std::collections::BTreeMap<String, String>,
    }
    let refused = |reason: String| NoChoice::Index { file: index.to_owned(), reason };
    let read: Index = serde_json::from_slice(content).map_err(|error| refused(error.to_string()))?;
    let parts: BTreeSet<String> = read.weight_map.into_values().collect();
    if parts.is_empty() {
        return Err(refused("it names no file".to_owned()));
    }
    match parts.iter().find(|name| !files.contains(&name.as_str())) {
        Some(absent) => Err(refused(format!("it names {absent:?}, which is not there"))),
        None => Ok(parts.into_iter().collect()),
    }
}

fn settings_among(files: &[&str]) -> Vec<String> {
    SETTINGS.iter().filter(|name| files.contains(name)).map(|name| (*name).to_owned()).collect()
}

/// Sizes and a tokenizer belong to weights that do not bring them along.
fn require(settings: &[String], form: Form) -> Result<(), NoChoice> {
    let has = |name: &str| settings.iter().any(|known| known == name);
    let missing = |file: &str| Err(NoChoice::Missing { form, file: file.to_owned() });
    if !has("config.json") {
        return missing("config.json");
    }
    let tokenizer = has("tokenizer.json") || (has("vocab.json") && has("merges.txt"));
    match form {
        Form::CTranslate2 if tokenizer || has("vocabulary.json") || has("vocabulary.txt") => Ok(()),
        Form::CTranslate2 => missing("tokenizer.json, vocabulary.json or vocabulary.txt"),
        _ if tokenizer => Ok(()),
        _ => missing("tokenizer.json, or vocab.json and merges.txt"),
    }
}

/// `model-00001-of-00002.safetensors`
fn is_numbered_part(name: &str) -> bool {
    let numbers = name.strip_prefix("model-").and_then(|rest| rest.strip_suffix(".safetensors"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    numbers.and_then(|rest| rest.split_once("-of-")).is_some_and(|(part, all)| digits(part) && digits(all))
}

/// The graphs with their data, and a file of tokens.
type OnnxFiles = (Vec<String>, Option<String>);

/// Encoder, decoder and the data beside them, and the tokens where they are sherpa's.
///
/// ```text
/// onnx-community  onnx/encoder_model{,_fp16,_int8,...}.onnx  onnx/decoder_model{,_merged}{,_fp16,...}.onnx
/// Optimum         encoder_model.onnx  decoder_model.onnx     each with .onnx_data where it is large
/// sherpa          base-encoder{,.int8}.onnx  base-decoder{,.int8}.onnx  base-tokens.txt
/// ```
fn onnx(files: &[&str]) -> Result<Option<OnnxFiles>, NoChoice> {
    for folder in ["", "onnx/"] {
        let start = format!("{folder}encoder_model");
        let mut precisions: Vec<&str> =
            files.iter().filter_map(|name| name.strip_prefix(start.as_str())?.strip_suffix(".onnx")).collect();
        precisions.sort_unstable(); // none of them first: the whole numbers
        for precision in precisions {
            let decoders = ["decoder_model", "decoder_model_merged"];
            let decoder = decoders.map(|name| format!("{folder}{name}{precision}.onnx"));
            if let Some(decoder) = decoder.into_iter().find(|name| files.contains(&name.as_str())) {
                return Ok(Some((with_data(files, [format!("{start}{precision}.onnx"), decoder]), None)));
            }
        }
    }
    let pairs: Vec<(&str, &str)> =
        files.iter().filter_map(|name| name.strip_suffix(".onnx")?.split_once("-encoder")).collect();
    let models: BTreeSet<&str> = pairs.iter().map(|(model, _)| *model).collect();
    let Some(model) = models.first() else { return Ok(None) };
    if models.len() > 1 {
        let files = models.iter().map(|model| format!("{model}-encoder.onnx")).collect();
        return Err(NoChoice::Several { files });
    }
    let precision = pairs.iter().map(|(_, precision)| *precision).min().unwrap_or("");
    let missing = |file: &str| NoChoice::Missing { form: Form::Onnx, file: file.to_owned() };
    let (decoder, tokens) = (format!("{model}-decoder{precision}.onnx"), format!("{model}-tokens.txt"));
    for file in [&decoder, &tokens] {
        if !files.contains(&file.as_str()) {
            return Err(missing(file));
        }
    }
    Ok(Some((with_data(files, [format!("{model}-encoder{precision}.onnx"), decoder]), Some(tokens))))
}

/// Graphs, and the files beside them that hold their large numbers.
fn with_data(files: &[&str], graphs: [String; 2]) -> Vec<String> {
    let belongs = |name: &str| {
        graphs.iter().any(|graph| {
            name.strip_prefix(graph.as_str()).is_some_and(|rest| rest.starts_with("_data") || rest.starts_with(".data"))
        })
    };
    let data: Vec<String> = files.iter().filter(|name| belongs(name)).map(|name| (*name).to_owned()).collect();
    graphs.into_iter().chain(data).collect()
}

/// The form of a file that is a whole model.
fn single_form(name: &str) -> Option<Form> {
    let last = name.rsplit('/').next().unwrap_or(name);
    match last {
        _ if last.ends_with(".gguf") => Some(Form::Gguf),
        _ if last.starts_with("ggml-") && last.ends_with(".bin") && !last.contains("silero") => Some(Form::Ggml),
        _ => None,
    }
}

/// Files of weights in forms that are not read from a repository.
fn is_other(name: &str) -> bool {
    [".bin", ".pt", ".pth", ".ckpt", ".h5", ".msgpack", ".onnx", ".safetensors", ".nemo", ".mlmodelc"]
        .iter()
        .any(|ending| name.ends_with(ending))
}

/// Whether a name fits a pattern in which `*` is any text and `?` any character.
pub fn fits(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    // Where the last `*` was, and how much of the name it has taken: going back there is enough.
    let (mut at, mut place, mut star) = (0, 0, None);
    while place < name.len() {
        match pattern.get(at) {
            Some('*') => {
                star = Some((at, place));
                at += 1;
            }
            Some(sign) if *sign == '?' || name.get(place) == Some(sign) => {
                at += 1;
                place += 1;
            }
            _ => match star {
                Some((of_star, taken)) => {
                    star = Some((of_star, taken + 1));
                    (at, place) = (of_star + 1, taken + 1);
                }
                None => return false,
            },
        }
    }
    pattern.iter().skip(at).all(|sign| *sign == '*')
}

#[cfg(test)]
#[path = "choice_tests.rs"]
mod tests;
