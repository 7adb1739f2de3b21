//! Writes a model as CTranslate2 has it, which faster-whisper reads: model.bin, config.json, vocabulary.json, and for
//! faster-whisper tokenizer.json and preprocessor_config.json.
//!
//! The variables are those of CTranslate2's own converter, in its order, which is the alphabet's. A number in bytes is its
//! byte divided by the scale of its output; what is no matrix stays f32 then.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use serde_json::json;

use super::settings::write_json;
use super::{Order, Type, WriteError, is_matrix, settings, vocabulary};
use crate::model::files::ctranslate2::WEIGHTS;
use crate::model::files::ctranslate2::container::{SPEC, id_of};
use crate::model::files::ctranslate2::names::{EMBEDDING, PROJECTION, holder};
use crate::model::progress::Steps;
use crate::model::quantize::Target;
use crate::model::quantize::encode::{encode, for_blocks, row_length};
use crate::model::{Dims, Dtype, ModelFile, Progress, Tensor};
use crate::tokens::{Tokenizer, Written};

const VERSION: u32 = 6;
const REVISION: u32 = 3;
/// The exact GELU by CTranslate2's count.
const GELU: i8 = 3;
/// The largest byte.
const LARGEST: f32 = 127.0;

pub(super) fn write(
    model: &ModelFile,
    order: &Order,
    folder: &Path,
    progress: &mut Progress<'_>,
) -> Result<(), WriteError> {
    write_json(folder, "config.json", &config(model))?;
    write_json(folder, "vocabulary.json", &json!(tokens(&model.tokenizer, model.dims.vocabulary)))?;
    write_json(folder, "preprocessor_config.json", &settings::preprocessor(model))?;
    vocabulary::write_whole(&model.tokenizer, folder)?;
    let mut steps = Steps::through(&model.dims, progress);
    let path = folder.join(WEIGHTS);
    let file = File::create_new(&path).map_err(WriteError::of(&path))?;
    let mut writer = Writer { file: BufWriter::new(file), path, kind: order.kind };
    writer.model(model, &mut steps)?;
    steps.end();
    writer.finish()
}

fn config(model: &ModelFile) -> serde_json::Value {
    let mut languages: Vec<u32> = model.tokenizer.special().languages.iter().map(|(_, token)| *token).collect();
    languages.sort_unstable();
    json!({
        "alignment_heads": model.generation.alignment_heads,
        "lang_ids": languages,
        "suppress_ids": model.generation.suppress_tokens,
        "suppress_ids_begin": model.generation.begin_suppress_tokens,
    })
}

/// A text for every row. Rows without a token get names that are special, so that nothing is said by them. A token may be
/// the empty text: Whisper's vocabulary has it, and CTranslate2 decodes otherwise under another name.
fn tokens(tokenizer: &Tokenizer, rows: usize) -> Vec<String> {
    let mut texts = vec![None; rows];
    for (token, written) in tokenizer.tokens() {
        if let Some(text) = texts.get_mut(token as usize) {
            let (Written::Text(written) | Written::Word(written) | Written::Special(written)) = written;
            *text = Some(written);
        }
    }
    let unused = |row: usize| format!("<|unused.{row}|>");
    texts.into_iter().enumerate().map(|(row, text)| text.unwrap_or_else(|| unused(row))).collect()
}

/// What stands under a name.
enum Variable {
    /// A setting.
    Number(Dtype, i16),
    /// Rows of tensors, one below the other. Where a bias has no part, keys', there is None.
    Tensors { parts: Vec<Option<String>>, shape: Vec<usize>, is_matrix: bool },
}

