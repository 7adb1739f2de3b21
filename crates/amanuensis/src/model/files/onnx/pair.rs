//! Which files of a folder are the two halves of a model.
//!
//! ```text
//! encoder_model.onnx        encoder_model_fp16.onnx          tiny-encoder.int8.onnx
//! decoder_model.onnx        decoder_model_merged_fp16.onnx   tiny-decoder.int8.onnx
//! ```

use std::path::Path;

/// The names of the two halves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::model) struct Pair {
    pub(in crate::model) encoder: String,
    pub(in crate::model) decoder: String,
}

const ENDING: &str = ".onnx";
/// What a name has where its file cannot stand alone: it lacks what earlier steps leave behind.
const WITH_PAST: &str = "with_past";
const MERGED: &str = "_merged";

/// No model's folder has more files than this; of others only so many are looked at.
const MOST_FILES: usize = 10_000;

/// What the other half is called too: the name with its half left out.
fn key(name: &str, half: &str) -> Option<String> {
    let stem = name.strip_suffix(ENDING).filter(|stem| !stem.contains(WITH_PAST))?;
    let (before, behind) = stem.split_once(half)?;
    Some(format!("{before}*{}", behind.replacen(MERGED, "", 1)))
}

/// Models with fewer bits are taken where there are no others.
fn bits(key: &str) -> usize {
    let marks = ["fp16", "bf16", "quantized", "int8", "uint8", "q8", "q4", "bnb4"];
    marks.iter().position(|mark| key.contains(mark)).map_or(0, |place| place + 1)
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().take(MOST_FILES);
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut names: Vec<String> = names.filter(|name| name.ends_with(ENDING) && folder.join(name).is_file()).collect();
    names.sort();
    names
}

/// The best pair of a folder.
pub(in crate::model) fn of_folder(folder: &Path) -> Option<Pair> {
    let names = names(folder);
    let encoders = names.iter().filter_map(|name| Some((key(name, "encoder")?, name)));
    let pairs = encoders.filter_map(|(key, encoder)| {
        let decoder = partner(&names, &key, "decoder")?;
        Some((bits(&key), key.len(), Pair { encoder: encoder.clone(), decoder: decoder.clone() }))
    });
    pairs.min_by_key(|(bits, length, _)| (*bits, *length)).map(|(.., pair)| pair)
}

/// The pair that a file is half of, or why there is none.
pub(in crate::model) fn of_file(folder: &Path, name: &str) -> Result<Pair, String> {
    let names = names(folder);
    for (half, other) in [("encoder", "decoder"), ("decoder", "encoder")] {
        let Some(key) = key(name, half) else { continue };
        let partner = partner(&names, &key, other).ok_or_else(|| {
            format!(
                "it is half a model: there is no {} beside it",
                name.replacen(half, other, 1).replacen(MERGED, "", 1)
            )
        })?;
        return Ok(if half == "encoder" {
            Pair { encoder: name.to_owned(), decoder: partner.clone() }
        } else {
            Pair { encoder: partner.clone(), decoder: name.to_owned() }
        });
    }
    if name.contains(WITH_PAST) {
        return Err("it lacks what the first step of decoding needs; give the model's folder".to_owned());
    }
    Err("its name says neither encoder nor decoder, so that its other half cannot be found".to_owned())
}

/// The shortest name is the one that is not merged.
fn partner<'a>(names: &'a [String], wanted: &str, half: &str) -> Option<&'a String> {
    names.iter().filter(|name| key(name, half).as_deref() == Some(wanted)).min_by_key(|name| name.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(names: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        names.iter().for_each(|name| std::fs::write(folder.path().join(name), "").unwrap());
        folder
    }

    fn pair(encoder: &str, decoder: &str) -> Pair {
        Pair { encoder: encoder.to_owned(), decoder: decoder.to_owned() }
    }

    #[test]
    fn halves_find_each_other() {
        let community = folder(&[
            "encoder_model.onnx",
            "encoder_model_fp16.onnx",
            "encoder_model_q4.onnx",
            "decoder_model_merged.onnx",
            "decoder_model.onnx",
            "decoder_with_past_model.onnx",
            "decoder_model_merged_fp16.onnx",
            "decoder_model_q4.onnx",
            "encoder_model_int8.onnx",
        ]);
        let path = community.path();
        assert_eq!(of_folder(path), Some(pair("encoder_model.onnx", "decoder_model.onnx")));
        let half = pair("encoder_model_fp16.onnx", "decoder_model_merged_fp16.onnx");
        assert_eq!(of_file(path, "encoder_model_fp16.onnx"), Ok(half.clone()));
        assert_eq!(of_file(path, "decoder_model_merged_fp16.onnx"), Ok(half));
        let merged = pair("encoder_model.onnx", "decoder_model_merged.onnx");
        assert_eq!(of_file(path, "decoder_model_merged.onnx"), Ok(merged));
        let error = of_file(path, "encoder_model_int8.onnx").unwrap_err();
        assert!(error.contains("there is no decoder_model_int8.onnx beside it"), "{error}");
        assert!(of_file(path, "decoder_with_past_model.onnx").unwrap_err().contains("give the model's folder"));
        assert!(of_file(path, "model.onnx").unwrap_err().contains("neither encoder nor decoder"));

        let sherpa = folder(&["tiny-encoder.int8.onnx", "tiny-decoder.int8.onnx", "tiny-encoder.onnx"]);
        let only = pair("tiny-encoder.int8.onnx", "tiny-decoder.int8.onnx");
        assert_eq!(of_folder(sherpa.path()), Some(only));
        assert_eq!(of_folder(&sherpa.path().join("absent")), None);
    }
}
