//! What a pickle builds, where it builds nothing but data.
//!
//! All that is built lies in one list, and values point into it, so a value that holds itself, or one ten times that holds
//! another ten times, costs no more than the bytes that say so.

use std::collections::HashMap;

use super::Fault;
use super::classes::{Class, class};
use super::opcodes::{Key, Step, step};
use crate::model::Dtype;
use crate::model::files::laid::MOST_AXES;

/// A value; all but the small ones by their place in [`Pickle::objects`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Value<'a> {
    Nothing,
    Bool(bool),
    Int(i128),
    /// Its number is never needed.
    Float,
    Text(&'a str),
    Class(Class),
    List(usize),
    Dict(usize),
    Tensor(usize),
    Storage(usize),
}

/// What lists and maps hold, and what tensors are made of.
#[derive(Debug)]
enum Object<'a> {
    /// A list or a tuple.
    List(Vec<Value<'a>>),
    Dict(Vec<(Value<'a>, Value<'a>)>),
    Tensor(View),
    Storage(Storage<'a>),
}

/// Numbers to be read of a storage, as far as the pickle says.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct View {
    /// Place of the storage.
    pub(super) storage: usize,
    pub(super) offset: usize,
    pub(super) shape: Vec<usize>,
    pub(super) strides: Vec<usize>,
}

/// Numbers in the file.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Storage<'a> {
    /// What it is called in the file.
    pub(super) key: &'a str,
    pub(super) dtype: Dtype,
    /// How many numbers it has.
    pub(super) count: usize,
}

/// What a pickle built.
#[derive(Debug)]
pub(super) struct Pickle<'a> {
    objects: Vec<Object<'a>>,
    pub(super) root: Value<'a>,
    /// Bytes that it took.
    pub(super) length: usize,
}

impl<'a> Pickle<'a> {
    pub(super) fn list(&self, value: Value<'a>) -> Option<&[Value<'a>]> {
        let Value::List(place) = value else { return None };
        match self.objects.get(place)? {
            Object::List(items) => Some(items),
            _ => None,
        }
    }

    pub(super) fn dict(&self, value: Value<'a>) -> Option<&[(Value<'a>, Value<'a>)]> {
        let Value::Dict(place) = value else { return None };
        match self.objects.get(place)? {
            Object::Dict(items) => Some(items),
            _ => None,
        }
    }

    /// What a map has under a name; of several, as in Python, the last.
    pub(super) fn item(&self, dict: Value<'a>, name: &str) -> Option<Value<'a>> {
        let found = self.dict(dict)?.iter().rev().find(|(key, _)| *key == Value::Text(name));
        found.map(|(_, value)| *value)
    }

    pub(super) fn tensor(&self, value: Value<'a>) -> Option<(&View, Storage<'a>)> {
        let Value::Tensor(place) = value else { return None };
        let Object::Tensor(view) = self.objects.get(place)? else { return None };
        match self.objects.get(view.storage)? {
            Object::Storage(storage) => Some((view, *storage)),
            _ => None,
        }
    }

    /// All storages that it named.
    pub(super) fn storages(&self) -> impl Iterator<Item = Storage<'a>> {
        self.objects.iter().filter_map(|object| match object {
            Object::Storage(storage) => Some(*storage),
            _ => None,
        })
    }
}

/// The largest real pickle, of 1,300 tensors, has 150 KB.
pub(super) const LONGEST: usize = 64 << 20;
/// No list, map or tensor of a model makes it build more; so many take some tens of megabytes.
const MOST_OBJECTS: usize = 1 << 17;
/// Values that wait for being put together, and values that are kept.
const MOST_VALUES: usize = 1 << 18;
/// Lists in lists in lists.
const DEEPEST: usize = 256;
const LONGEST_TEXT: u64 = 1 << 20;
/// A whole number may have as many bytes as the one that old files begin with, and some more.
const LONGEST_INT: usize = 16;
/// Digits of a number, or a name.
const LONGEST_LINE: usize = 1024;