/// The settings that the decoder's layers are made by, as CTranslate2 has them for Whisper.
fn settings_of(dims: &Dims) -> [(&'static str, Variable); 11] {
    let byte = |number: i8| Variable::Number(Dtype::I8, number.into());
    let short = |number: usize| Variable::Number(Dtype::I16, i16::try_from(number).unwrap_or(i16::MAX));
    [
        ("encoder/num_heads", short(dims.audio_heads)),
        ("decoder/num_heads", short(dims.text_heads)),
        ("decoder/activation", byte(GELU)),
        ("decoder/pre_norm", byte(1)),
        ("decoder/alignment_heads", short(1)),
        ("decoder/alignment_layer", Variable::Number(Dtype::I16, -1)),
        ("decoder/alibi", byte(0)),
        ("decoder/alibi_use_positive_positions", byte(0)),
        ("decoder/scale_alibi", byte(0)),
        ("decoder/scale_embeddings", byte(0)),
        ("decoder/start_from_zero_embedding", byte(0)),
    ]
}

/// All variables, in the alphabet's order.
fn variables(dims: &Dims) -> BTreeMap<String, Variable> {
    let mut all: BTreeMap<String, Variable> =
        settings_of(dims).into_iter().map(|(name, variable)| (name.to_owned(), variable)).collect();
    for (tensor, shape) in dims.tensors() {
        let Some(holder) = holder(&tensor) else { continue };
        let variable = all.entry(holder.variable).or_insert_with(|| {
            let mut whole = shape.clone();
            whole.iter_mut().take(1).for_each(|rows| *rows *= holder.of);
            Variable::Tensors { parts: vec![None; holder.of], is_matrix: is_matrix(&tensor, &shape), shape: whole }
        });
        if let Variable::Tensors { parts, .. } = variable {
            parts[holder.part] = Some(tensor);
        }
    }
    all
}

struct Writer {
    file: BufWriter<File>,
    path: PathBuf,
    kind: Type,
}

impl Writer {
    fn put(&mut self, bytes: &[u8]) -> Result<(), WriteError> {
        self.file.write_all(bytes).map_err(WriteError::of(&self.path))
    }

    fn number(&mut self, number: usize) -> Result<(), WriteError> {
        let too_large = || WriteError::Unwritable {
            what: format!("something of {number} bytes or numbers"),
            container: "CTranslate2",
            reason: "its files count in 32 bits".to_owned(),
        };
        let number = u32::try_from(number).map_err(|_| too_large())?;
        self.put(&number.to_le_bytes())
    }

    /// The length in two bytes, which a NUL at the end is counted in. Names are short.
    fn text(&mut self, text: &str) -> Result<(), WriteError> {
        let length = u16::try_from(text.len() + 1).unwrap_or(u16::MAX);
        self.put(&[&length.to_le_bytes()[..], text.as_bytes(), &[0]].concat())
    }

    /// What stands before the numbers of a variable.
    fn head(&mut self, name: &str, shape: &[usize], dtype: Dtype) -> Result<(), WriteError> {
        self.text(name)?;
        self.put(&[shape.len() as u8])?;
        shape.iter().try_for_each(|axis| self.number(*axis))?;
        self.put(&[id_of(dtype).unwrap_or_default()])?;
        self.number(shape.iter().product::<usize>() * dtype.size())
    }

    fn model(&mut self, model: &ModelFile, steps: &mut Steps<'_, '_>) -> Result<(), WriteError> {
        let variables = variables(&model.dims);
        let is_matrix = |variable: &&Variable| matches!(variable, Variable::Tensors { is_matrix: true, .. });
        let scales = if self.kind == Type::Int8 { variables.values().filter(is_matrix).count() } else { 0 };
        self.number(VERSION as usize)?;
        self.text(SPEC)?;
        self.number(REVISION as usize)?;
        self.number(variables.len() + scales)?;
        for (name, variable) in &variables {
            match variable {
                Variable::Number(dtype, number) => {
                    self.head(name, &[], *dtype)?;
                    self.put(&number.to_le_bytes()[..dtype.size()])?;
                }
                Variable::Tensors { parts, shape, is_matrix } => {
                    let dtype = self.dtype(*is_matrix);
                    self.head(name, shape, dtype)?;
                    let scales = self.tensors(model, parts, shape, dtype, steps)?;
                    if dtype == Dtype::I8 {
                        self.head(&format!("{name}_scale"), &shape[..1], Dtype::F32)?;
                        self.put(&scales)?;
                    }
                }
            }
        }
        self.number(1)?;
        self.text(PROJECTION)?;
        self.text(EMBEDDING)
    }

    fn dtype(&self, is_matrix: bool) -> Dtype {
        match self.kind {
            Type::F16 => Dtype::F16,
            Type::Bf16 => Dtype::BF16,
            Type::Int8 if is_matrix => Dtype::I8,
            _ => Dtype::F32,
        }
    }

    /// The numbers of the parts of a variable. The result is their scales, if they have any.
    fn tensors(
        &mut self,
        model: &ModelFile,
        parts: &[Option<String>],
        shape: &[usize],
        dtype: Dtype,
        steps: &mut Steps<'_, '_>,
    ) -> Result<Vec<u8>, WriteError> {
        let mut scales = Vec::new();
        let mut shape = shape.to_vec();
        shape.iter_mut().take(1).for_each(|rows| *rows /= parts.len());
        for part in parts {
            let Some(name) = part else {
                self.put(&vec![0; shape.iter().product::<usize>() * dtype.size()])?;
                continue;
            };
            let tensor = model.weights.tensor(name, &shape)?;
            steps.next(name, tensor.count())?;
            match dtype {
                Dtype::I8 => self.bytes(&tensor, &mut scales)?,
                plain => encode(&tensor, Target::Plain(plain), &mut |_, bytes| self.put(bytes))?,
            }
        }
        Ok(scales)
    }

    /// Bytes, each row's largest magnitude being 127, and what every row was multiplied with for it.
    fn bytes(&mut self, tensor: &Tensor<'_>, scales: &mut Vec<u8>) -> Result<(), WriteError> {
        let inputs = row_length(tensor.shape);
        for_blocks(tensor, &mut |numbers| {
            let mut bytes = Vec::with_capacity(numbers.len());
            for row in numbers.chunks(inputs) {
                if let Some(number) = row.iter().find(|number| !number.is_finite()) {
                    let advice = "the model is damaged, fetch it again";
                    let tensor = tensor.name.to_owned();
                    return Err(WriteError::Number { tensor, number: *number, kind: Type::Int8, advice });
                }
                let largest = row.iter().fold(0.0_f32, |largest, number| number.abs().max(largest));
                // A row of zeros is divided by 1, and no scale is more than f32 holds.
                let largest = if largest == 0.0 { LARGEST } else { largest.max(LARGEST / f32::MAX) };
                let scale = LARGEST / largest;
                scales.extend(scale.to_le_bytes());
                bytes.extend(row.iter().map(|number| (number * scale).round_ties_even() as i8 as u8));
            }
            self.put(&bytes)
        })
    }

    fn finish(self) -> Result<(), WriteError> {
        let Self { file, path, .. } = self;
        let file = file.into_inner().map_err(|error| WriteError::of(&path)(error.into_error()))?;
        file.sync_all().map_err(WriteError::of(&path))
    }
}
