//! Reads the large lists of a vocabulary straight into their buffers, without a string for every token.

use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use crate::tokens::vocabulary::{Texts, WrittenMerges};

/// Hands a JSON string to a function.
struct Text<F>(F);

impl<'de, F: FnMut(&str)> DeserializeSeed<'de> for Text<F> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<F: FnMut(&str)> Visitor<'_> for Text<F> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a string")
    }

    fn visit_str<E: Error>(mut self, text: &str) -> Result<(), E> {
        (self.0)(text);
        Ok(())
    }
}

/// `{"text": id, ...}`
impl<'de> Deserialize<'de> for Texts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;

        impl<'de> Visitor<'de> for Entries {
            type Value = Texts;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a map from text to token id")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Texts, A::Error> {
                let mut texts = Texts::default();
                while map.next_key_seed(Text(|text: &str| texts.push(text)))?.is_some() {
                    texts.push_id(map.next_value()?);
                }
                Ok(texts)
            }
        }

        deserializer.deserialize_map(Entries)
    }
}

/// `["left right", ...]` or, since 2024, `[["left", "right"], ...]`
impl<'de> Deserialize<'de> for WrittenMerges {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pairs;

        impl<'de> Visitor<'de> for Pairs {
            type Value = WrittenMerges;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a list of merges")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<WrittenMerges, A::Error> {
                let mut merges = WrittenMerges::default();
                while list.next_element_seed(Pair(&mut merges))?.is_some() {}
                Ok(merges)
            }
        }

        deserializer.deserialize_seq(Pairs)
    }
}

struct Pair<'a>(&'a mut WrittenMerges);

impl<'de> DeserializeSeed<'de> for Pair<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Pair<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a merge, \"left right\" or [\"left\", \"right\"]")
    }

    fn visit_str<E: Error>(self, pair: &str) -> Result<(), E> {
        match pair.split_once(' ') {
            Some((left, right)) if !right.contains(' ') => {
                self.0.push(left, right);
                Ok(())
            }
            _ => Err(E::custom(format!("the merge {pair:?} is not two texts with a space between them"))),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut pair: A) -> Result<(), A::Error> {
        let Self(merges) = self;
        let mut halves = 0;
        while pair.next_element_seed(Text(|half: &str| merges.push_half(half)))?.is_some() {
            halves += 1;
        }
        if halves == 2 { Ok(()) } else { Err(A::Error::invalid_length(halves, &"two texts")) }
    }
}