/// Builds what the pickle at the beginning of `bytes` says.
pub(super) fn read(bytes: &[u8]) -> Result<Pickle<'_>, Fault> {
    let mut machine =
        Machine { bytes, at: 0, stack: Vec::new(), marks: Vec::new(), memo: HashMap::new(), objects: Vec::new() };
    let root = loop {
        let at = machine.at;
        if let Some(root) = machine.step().map_err(|fault| placed(fault, at))? {
            break root;
        }
    };
    Ok(Pickle { objects: machine.objects, root, length: machine.at })
}

fn placed(fault: Fault, at: usize) -> Fault {
    match fault {
        Fault::Broken(reason) => Fault::Broken(format!("byte {at} of its pickle: {reason}")),
        other => other,
    }
}

struct Machine<'a> {
    bytes: &'a [u8],
    at: usize,
    stack: Vec<Value<'a>>,
    /// How high the stack was where each list began that has not ended.
    marks: Vec<usize>,
    memo: HashMap<u64, Value<'a>>,
    objects: Vec<Object<'a>>,
}

impl<'a> Machine<'a> {
    /// Takes one step; what it ends with is what the pickle built.
    fn step(&mut self) -> Result<Option<Value<'a>>, Fault> {
        let [byte] = *self.take(1)? else { return Err("it is cut off".into()) };
        match step(byte) {
            Step::Skip(count) => {
                self.take(count)?;
            }
            Step::Stop => return self.pop().map(Some),
            Step::Mark => {
                if self.marks.len() == DEEPEST {
                    return Err(format!("lists {DEEPEST} deep, which is the limit").into());
                }
                self.marks.push(self.stack.len());
            }
            Step::Pop => {
                // What is popped where a list has just begun is its beginning.
                if self.marks.last() == Some(&self.stack.len()) {
                    self.marks.pop();
                } else {
                    self.pop()?;
                }
            }
            Step::PopToMark => {
                self.pop_to_mark()?;
            }
            Step::Duplicate => {
                let top = self.top()?;
                self.push(top)?;
            }
            Step::None => self.push(Value::Nothing)?,
            Step::Bool(value) => self.push(Value::Bool(value))?,
            Step::Int { bytes, signed } => {
                let number = little_endian(self.take(bytes)?, signed);
                self.push(Value::Int(number))?;
            }
            Step::Long(bytes) => {
                let length = self.length(bytes)?;
                if length > LONGEST_INT as u64 {
                    return Err(format!("a number of {length} bytes, more than the limit of {LONGEST_INT}").into());
                }
                let number = little_endian(self.take(length as usize)?, true);
                self.push(Value::Int(number))?;
            }
            Step::Digits => {
                let line = self.line()?;
                let value = match line {
                    "00" => Value::Bool(false),
                    "01" => Value::Bool(true),
                    digits => Value::Int(
                        digits.trim_end_matches('L').parse().map_err(|_| format!("{digits:?} is no whole number"))?,
                    ),
                };
                self.push(value)?;
            }
            Step::Float => {
                self.take(8)?;
                self.push(Value::Float)?;
            }
            Step::FloatDigits => {
                self.line()?;
                self.push(Value::Float)?;
            }
            Step::Text(bytes) => {
                let text = self.text(bytes)?;
                let text = std::str::from_utf8(text).map_err(|_| "a text is not UTF-8")?;
                self.push(Value::Text(text))?;
            }
            Step::TextLine => {
                // Between quotes where it is Python 2's.
                let line = self.line()?;
                let inner = ['\'', '"'].iter().find_map(|quote| line.strip_prefix(*quote)?.strip_suffix(*quote));
                let text = inner.unwrap_or(line);
                if text.contains('\\') {
                    return Err(format!("the text {text:?} has escapes, which are not read").into());
                }
                self.push(Value::Text(text))?;
            }
            Step::Bytes(bytes) => {
                let text = self.text(bytes)?;
                let value = std::str::from_utf8(text).map_or(Value::Nothing, Value::Text);
                self.push(value)?;
            }
            Step::Tuple(count) => {
                let start = self.stack.len().checked_sub(count).filter(|start| *start >= self.floor());
                let items = self.stack.split_off(start.ok_or("a tuple of values that are not there")?);
                self.push_list(items)?;
            }
            Step::TupleToMark | Step::ListToMark => {
                let items = self.pop_to_mark()?;
                self.push_list(items)?;
            }
            Step::List => self.push_list(Vec::new())?,
            Step::Append => {
                let item = self.pop()?;
                self.extend_list(vec![item])?;
            }
            Step::Appends => {
                let items = self.pop_to_mark()?;
                self.extend_list(items)?;
            }
            Step::Dict => self.push_dict(Vec::new())?,
            Step::DictToMark => {
                let items = self.pop_to_mark()?;
                self.push_dict(items)?;
            }
            Step::SetItem => {
                let value = self.pop()?;
                let key = self.pop()?;
                self.extend_dict(vec![key, value])?;
            }
            Step::SetItems => {
                let items = self.pop_to_mark()?;
                self.extend_dict(items)?;
            }
            Step::Put(key) => {
                let key = self.key(key)?;
                let top = self.top()?;
                if self.memo.len() == MOST_VALUES {
                    return Err(format!("it keeps more than {MOST_VALUES} values").into());
                }
                self.memo.insert(key, top);
            }
            Step::Get(key) => {
                let key = self.key(key)?;
                let value = *self.memo.get(&key).ok_or_else(|| format!("value {key} is asked for but was not kept"))?;
                self.push(value)?;
            }
            Step::Class => {
                let (module, name) = (self.line()?, self.line()?);
                self.push_class("GLOBAL", module, name)?;
            }
            Step::ClassFromStack => {
                let (name, module) = (self.pop()?, self.pop()?);
                let (Value::Text(module), Value::Text(name)) = (module, name) else {
                    return Err("a class whose name is no text".into());
                };
                self.push_class("STACK_GLOBAL", module, name)?;
            }
            Step::Call => {
                let (arguments, function) = (self.pop()?, self.pop()?);
                let value = self.call(function, arguments)?;
                self.push(value)?;
            }
            Step::SetState => {
                let (state, object) = (self.pop()?, self.top()?);
                // An ordered map of a model's tensors has a note on versions, which is not needed.
                if !matches!((object, state), (Value::Dict(_), Value::Dict(_))) {
                    let what = "its pickle sets the state of something that is no map (BUILD)";
                    return Err(Fault::Executable(what.to_owned()));
                }
            }
            Step::Storage => {
                let id = self.pop()?;
                let storage = self.storage(id)?;
                let place = self.build(Object::Storage(storage))?;
                self.push(Value::Storage(place))?;
            }
            Step::Refused("INST") => {
                let (module, name) = (self.line()?, self.line()?);
                return Err(Fault::Executable(format!("its pickle makes an object of {module}.{name} (INST)")));
            }
            Step::Refused(name) => {
                let of = self.stack.iter().rev().find_map(|value| match value {
                    Value::Class(class) => Some(format!(" of {class:?}")),
                    _ => None,
                });
                let what = format!("its pickle takes the step {name}{}", of.unwrap_or_default());
                return Err(Fault::Executable(what));
            }
            Step::Unknown => return Err(format!("there is no step {byte:#04x}").into()),
        }
        Ok(None)
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], Fault> {
        let taken = self.bytes.get(self.at..).and_then(|rest| rest.get(..count));
        let taken = taken.ok_or_else(|| {
            Fault::Broken(format!("{count} bytes are wanted, {} are left: it is truncated", self.bytes.len() - self.at))
        })?;
        self.at += count;
        Ok(taken)
    }

    /// A length in so many bytes.
    fn length(&mut self, bytes: usize) -> Result<u64, Fault> {
        let number = little_endian(self.take(bytes)?, false);
        u64::try_from(number).map_err(|_| "a length out of range".into())
    }

    fn text(&mut self, bytes: usize) -> Result<&'a [u8], Fault> {
        let length = self.length(bytes)?;
        if length > LONGEST_TEXT {
            return Err(format!("a text of {length} bytes, more than the limit of {LONGEST_TEXT}").into());
        }
        self.take(length as usize)
    }

    fn line(&mut self) -> Result<&'a str, Fault> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let rest = rest.get(..LONGEST_LINE).unwrap_or(rest);
        let length = rest.iter().position(|byte| *byte == b'\n').ok_or("a line without an end")?;
        let line = self.take(length)?;
        self.at += 1;
        std::str::from_utf8(line).map_err(|_| "a line is not UTF-8".into())
    }

    fn key(&mut self, key: Key) -> Result<u64, Fault> {
        match key {
            Key::Bytes(bytes) => self.length(bytes),
            Key::Line => {
                let line = self.line()?;
                line.parse().map_err(|_| format!("{line:?} is no number of a kept value").into())
            }
            Key::Next => Ok(self.memo.len() as u64),
        }
    }

    /// Values below this place of the stack belong to what is built around the present list.
    fn floor(&self) -> usize {
        self.marks.last().copied().unwrap_or(0)
    }

    fn push(&mut self, value: Value<'a>) -> Result<(), Fault> {
        if self.stack.len() == MOST_VALUES {
            return Err(format!("more than {MOST_VALUES} values wait to be put together").into());
        }
        self.stack.push(value);
        Ok(())
    }

    fn pop(&mut self) -> Result<Value<'a>, Fault> {
        if self.stack.len() == self.floor() {
            return Err("a value is wanted that is not there".into());
        }
        self.stack.pop().ok_or_else(|| "a value is wanted that is not there".into())
    }

    fn top(&self) -> Result<Value<'a>, Fault> {
        let top = self.stack.last().filter(|_| self.stack.len() > self.floor());
        top.copied().ok_or_else(|| "a value is wanted that is not there".into())
    }

    fn pop_to_mark(&mut self) -> Result<Vec<Value<'a>>, Fault> {
        let mark = self.marks.pop().ok_or("a list ends that has not begun")?;
        Ok(self.stack.split_off(mark))
    }

    fn build(&mut self, object: Object<'a>) -> Result<usize, Fault> {
        if self.objects.len() == MOST_OBJECTS {
            return Err(format!("it builds more than {MOST_OBJECTS} lists, maps and tensors").into());
        }
        self.objects.push(object);
        Ok(self.objects.len() - 1)
    }

    fn push_list(&mut self, items: Vec<Value<'a>>) -> Result<(), Fault> {
        let place = self.build(Object::List(items))?;
        self.push(Value::List(place))
    }

    fn push_dict(&mut self, items: Vec<Value<'a>>) -> Result<(), Fault> {
        let place = self.build(Object::Dict(Vec::new()))?;
        self.push(Value::Dict(place))?;
        self.extend_dict(items)
    }

    fn extend_list(&mut self, items: Vec<Value<'a>>) -> Result<(), Fault> {
        if let Value::List(place) = self.top()?
            && let Some(Object::List(list)) = self.objects.get_mut(place)
        {
            list.extend(items);
            return Ok(());
        }
        Err("something is appended to what is no list".into())
    }

    fn extend_dict(&mut self, items: Vec<Value<'a>>) -> Result<(), Fault> {
        let (pairs, rest) = items.as_chunks::<2>();
        if let Value::Dict(place) = self.top()?
            && let Some(Object::Dict(dict)) = self.objects.get_mut(place)
            && rest.is_empty()
        {
            dict.extend(pairs.iter().map(|[key, value]| (*key, *value)));
            return Ok(());
        }
        Err("something is put into what is no map, or a key without a value".into())
    }

    fn push_class(&mut self, step: &str, module: &str, name: &str) -> Result<(), Fault> {
        let known = class(module, name);
        let known = known.ok_or_else(|| Fault::Executable(format!("its pickle names {module}.{name} ({step})")))?;
        self.push(Value::Class(known))
    }

    fn items(&self, value: Value<'a>) -> Option<&[Value<'a>]> {
        let Value::List(place) = value else { return None };
        match self.objects.get(place)? {
            Object::List(items) => Some(items),
            _ => None,
        }
    }

    /// What a function makes of its arguments: those few that weights need are known.
    fn call(&mut self, function: Value<'a>, arguments: Value<'a>) -> Result<Value<'a>, Fault> {
        let Value::Class(class) = function else {
            return Err(Fault::Executable("its pickle calls something that is no known function (REDUCE)".to_owned()));
        };
        let items = self.items(arguments).ok_or("a function is called without a list of arguments")?;
        match (class, items) {
            (Class::OrderedDict, []) => Ok(Value::Dict(self.build(Object::Dict(Vec::new()))?)),
            (Class::Size, [sizes]) if matches!(sizes, Value::List(_)) => Ok(*sizes),
            (Class::Parameter, [tensor @ Value::Tensor(_), ..]) => Ok(*tensor),
            (Class::Tensor, [Value::Storage(storage), offset, shape, strides, ..]) => {
                let sizes = |value: Value<'a>, what: &str| -> Result<Vec<usize>, Fault> {
                    let list = self.items(value).ok_or_else(|| format!("a tensor's {what} is no list"))?;
                    if list.len() > MOST_AXES {
                        return Err(format!("a tensor has {} axes", list.len()).into());
                    }
                    list.iter().map(|size| to_size(*size, what)).collect()
                };
                let view = View {
                    storage: *storage,
                    offset: to_size(*offset, "offset")?,
                    shape: sizes(*shape, "size")?,
                    strides: sizes(*strides, "stride")?,
                };
                Ok(Value::Tensor(self.build(Object::Tensor(view))?))
            }
            (Class::Storage(_) | Class::Kind, _) => {
                Err(Fault::Executable("its pickle calls a kind of numbers as a function (REDUCE)".to_owned()))
            }
            (class, items) => Err(format!("{class:?} is made of {} arguments that are not its", items.len()).into()),
        }
    }

    /// `("storage", kind, key, device, count)`, which old files follow with None.
    fn storage(&self, id: Value<'a>) -> Result<Storage<'a>, Fault> {
        match self.items(id) {
            Some(
                [Value::Text("storage"), Value::Class(Class::Storage(dtype)), Value::Text(key), _, count, rest @ ..],
            ) => match rest {
                [] | [Value::Nothing] => Ok(Storage { key, dtype: *dtype, count: to_size(*count, "count")? }),
                _ => Err(Fault::Unsupported(
                    format!("storage {key} is a part of another, as PyTorch before 0.4 wrote it"),
                    "load and save it with a newer PyTorch",
                )),
            },
            Some([Value::Text("module"), ..]) => {
                Err(Fault::Executable("it holds a whole module with its source code, not a state_dict".to_owned()))
            }
            _ => Err("a storage is not named as PyTorch names storages (BINPERSID)".into()),
        }
    }
}

fn to_size(value: Value<'_>, what: &str) -> Result<usize, Fault> {
    match value {
        Value::Int(number) => {
            usize::try_from(number).map_err(|_| format!("a tensor's {what} is {number}, which is out of range").into())
        }
        _ => Err(format!("a tensor's {what} is no whole number").into()),
    }
}

/// A number of at most 16 bytes.
fn little_endian(bytes: &[u8], signed: bool) -> i128 {
    let negative = signed && bytes.last().is_some_and(|last| last & 0x80 != 0);
    let mut all = [if negative { 0xFF } else { 0 }; LONGEST_INT];
    for (into, byte) in all.iter_mut().zip(bytes) {
        *into = *byte;
    }
    i128::from_le_bytes(all)
}
