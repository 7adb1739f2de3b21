//! model.bin: named variables one behind the other, and second names for some of them.
//!
//! ```text
//! u32 binary version | string spec | u32 revision of the spec
//! u32 count | count x { string name | u8 axes | axes x u32 length | u8 kind | u32 bytes | the numbers }
//! u32 count | count x { string alias | string name }
//! ```
//!
//! A string is its u16 length, which counts a NUL at its end, and its bytes. Before version 4 the kind was the size of a
//! number, and how many there are stood in the place of the bytes; before version 3 there were no aliases.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::model::files::cursor::Cursor;
use crate::model::{Dtype, ModelError};

/// What errors call it.
pub(in crate::model) const FORMAT: &str = "CTranslate2 model";
/// The versions that are known. The first had no name of a spec, so no Whisper model is of it.
const VERSIONS: std::ops::RangeInclusive<u32> = 2..=6;
/// The only kind of model that is read here.
pub(in crate::model) const SPEC: &str = "WhisperSpec";
/// Convolutions have three axes.
const MOST_AXES: u8 = 8;
/// Bytes of the shortest variable: an empty name, no axes.
const SHORTEST_VARIABLE: usize = 3 + 1 + 1 + 4;
/// Bytes of the shortest alias: two empty names.
const SHORTEST_ALIAS: usize = 3 + 3;

/// One variable in its file.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Variable {
    pub(super) dtype: Dtype,
    /// Lengths of the axes; none for a single number.
    pub(super) shape: Vec<usize>,
    /// Its bytes in the file: as many as the shape takes.
    pub(super) range: Range<usize>,
}

/// Everything that a file holds.
#[derive(Debug)]
pub(super) struct Container {
    pub(super) variables: BTreeMap<String, Variable>,
    /// Second name to first. Every one leads to a variable or to another alias that does.
    pub(super) aliases: BTreeMap<String, String>,
}

impl Container {
    /// The variable of this name, by its own name or another, with the name that it has itself.
    pub(super) fn find(&self, name: &str) -> Option<(&str, &Variable)> {
        let mut name = name;
        // An alias of an alias ends somewhere, or `read` would have refused it.
        for _ in 0..=self.aliases.len() {
            if let Some((own, variable)) = self.variables.get_key_value(name) {
                return Some((own, variable));
            }
            name = self.aliases.get(name)?;
        }
        None
    }
}

/// Whether a file that begins so is one of these: a small number, and the name of a spec with its length before it.
pub(in crate::model) fn begins_like_one(start: &[u8]) -> bool {
    let [_, 0, 0, 0, length, 0, rest @ ..] = start else { return false };
    let name = usize::from(*length).checked_sub(1).and_then(|length| Some((rest.get(..length)?, rest.get(length)?)));
    matches!(name, Some((name, 0)) if !name.is_empty() && name.iter().all(u8::is_ascii_alphanumeric))
}

/// Reads the names and places of all variables.
pub(super) fn read(file: &str, bytes: &[u8]) -> Result<Container, ModelError> {
    read_all(bytes).map_err(|reason| ModelError::Container { file: file.to_owned(), format: FORMAT, reason })
}

fn read_all(bytes: &[u8]) -> Result<Container, String> {
    let mut cursor = Reader { cursor: Cursor::new(bytes), size: bytes.len() };
    let version = cursor.u32("its binary version")?;
    if !VERSIONS.contains(&version) {
        let (first, last) = VERSIONS.into_inner();
        return Err(format!("its binary version is {version}, and those from {first} to {last} are read"));
    }
    let spec = cursor.string("the name of its spec")?;
    if spec != SPEC {
        return Err(format!("it is a {spec:?}, not a {SPEC}"));
    }
    cursor.u32("the revision of its spec")?;

    let count = cursor.count("variables", SHORTEST_VARIABLE)?;
    let mut variables = BTreeMap::new();
    for number in 0..count {
        let name = cursor.string(&format!("the name of variable {number} of {count}"))?;
        let variable = cursor.variable(version).map_err(|reason| format!("variable {name}: {reason}"))?;
        if variables.insert(name.to_owned(), variable).is_some() {
            return Err(format!("the variable {name} stands twice"));
        }
    }
    let count = if version >= 3 { cursor.count("aliases", SHORTEST_ALIAS)? } else { 0 };
    let mut aliases = BTreeMap::new();
    for number in 0..count {
        let alias = cursor.string(&format!("alias {number} of {count}"))?;
        let name = cursor.string(&format!("the variable of alias {alias}"))?;
        if variables.contains_key(alias) || aliases.insert(alias.to_owned(), name.to_owned()).is_some() {
            return Err(format!("the alias {alias} is the name of another variable"));
        }
    }
    if cursor.cursor.left() > 0 {
        return Err(format!("{} bytes at its end belong to nothing", cursor.cursor.left()));
    }
    let container = Container { variables, aliases };
    check_aliases(&container)?;
    Ok(container)
}

