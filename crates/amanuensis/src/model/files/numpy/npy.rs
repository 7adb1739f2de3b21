//! One array: a header in Python's own notation, and the numbers.
//!
//! ```text
//! 93 "NUMPY" | major minor | u16 (from version 2 on u32) length | {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), } | numbers
//! ```

use crate::model::Dtype;
use crate::model::files::laid::MOST_AXES;

const MAGIC: &[u8] = b"\x93NUMPY";
/// NumPy's own limit on headers of files that are not trusted.
const LONGEST_HEADER: usize = 10_000;
/// The numbers of an array begin at a multiple of it.
const ALIGNMENT: usize = 64;

/// An array by its header.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::model) struct Array {
    pub(in crate::model) dtype: Dtype,
    /// Whether the first axis is the innermost.
    pub(in crate::model) fortran: bool,
    pub(in crate::model) shape: Vec<usize>,
    /// Where its numbers begin; they are all of the rest.
    pub(in crate::model) start: usize,
}

/// Whether a file that begins so is an array.
pub(in crate::model) fn is_array(start: &[u8]) -> bool {
    start.starts_with(MAGIC)
}

/// Reads the header of an array that fills `bytes`.
pub(in crate::model) fn read(bytes: &[u8]) -> Result<Array, String> {
    let rest = bytes.strip_prefix(MAGIC).ok_or("it does not begin as NumPy's arrays do")?;
    let cut = || format!("it has {} bytes, too few for its header: it is truncated", bytes.len());
    let ([major, _minor], rest) = rest.split_first_chunk::<2>().ok_or_else(cut)?;
    let (length, rest) = match major {
        1 => rest.split_first_chunk().map(|(length, rest)| (u16::from_le_bytes(*length).into(), rest)),
        2 | 3 => rest.split_first_chunk().map(|(length, rest)| (u32::from_le_bytes(*length) as usize, rest)),
        other => return Err(format!("its version is {other}, which is not known")),
    }
    .ok_or_else(cut)?;
    if length > LONGEST_HEADER {
        return Err(format!("its header claims {length} bytes, more than the limit of {LONGEST_HEADER}"));
    }
    let (header, numbers) = rest.split_at_checked(length).ok_or_else(cut)?;
    let header = std::str::from_utf8(header).map_err(|_| "its header is not UTF-8")?;
    let Header { descr, fortran, shape } = Header::read(header).map_err(|reason| format!("its header: {reason}"))?;
    let dtype = dtype(&descr)?;
    let size = shape.iter().try_fold(dtype.size(), |size, axis| size.checked_mul(*axis));
    if size != Some(numbers.len()) {
        return Err(format!(
            "its shape {shape:?} of {dtype} does not take the {} bytes that follow its header",
            numbers.len()
        ));
    }
    Ok(Array { dtype, fortran, shape, start: bytes.len() - numbers.len() })
}

/// The kind of numbers by NumPy's name of it.
fn dtype(descr: &str) -> Result<Dtype, String> {
    let (order, kind) = descr.split_at_checked(1).unwrap_or(("", descr));
    let dtype = match kind {
        "f8" => Dtype::F64,
        "f4" => Dtype::F32,
        "f2" => Dtype::F16,
        "i8" => Dtype::I64,
        "i4" => Dtype::I32,
        "i2" => Dtype::I16,
        "i1" => Dtype::I8,
        "u8" => Dtype::U64,
        "u4" => Dtype::U32,
        "u2" => Dtype::U16,
        "u1" => Dtype::U8,
        "b1" => Dtype::Bool,
        kind if kind.starts_with('O') => {
            return Err(
                "it holds Python objects, which NumPy reads by running code; save numbers (f4, f2, i1)".to_owned()
            );
        }
        kind if kind.starts_with('V') => {
            return Err(format!("it holds {descr:?}, as bfloat16 is saved, which NumPy does not know; save f4 or f2"));
        }
        _ => return Err(format!("it holds {descr:?}, which weights are not made of; save f4, f2 or i1")),
    };
    match order {
        "<" => Ok(dtype),
        "|" if dtype.size() == 1 => Ok(dtype),
        ">" => Err(format!("its numbers ({descr:?}) are big-endian; save it as {:?}", format!("<{kind}"))),
        _ => Err(format!("it holds {descr:?}, which is no kind of numbers")),
    }
}

/// NumPy's name of a kind of numbers, where it has one.
pub(in crate::model) fn descr(dtype: Dtype) -> Option<&'static str> {
    Some(match dtype {
        Dtype::F64 => "<f8",
        Dtype::F32 => "<f4",
        Dtype::F16 => "<f2",
        Dtype::I64 => "<i8",
        Dtype::I32 => "<i4",
        Dtype::I16 => "<i2",
        Dtype::I8 => "|i1",
        Dtype::U64 => "<u8",
        Dtype::U32 => "<u4",
        Dtype::U16 => "<u2",
        Dtype::U8 => "|u1",
        Dtype::Bool => "|b1",
        Dtype::BF16 => return None,
    })
}

