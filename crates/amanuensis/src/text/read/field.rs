//! The fields of a JSON object, and the errors that name them.

use std::fmt;

use serde_json::{Map, Value};

use super::super::time;
use super::ReadError;

/// Where in a document something is.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Place {
    /// The key of a list at the top and the number in it.
    pub(super) item: Option<(&'static str, usize)>,
    /// The key of a list in that and the number in it.
    pub(super) inner: Option<(&'static str, usize)>,
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((list, number)) = self.item {
            write!(formatter, "{list}[{number}]")?;
        }
        if let Some((list, number)) = self.inner {
            write!(formatter, ".{list}[{number}]")?;
        }
        Ok(())
    }
}

/// A JSON object and where it is.
#[derive(Clone, Copy)]
pub(super) struct Object<'a> {
    pub(super) map: &'a Map<String, Value>,
    pub(super) place: Place,
}

/// What a value is, in words.
pub(super) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a truth value",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

impl<'a> Object<'a> {
    /// The error that something is wrong with the value of `key`.
    pub(super) fn wrong(&self, key: &str, problem: impl fmt::Display) -> ReadError {
        let place = self.place.to_string();
        let place = if place.is_empty() { key.to_owned() } else { format!("{place}.{key}") };
        ReadError::Wrong { place, problem: problem.to_string() }
    }

    /// The value of a key; a `null` is none.
    pub(super) fn get(&self, key: &str) -> Option<&'a Value> {
        self.map.get(key).filter(|value| !value.is_null())
    }

    fn unexpected(&self, key: &str, value: &Value, expected: &str) -> ReadError {
        self.wrong(key, format_args!("{} where {expected} is expected", kind(value)))
    }

    pub(super) fn text(&self, key: &str) -> Result<Option<&'a str>, ReadError> {
        let read = |value: &'a Value| value.as_str().ok_or_else(|| self.unexpected(key, value, "a string"));
        self.get(key).map(read).transpose()
    }

    /// A text that has to be there.
    pub(super) fn needed_text(&self, key: &str) -> Result<&'a str, ReadError> {
        self.text(key)?.ok_or_else(|| self.wrong(key, "missing; a string is expected"))
    }

    pub(super) fn whole<T: TryFrom<u64>>(&self, key: &str) -> Result<Option<T>, ReadError> {
        let read = |value: &Value| {
            let number = value.as_u64().and_then(|number| T::try_from(number).ok());
            number.ok_or_else(|| self.wrong(key, format_args!("{value} where a whole number from 0 on is expected")))
        };
        self.get(key).map(read).transpose()
    }

    /// A measure; not a number where it is not said.
    pub(super) fn measure(&self, key: &str) -> Result<f32, ReadError> {
        Ok(self.optional_measure(key)?.unwrap_or(f32::NAN))
    }

    pub(super) fn optional_measure(&self, key: &str) -> Result<Option<f32>, ReadError> {
        let read = |value: &Value| value.as_f64().ok_or_else(|| self.unexpected(key, value, "a number"));
        Ok(self.get(key).map(read).transpose()?.map(|number| number as f32))
    }

    /// A time in seconds.
    pub(super) fn time(&self, key: &str) -> Result<Option<f64>, ReadError> {
        let Some(value) = self.get(key) else { return Ok(None) };
        let seconds = value.as_f64().ok_or_else(|| self.unexpected(key, value, "a time in seconds"))?;
        let tidy = time::tidy(seconds).filter(|_| seconds >= 0.0);
        tidy.map(Some).ok_or_else(|| self.wrong(key, format_args!("{value} seconds is not a time")))
    }

    /// A time that has to be there.
    pub(super) fn needed_time(&self, key: &str) -> Result<f64, ReadError> {
        self.time(key)?.ok_or_else(|| self.wrong(key, "missing; a time in seconds is expected"))
    }

    pub(super) fn list(&self, key: &str) -> Result<Option<&'a [Value]>, ReadError> {
        let read = |value: &'a Value| match value {
            Value::Array(list) => Ok(list.as_slice()),
            other => Err(self.unexpected(key, other, "a list")),
        };
        self.get(key).map(read).transpose()
    }

    /// The objects of a list.
    pub(super) fn objects(&self, key: &'static str) -> Result<Option<Vec<Object<'a>>>, ReadError> {
        let Some(list) = self.list(key)? else { return Ok(None) };
        let object = |(number, value): (usize, &'a Value)| {
            let here = Some((key, number));
            let place = match self.place.item {
                None => Place { item: here, inner: None },
                item => Place { item, inner: here },
            };
            match value {
                Value::Object(map) => Ok(Object { map, place }),
                other => Err(ReadError::Wrong {
                    place: place.to_string(),
                    problem: format!("{} where an object is expected", kind(other)),
                }),
            }
        };
        list.iter().enumerate().map(object).collect::<Result<_, _>>().map(Some)
    }

    /// An object in this one. Errors in it name the key alone where this one is in no list.
    pub(super) fn object(&self, key: &str) -> Result<Option<Object<'a>>, ReadError> {
        let read = |value: &'a Value| match value {
            Value::Object(map) => Ok(Object { map, place: self.place }),
            other => Err(self.unexpected(key, other, "an object")),
        };
        self.get(key).map(read).transpose()
    }

    /// Numbers of tokens.
    pub(super) fn tokens(&self, key: &str) -> Result<Vec<u32>, ReadError> {
        let read = |(number, value): (usize, &Value)| {
            let token = value.as_u64().and_then(|token| u32::try_from(token).ok());
            token.ok_or_else(|| self.wrong(key, format_args!("entry {number} is {value}, which is not a token")))
        };
        self.list(key)?.unwrap_or_default().iter().enumerate().map(read).collect()
    }

    /// Any other value, read by its type's own rules.
    pub(super) fn parsed<T: serde::de::DeserializeOwned>(&self, key: &str) -> Result<Option<T>, ReadError> {
        let read = |value: &Value| T::deserialize(value).map_err(|error| self.wrong(key, error));
        self.get(key).map(read).transpose()
    }
}

/// Refuses what ends before it starts.
pub(super) fn in_order(object: &Object<'_>, start: f64, end: f64) -> Result<(), ReadError> {
    if end < start {
        return Err(object.wrong("end", format_args!("{end} seconds is before the start at {start}")));
    }
    Ok(())
}