/// Every alias leads to a variable. Each name is looked at once, however long the chains are.
fn check_aliases(container: &Container) -> Result<(), String> {
    let mut leads_somewhere: BTreeMap<&str, bool> = BTreeMap::new();
    for alias in container.aliases.keys() {
        let mut way = Vec::new();
        let mut name = alias.as_str();
        let ends_well = loop {
            if container.variables.contains_key(name) {
                break true;
            }
            // A name that is on the way already is marked false: the way is a loop.
            match leads_somewhere.get(name) {
                Some(known) => break *known,
                None => leads_somewhere.insert(name, false),
            };
            way.push(name);
            match container.aliases.get(name) {
                Some(next) => name = next,
                None => break false,
            }
        };
        if !ends_well {
            return Err(format!("the alias {alias} leads to no variable"));
        }
        leads_somewhere.extend(way.into_iter().map(|name| (name, true)));
    }
    Ok(())
}

/// What is left to read. What is not there is named.
struct Reader<'a> {
    cursor: Cursor<'a>,
    size: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize, what: &str) -> Result<&'a [u8], String> {
        let (at, size) = (self.cursor.at(), self.size);
        let truncated = || format!("{what} needs {count} bytes at {at}, but the file has {size}: it is truncated");
        self.cursor.take(count).ok_or_else(truncated)
    }

    fn array<const SIZE: usize>(&mut self, what: &str) -> Result<[u8; SIZE], String> {
        let mut array = [0; SIZE];
        array.copy_from_slice(self.take(SIZE, what)?);
        Ok(array)
    }

    fn u32(&mut self, what: &str) -> Result<u32, String> {
        self.array(what).map(u32::from_le_bytes)
    }

    /// How many of something follow, each of at least so many bytes.
    fn count(&mut self, what: &str, shortest: usize) -> Result<u32, String> {
        let count = self.u32(&format!("the number of {what}"))?;
        let left = self.cursor.left();
        if count as usize > left / shortest {
            return Err(format!("it claims {count} {what}, for which its last {left} bytes are too few"));
        }
        Ok(count)
    }

    fn string(&mut self, what: &str) -> Result<&'a str, String> {
        let length = u16::from_le_bytes(self.array(what)?);
        let bytes = self.take(usize::from(length), what)?;
        let text = bytes.strip_suffix(&[0]).and_then(|bytes| std::str::from_utf8(bytes).ok());
        text.filter(|text| !text.contains('\0')).ok_or_else(|| format!("{what} is not a text that ends with a NUL"))
    }

    fn variable(&mut self, version: u32) -> Result<Variable, String> {
        let [axes] = self.array("the number of its axes")?;
        if axes > MOST_AXES {
            return Err(format!("{axes} axes, more than the limit of {MOST_AXES}"));
        }
        let mut shape = Vec::with_capacity(usize::from(axes));
        for _ in 0..axes {
            shape.push(self.u32("the length of an axis")? as usize);
        }
        let [kind] = self.array("the kind of its numbers")?;
        let claimed = u64::from(self.u32("the size of its numbers")?);
        let (dtype, claimed) = if version >= 4 {
            (kind_of(kind).ok_or_else(|| format!("unknown kind of numbers {kind}"))?, claimed)
        } else {
            let dtype = kind_of_size(kind).ok_or_else(|| format!("numbers of {kind} bytes are of no kind"))?;
            (dtype, claimed * dtype.size() as u64)
        };
        let size = shape.iter().try_fold(dtype.size(), |size, &axis| size.checked_mul(axis));
        let Some(size) = size.filter(|&size| size as u64 == claimed) else {
            return Err(format!("its shape {shape:?} of {dtype} does not fill its {claimed} bytes"));
        };
        let start = self.cursor.at();
        self.take(size, "the numbers")?;
        Ok(Variable { dtype, shape, range: start..self.cursor.at() })
    }
}

const KINDS: [Dtype; 6] = [Dtype::F32, Dtype::I8, Dtype::I16, Dtype::I32, Dtype::F16, Dtype::BF16];

fn kind_of(id: u8) -> Option<Dtype> {
    KINDS.get(usize::from(id)).copied()
}

/// The number by which the file says a kind.
pub(in crate::model) fn id_of(dtype: Dtype) -> Option<u8> {
    KINDS.iter().position(|kind| *kind == dtype).and_then(|id| u8::try_from(id).ok())
}

/// Before the kinds had numbers there were three of them.
fn kind_of_size(size: u8) -> Option<Dtype> {
    match size {
        4 => Some(Dtype::F32),
        2 => Some(Dtype::I16),
        1 => Some(Dtype::I8),
        _ => None,
    }
}