/// The bytes before the numbers of an array whose innermost axis is the last; their number is a multiple of 64.
pub(in crate::model) fn header(descr: &str, shape: &[usize]) -> Vec<u8> {
    let axes: String = shape.iter().map(|axis| format!("{axis}, ")).collect();
    // One axis keeps its comma, or it would be a number in brackets.
    let axes = if let [_] = shape { axes.trim_end() } else { axes.trim_end_matches(", ") };
    let text = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({axes}), }}");
    let before = MAGIC.len() + 4;
    let length = (before + text.len() + 1).next_multiple_of(ALIGNMENT) - before;
    let mut bytes = [MAGIC, &[1, 0], &(length as u16).to_le_bytes(), text.as_bytes()].concat();
    bytes.resize(before + length - 1, b' ');
    bytes.push(b'\n');
    bytes
}

/// What a header says.
struct Header {
    descr: String,
    fortran: bool,
    shape: Vec<usize>,
}

impl Header {
    /// Reads a map of exactly the three keys there are.
    fn read(text: &str) -> Result<Self, String> {
        let mut literal = Literal { rest: text };
        let (mut descr, mut fortran, mut shape) = (None, None, None);
        literal.expect('{')?;
        while !literal.take('}') {
            let key = literal.string()?;
            literal.expect(':')?;
            let new = match key {
                "descr" => descr.replace(literal.string()?.to_owned()).is_none(),
                "fortran_order" => fortran.replace(literal.truth()?).is_none(),
                "shape" => shape.replace(literal.sizes()?).is_none(),
                other => return Err(format!("the key {other:?} is not known")),
            };
            if !new {
                return Err(format!("the key {key:?} stands twice"));
            }
            if !literal.take(',') {
                literal.expect('}')?;
                break;
            }
        }
        if !literal.rest.trim_start().is_empty() {
            return Err("something stands behind its end".to_owned());
        }
        let absent = |key: &str| format!("the key {key:?} is not there");
        Ok(Self {
            descr: descr.ok_or_else(|| absent("descr"))?,
            fortran: fortran.ok_or_else(|| absent("fortran_order"))?,
            shape: shape.ok_or_else(|| absent("shape"))?,
        })
    }
}

/// Text in Python's notation, as far as headers use it.
struct Literal<'a> {
    rest: &'a str,
}

impl<'a> Literal<'a> {
    fn take(&mut self, sign: char) -> bool {
        self.rest = self.rest.trim_start();
        let after = self.rest.strip_prefix(sign);
        self.rest = after.unwrap_or(self.rest);
        after.is_some()
    }

    fn expect(&mut self, sign: char) -> Result<(), String> {
        if self.take(sign) { Ok(()) } else { Err(format!("{sign:?} is wanted before {:?}", self.next())) }
    }

    /// What stands here, for errors.
    fn next(&self) -> &'a str {
        self.rest.char_indices().nth(20).map_or(self.rest, |(end, _)| &self.rest[..end])
    }

    fn string(&mut self) -> Result<&'a str, String> {
        self.rest = self.rest.trim_start();
        let found = ['\'', '"'].iter().find_map(|quote| self.rest.strip_prefix(*quote)?.split_once(*quote));
        // Kinds of numbers with several parts are lists here; escapes are in no name.
        let (string, rest) = found
            .filter(|(string, _)| !string.contains('\\'))
            .ok_or_else(|| format!("a name in quotes is wanted, not {:?}", self.next()))?;
        self.rest = rest;
        Ok(string)
    }

    fn truth(&mut self) -> Result<bool, String> {
        self.rest = self.rest.trim_start();
        for (word, truth) in [("True", true), ("False", false)] {
            if let Some(rest) = self.rest.strip_prefix(word) {
                self.rest = rest;
                return Ok(truth);
            }
        }
        Err(format!("True or False is wanted, not {:?}", self.next()))
    }

    fn sizes(&mut self) -> Result<Vec<usize>, String> {
        self.expect('(')?;
        let mut sizes = Vec::new();
        while !self.take(')') {
            if sizes.len() == MOST_AXES {
                return Err(format!("more than {MOST_AXES} axes"));
            }
            let digits = self.rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(self.rest.len());
            let (digits, rest) = self.rest.split_at(digits);
            sizes.push(digits.parse().map_err(|_| format!("a size is wanted, not {:?}", self.next()))?);
            // Python 2 marked long numbers.
            self.rest = rest.strip_prefix('L').unwrap_or(rest);
            if !self.take(',') {
                self.expect(')')?;
                break;
            }
        }
        Ok(sizes)
    }
}
